# Another program that reads the same sensor again and again: nearly every run has a
# reading, and none is from the cache. (99 of 100 with runs=100, which takes minutes.)
. "${0%/*}/../lib.sh"

runs=5
sensor "$good"
for period in 0.2 0.5 1 1.5 5; do
    while :; do
        cat /sys/bus/iio/devices/iio:device0/in_temp_input >/dev/null 2>&1 || true
        sleep $period
    done &
    reader=$!
    good_runs=0
    for _ in $(seq $runs); do
        run
        [ "$status" -ne 0 ] || good_runs=$((good_runs + 1))
        # Never in step with the reader.
        sleep 1.137
    done
    kill $reader
    echo "period $period s: $good_runs of $runs runs"
    [ "$good_runs" -ge $((runs * 99 / 100)) ] || fail "$good_runs of $runs runs with a reader every $period s"
done
