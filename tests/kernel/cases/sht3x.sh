# A hwmon device without a cache to speak of.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

# 2400 starts a measurement; the others are the limits, which the driver reads when it binds.
chip=/sys/module/i2c_chip/parameters/answers
chip_measures() { # TEMPERATURE HUMIDITY
    limits=
    for command in e11f e114 e102 e109; do
        limits="$limits $command=000081000081"
    done
    echo "2400=$(checked "$1" 0xff)$(checked "$2" 0xff)$limits" >$chip
}
insmod "$RIG/i2c-chip.ko" address=0x44
chip_measures 0x640f 0x74bc
echo sht3x 0x44 >/sys/bus/i2c/devices/i2c-0/new_device

# code * 175 / 65536 - 45 °C and code * 100 / 65536 %RH. A measurement takes 15 ms, and answers what is read in the same
# tick of the kernel's clock, too.
while read -r t h temperature humidity; do
    chip_measures "$t" "$h"
    reads_as sht3x "$temperature" "$humidity"
    takes 15 60
done <<.
0x640f 0x74bc 23.4 45.6
0x2ce9 0x0000 -14.3 0.0
0x775f 0xffbd 36.6 99.9
.

# The chip was busy once.
echo ff=00 >$chip
start
sleep 1
chip_measures 0x640f 0x74bc
finish
exits 0
sends 23.4 45.6
logs 'temperature=23.4 humidity=45.6 device=sht3x attempts=2 delivered=1 backlog=0'
