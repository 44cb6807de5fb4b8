# The doctor sees the kernel's own second reader, as it is bound to the sensor.
# tree: iio-hwmon.dts
. "${0%/*}/../lib.sh"

sensor "$good"
"$PROGRAM" doctor >/run/out || true
grep -q '^-- *second reader *iio-hwmon (iio-hwmon) reads dht11@4 too' /run/out || fail "it is not seen"

echo iio-hwmon >/sys/bus/platform/drivers/iio_hwmon/unbind
let_cache_expire
"$PROGRAM" doctor >/run/out || true
grep -q '^ok *second reader *none' /run/out || fail "it is seen, though it was unbound"

# A program that reads the sensor again and again: the tries show it.
(while cat /sys/bus/iio/devices/iio:device0/in_temp_input >/dev/null; do sleep 0.7; done) &
reader=$!
sleep 1
"$PROGRAM" doctor >/run/out || true
kill $reader
grep -q "^-- *second reader *[1-5] of 5 answers of dht11@4 came from the driver's cache" /run/out || fail "the other reader is not seen"
