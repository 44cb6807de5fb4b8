# A sensor with raw and scale, and an offset with decimals for one channel only.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

chip=/sys/module/i2c_chip/parameters/answers
chip_measures() { # TEMPERATURE HUMIDITY
    echo "00=$1 01=$2" >$chip
}
insmod "$RIG/i2c-chip.ko" address=0x40
chip_measures 625c 7b20
echo hdc100x 0x40 >/sys/bus/i2c/devices/i2c-0/new_device
# This driver names the device by its place on the bus.
[ "$("$PROGRAM" list)" = "$(printf 'iio:device0\t0-0040\t-\t0-0040')" ] || fail "list: $("$PROGRAM" list)"

# code * 165 / 65536 - 40 °C and code * 100 / 65536 %RH; both measurements take 15 ms.
while read -r t h temperature humidity; do
    chip_measures "$t" "$h"
    run --device 0-0040
    exits 0
    sends "$temperature" "$humidity"
    logs "temperature=$temperature humidity=$humidity device=0-0040 attempts=1 delivered=1 backlog=0"
    takes 14 30
done <<.
625c 7b20 23.4 48.1
27e0 0000 -14.3 0.0
0888 fffc -34.5 100.0
.

# The chip was busy once.
echo >$chip
start
sleep 1
chip_measures 625c 7b20
finish
exits 0
sends 23.4 48.1
logs 'temperature=23.4 humidity=48.1 device=0-0040 attempts=2 delivered=1 backlog=0'

# It never measures.
echo '00=625c' >$chip
run --attempts 3
exits 74
sends_nothing
logs_error 'ENXIO 3 times' in_humidityrelative_raw
