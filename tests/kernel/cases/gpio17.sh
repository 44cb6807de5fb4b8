# The overlay's parameters: another pin, and a label to know the sensor by.
# overlay: gpiopin=17,label=attic
# sensors: 17
. "${0%/*}/../lib.sh"

read_before=attic
sensor -l 17 "$good"
for device in attic dht11@11 iio:device0; do
    let_cache_expire
    run --device "$device"
    exits 0
    sends $good_is
    mentions 30 'temperature=23.4 humidity=45.6 device=attic attempts=1 delivered=1 backlog=0'
    [ "$device" = attic ] || [ "$device" = dht11@11 ] ||
        mentions 28 "$device, which can be another sensor after a restart: use \"attic\""
    transactions 1
    takes 20 50
done

run --device cellar
exits 66
sends_nothing
logs_error cellar attic
transactions 0
takes 0 30
