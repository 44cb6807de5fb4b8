# A sensor that is gone ends the run at the first try that finds out; one that
# came back is read.
. "${0%/*}/../lib.sh"
driver=/sys/bus/platform/drivers/dht11

gone() { # ERRNO
    exits 74
    sends_nothing
    logs_error "$1"
    echo dht11@4 >$driver/bind
}

# Between two tries.
sensor silent
start
sleep 2
echo dht11@4 >$driver/unbind
finish
gone ENOENT
transactions 1
takes 3100 3250

# While the kernel waits for the sensor.
start
sleep 0.5
echo dht11@4 >$driver/unbind
finish
gone ENOENT
transactions 1
takes 3100 3250

# In the middle of a good frame.
sensor "$good"
start
sleep 0.01
echo dht11@4 >$driver/unbind
finish
gone ENODEV
transactions 1
takes 20 50

# Unbound and bound again between two tries.
sensor silent "$good"
start
sleep 2
echo dht11@4 >$driver/unbind
echo dht11@4 >$driver/bind
finish
exits 0
sends $good_is
transactions 2
takes 3100 3250
