# A hwmon device with a cache of two seconds.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

# e12800 makes the chip ready, ac3300 starts a measurement: a status, 20 bits of humidity, 20 bits of temperature.
chip=/sys/module/i2c_chip/parameters/answers
chip_measures() { # HUMIDITY TEMPERATURE
    echo "e12800=08 ac3300=1c$1$2" >$chip
}
insmod "$RIG/i2c-chip.ko" address=0x38
chip_measures 74bc7 5df3b
echo aht10 0x38 >/sys/bus/i2c/devices/i2c-0/new_device

# code * 100 / 2^20 %RH and code * 200 / 2^20 - 50 °C, both from one measurement of 80 to 180 ms.
while read -r h t temperature humidity; do
    let_cache_expire
    chip_measures "$h" "$t"
    reads_as aht10 "$temperature" "$humidity"
    takes 80 200
done <<.
74bc7 5df3b 23.4 45.6
00000 2db22 -14.3 0.0
ffbe7 6ed92 36.6 99.9
.

# The chip was busy once.
let_cache_expire
echo ff=00 >$chip
start
sleep 1
chip_measures 74bc7 5df3b
finish
exits 0
sends 23.4 45.6
logs 'temperature=23.4 humidity=45.6 device=aht10 attempts=2 delivered=1 backlog=0'
