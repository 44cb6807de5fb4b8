# Against the ABI, its scale makes whole °C and %RH, not thousandths.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

# The driver sets the upper bit of each register's number, for the chip to go on to the next one.
insmod "$RIG/i2c-stub.ko" chip_addr=0x5f
set_registers 0x5f 0x8f 0xbc                            # who am I
# The calibration, two points for each: 20 %RH at 0 and 60 %RH at 8000; 10 °C at -100 and 30 °C at 700.
set_registers 0x5f 0xb0 40 120 80 240
set_registers 0x5f 0xb5 0x00 0x00 0x00
set_registers 0x5f 0xba 0x40 0x1f 0x9c 0xff 0xbc 0x02
echo hts221 0x5f >/sys/bus/i2c/devices/i2c-0/new_device
[ "$("$PROGRAM" list)" = "$(printf 'iio:device0\thts221\t-\t0-005f')" ] || fail "list: $("$PROGRAM" list)"

# (code + 4000) / 200 %RH and (code + 500) / 40 °C, lower byte first. The chip is on for 50 ms for each of the two.
while read -r h1 h2 t1 t2 temperature humidity; do
    set_registers 0x5f 0xa8 "$h1" "$h2" "$t1" "$t2"
    reads_as hts221 "$temperature" "$humidity"
    takes 100 140
done <<.
0x00 0x14 0xb4 0x01 23.4 45.6
0x60 0xf0 0xd0 0xfb -14.3 0.0
0x6c 0x3e 0xc4 0x03 36.6 99.9
.
