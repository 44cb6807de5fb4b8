# A sensor with _input and without a cache. Its driver calls a wrong checksum ENODEV, which is no
# reason to give up.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

# The datasheet's own examples.
[ "$(checked 0x683a) $(checked 0x4e85)" = '683a7c 4e856b' ] || fail "checksum"

# A command, and what the chip answers: F3 and F5 start a measurement, FA0F and FCC9 ask for its serial number.
chip=/sys/module/i2c_chip/parameters/answers
chip_measures() { # TEMPERATURE HUMIDITY
    echo "fa0f=0000000000000000 fcc9=000000000000 f3=$1 f5=$2" >$chip
}
insmod "$RIG/i2c-chip.ko" address=0x40
chip_measures "$(checked 0x683a)" "$(checked 0x4e85)"
echo htu21 0x40 >/sys/bus/i2c/devices/i2c-0/new_device
[ "$("$PROGRAM" list)" = "$(printf 'iio:device0\thtu21\t-\t0-0040')" ] || fail "list: $("$PROGRAM" list)"

# code * 175.72 / 65536 - 46.85 °C and code * 125 / 65536 - 6 %RH; both measurements take 66 ms.
while read -r t h temperature humidity; do
    chip_measures "$(checked "$t")" "$(checked "$h")"
    reads_as htu21 "$temperature" "$humidity"
    takes 66 80
done <<.
0x683a 0x4e85 24.7 32.3
0x2f6c 0x0c4a -14.3 0.0
0xb7a0 0xfffe 79.2 100.0
.

# One answer disturbed, then a good one.
for disturbed in 'f3=683a7d f5=4e856b' 'f3=683a7c f5=4e846b'; do
    echo "$disturbed" >$chip
    start
    sleep 1
    chip_measures 683a7c 4e856b
    finish
    exits 0
    sends 24.7 32.3
    logs 'temperature=24.7 humidity=32.3 device=htu21 attempts=2 delivered=1 backlog=0'
    takes 2200 2300
done

# All of them, or none at all.
echo 'f3=683a7d f5=4e856b' >$chip
run
exits 74
sends_nothing
logs_error 'bad value 10 times' 'came with a wrong checksum'
echo >$chip
run --attempts 3
exits 74
sends_nothing
logs_error 'ENXIO 3 times'

# The humidity half of another chip at the same driver is no sensor for us, and is refused by its name.
echo 0x40 >/sys/bus/i2c/devices/i2c-0/delete_device
run
exits 66
chip_measures 683a7c 4e856b
echo ms8607-humidity 0x40 >/sys/bus/i2c/devices/i2c-0/new_device
for device in '' '--device ms8607-humidity'; do
    run $device
    exits 66
    sends_nothing
    logs_error ms8607-humidity 'has no temperature channel'
done
