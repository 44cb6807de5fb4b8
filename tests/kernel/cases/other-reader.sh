# What another reader left in the driver's cache is not a reading of ours.
. "${0%/*}/../lib.sh"
other_reads() { cat /sys/bus/iio/devices/iio:device0/in_temp_input >/dev/null 2>&1 || true; }
waited_for_the_sensor() {
    exits 0
    sends $good_is
    logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=1 delivered=1 backlog=0'
    transactions 1
    takes 1990 2060
}

# Just before, with a good value and with one that leaves 0 behind.
for answer in weird 't=111 h=222'; do
    sensor "$answer" "$good"
    other_reads
    run
    waited_for_the_sensor
    let_cache_expire
done

# In the pause after our own failure.
sensor badsum 't=111 h=222' "$good"
start
sleep 1.5
other_reads
finish
exits 0
sends $good_is
logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=2 delivered=1 backlog=0'
transactions 3
takes 3480 3620

# At the same time: one transaction serves both.
sensor "$good"
let_cache_expire
other_reads &
run
exits 0
sends $good_is
transactions 1
takes 20 50
