# A hwmon device with a cache of two seconds, whose humidity may lie below 0 and above 100 %RH: the datasheet says to
# take it for 0 and 100 then.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

chip=/sys/module/i2c_chip/parameters/answers
chip_measures() { # TEMPERATURE HUMIDITY
    echo "fd=$(checked "$1" 0xff)$(checked "$2" 0xff)" >$chip
}
insmod "$RIG/i2c-chip.ko" address=0x44
chip_measures 0x640f 0x69ad
echo sht4x 0x44 >/sys/bus/i2c/devices/i2c-0/new_device

# code * 175 / 65536 - 45 °C and code * 125 / 65536 - 6 %RH, both from one measurement of 8 ms.
while read -r t h temperature humidity; do
    chip_measures "$t" "$h"
    reads_as sht4x "$temperature" "$humidity"
    takes 8 40
    let_cache_expire
done <<.
0x640f 0x69ad 23.4 45.6
0x2ce9 0x0c4a -14.3 0.0
0x775f 0xd8ca 36.6 99.9
0x2ce9 0x0000 -14.3 0.0
0x775f 0xffff 36.6 100.0
.

# One answer disturbed, then a good one; neither is answered from the cache.
for disturbed in fd=640f0069ad00 "fd=$(checked 0x640f 0xff)69ad00"; do
    echo "$disturbed" >$chip
    start
    sleep 1
    chip_measures 0x640f 0x69ad
    finish
    exits 0
    sends 23.4 45.6
    logs 'temperature=23.4 humidity=45.6 device=sht4x attempts=2 delivered=1 backlog=0'
    let_cache_expire
done
