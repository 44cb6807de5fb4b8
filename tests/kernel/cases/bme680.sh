# The one driver whose humidity is percent, not thousandths.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

insmod "$RIG/i2c-stub.ko" chip_addr=0x76
set_registers 0x76 0xd0 0x61                            # chip id
set_registers 0x76 0x1d 0x80                            # measured, and not measuring
# The calibration; what is not named is 0.
set_registers 0x76 0xe9 0x90 0x65                       # t1 = 26000
set_registers 0x76 0x8a 0x20 0x67                       # t2 = 26400
set_registers 0x76 0xe1 0x3e 0x8e 0x2e                  # h2 = 1000, h1 = 750
set_registers 0x76 0x22 0x77 0xb7 0x00 0x5d 0x92
echo bme680 0x76 >/sys/bus/i2c/devices/i2c-0/new_device

humidity=$(cat /sys/bus/iio/devices/iio:device0/in_humidityrelative_input)
[ "$humidity" = 45.600000000 ] || fail "the driver gives the humidity as $humidity"

# With this calibration, 20 bits are (code / 8 - 2 t1) t2 5 / 2^19 hundredths of a degree, and 16 bits
# (code - 16 h1) h2 / 2^18 %RH. The driver waits 184 ms for each of the two; after Linux 6.12 in whole ticks of 10 ms.
while read -r t1 t2 t3 h1 h2 temperature humidity; do
    set_registers 0x76 0x22 "$t1" "$t2" "$t3" "$h1" "$h2"
    reads_as bme680 "$temperature" "$humidity"
    takes 360 410
done <<.
0x77 0xb7 0x00 0x5d 0x92 23.4 45.6
0x5a 0x78 0x00 0x2e 0xe0 -14.3 0.0
0x81 0xf4 0x80 0x95 0x2c 36.6 99.9
.
