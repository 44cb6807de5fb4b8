# After Linux 6.12 this driver measures when it is asked, in 81 ms; before, the chip measured all the time.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

insmod "$RIG/i2c-stub.ko" chip_addr=0x76
set_registers 0x76 0xd0 0x60                            # chip id
# The calibration; what is not named is 0.
set_registers 0x76 0x88 0x90 0x65 0x20 0x67             # t1 = 26000, t2 = 26400
set_registers 0x76 0xe1 0x64                            # h2 = 100
set_registers 0x76 0xfa 0x77 0xb7 0x00 0x74 0xbc
echo bme280 0x76 >/sys/bus/i2c/devices/i2c-0/new_device
[ "$("$PROGRAM" list)" = "$(printf 'iio:device0\tbme280\t-\t0-0076')" ] || fail "list: $("$PROGRAM" list)"

# With this calibration, 20 bits are (code / 8 - 2 t1) t2 5 / 2^19 hundredths of a degree, and 16 bits
# code h2 / 2^16 %RH.
while read -r t1 t2 t3 h1 h2 temperature humidity; do
    set_registers 0x76 0xfa "$t1" "$t2" "$t3" "$h1" "$h2"
    reads_as bme280 "$temperature" "$humidity"
    takes 0 220
done <<.
0x77 0xb7 0x00 0x74 0xbc 23.4 45.6
0x5a 0x78 0x00 0x00 0x00 -14.3 0.0
0x81 0xf4 0x80 0xff 0xbd 36.6 99.9
.

# What stands there when nothing was measured.
set_registers 0x76 0xfa 0x80 0x00 0x00 0x80 0x00
run --attempts 3
exits 74
sends_nothing
logs_error 'EIO 3 times'
