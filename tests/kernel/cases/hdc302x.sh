# Its driver calls a wrong checksum EINVAL, and asks ten times before it gives up.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"
needs_linux 6.8

chip=/sys/module/i2c_chip/parameters/answers
chip_measures() { # TEMPERATURE HUMIDITY
    echo "e000=$(checked "$1" 0xff)$(checked "$2" 0xff)" >$chip
}
insmod "$RIG/i2c-chip.ko" address=0x44
chip_measures 0x640f 0x74bc
echo hdc3020 0x44 >/sys/bus/i2c/devices/i2c-0/new_device
[ "$("$PROGRAM" list)" = "$(printf 'iio:device0\thdc3020\t-\t0-0044')" ] || fail "list: $("$PROGRAM" list)"

# code * 175 / 65536 - 45 °C and code * 100 / 65536 %RH.
while read -r t h temperature humidity; do
    chip_measures "$t" "$h"
    reads_as hdc3020 "$temperature" "$humidity"
    takes 0 30
done <<.
0x640f 0x74bc 23.4 45.6
0x2ce9 0x0000 -14.3 0.0
0x775f 0xffbd 36.6 99.9
.

# One answer disturbed, then a good one.
echo 'e000=640f0074bc00' >$chip
start
sleep 1
chip_measures 0x640f 0x74bc
finish
exits 0
sends 23.4 45.6
logs 'temperature=23.4 humidity=45.6 device=hdc3020 attempts=2 delivered=1 backlog=0'

# It does not answer.
echo >$chip
run --attempts 3
exits 74
sends_nothing
logs_error 'ETIMEDOUT 3 times'
