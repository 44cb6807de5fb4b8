# The chip measures by itself, and its driver knows one name for two of them.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

chip=/sys/module/i2c_chip/parameters/answers
insmod "$RIG/i2c-chip.ko" address=0x40
echo '00=5c62 02=207b' >$chip
echo hdc2080 0x40 >/sys/bus/i2c/devices/i2c-0/new_device
[ "$("$PROGRAM" list)" = "$(printf 'iio:device0\thdc2010\t-\t0-0040')" ] || fail "list: $("$PROGRAM" list)"

# code * 165 / 65536 - 40 °C and code * 100 / 65536 %RH, lower byte first.
while read -r t h temperature humidity; do
    echo "00=$t 02=$h" >$chip
    reads_as hdc2010 "$temperature" "$humidity"
    takes 0 30
done <<.
5c62 207b 23.4 48.1
e027 0000 -14.3 0.0
8808 fcff -34.5 100.0
.
