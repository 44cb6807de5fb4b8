# A second reader through the kernel's own iio-hwmon, as lm-sensors reads it, costs 2 s and no try,
# and what it left in the driver's cache is not a reading of ours.
# tree: iio-hwmon.dts
. "${0%/*}/../lib.sh"

hwmon=/sys/class/hwmon/hwmon0
[ "$(cat $hwmon/name)" = iio_hwmon ] || fail "iio-hwmon is not bound"

other_reads() {
    temperature=$(cat $hwmon/temp1_input 2>/dev/null) || temperature=none
}
took() { # ATTEMPTS TRANSACTIONS MIN_MS MAX_MS
    exits 0
    sends $good_is
    logs "temperature=23.4 humidity=45.6 device=dht11@4 attempts=$1 delivered=1 backlog=0"
    transactions "$2"
    takes "$3" "$4"
}

# It reads the same sensor.
sensor 't=111 h=222'
other_reads
[ "$temperature" = 11100 ] || fail "iio-hwmon reads $temperature"
[ "$(cat $hwmon/humidity1_input)" = 22200 ] || fail "iio-hwmon's humidity"
let_cache_expire

# Just before, with a good value and with one that leaves the values before it behind.
for answer in weird 't=111 h=222'; do
    sensor "$answer" "$good"
    other_reads
    run
    took 1 1 1990 2060
    let_cache_expire
done

# In the pause after our own failure: the next try finds the cache, and asks again until it finds the sensor.
sensor badsum 't=111 h=222' "$good"
start
sleep 1.5
other_reads
[ "$temperature" = 11100 ] || fail "iio-hwmon reads $temperature in the pause"
finish
took 2 3 3480 3620

# In the pause, and the sensor does not answer it either.
let_cache_expire
sensor badsum silent "$good"
start
sleep 0.5
other_reads
[ "$temperature" = none ] || fail "iio-hwmon reads $temperature from a silent sensor"
finish
took 2 3 2120 2200

# At the same time: one transaction serves both.
sensor "$good"
let_cache_expire
other_reads &
run
took 1 1 20 50
