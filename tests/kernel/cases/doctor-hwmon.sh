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
