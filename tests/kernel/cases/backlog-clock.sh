# The wall clock is set, by much, while readings wait: they go out with the times of the new clock.
. "${0%/*}/../lib.sh"

keep_store=yes focus_timeout=3s server_port=6601

waiting=
for clock in 946684800 1700003600 1600000000 4000000000; do
    date -s @$clock >/dev/null
    sensor "$good"
    let_cache_expire
    read_clock
    waiting="$waiting $now_ms"
    run
    exits 69
done

# Neither ahead nor back: the clock was right, as far as anybody knows.
for clock in 1750000000 1740000000; do
    date -s @$clock >/dev/null
    server_port=6600
    sensor 't=111 h=222'
    let_cache_expire
    read_clock
    set -- '11.1 22.2'
    for taken in $waiting; do
        set -- "$@" "$good_is $(((clock * 1000 + 2100 - now_ms + taken) / 1000))"
    done
    cp /run/readings.db* /run/sensor/
    run
    exits 0
    delivers "$@"
    cp /run/sensor/readings.db* /run/
done
