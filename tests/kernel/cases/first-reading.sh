# A DHT22 answers with what it measured when it was last asked. Without a reading of the last 10 minutes two tries must
# agree, and the later one counts.
. "${0%/*}/../lib.sh"

read_before=
sent_after() { # ATTEMPTS TEMPERATURE HUMIDITY
    exits 0
    sends "$2" "$3"
    logs "temperature=$2 humidity=$3 device=dht11@4 attempts=$1 delivered=1 backlog=0"
    transactions "$1"
}

# The first of the two is no failed try.
sensor 't=230 h=440' "$good"
run --attempts 1
sent_after 2 $good_is
takes 2140 2180

# The value of an hour ago.
sensor 't=105 h=800' "$good"
let_cache_expire
run
sent_after 3 $good_is

# A doubled frame has a right checksum: 25.6 °C and 32.0 % become 51.2 °C and 64.0 %.
for frames in '512,640 256,320 256,320' '256,320 512,640 256,320 256,320'; do
    set --
    for frame in $frames; do
        set -- "$@" "t=${frame%,*} h=${frame#*,}"
    done
    sensor "$@"
    let_cache_expire
    run
    sent_after $# 25.6 32.0
done

# With failures between and before.
sensor badsum "$good" silent 't=235 h=460'
let_cache_expire
run
sent_after 4 23.5 46.0

# Hot air, from the first run on.
sensor 't=300 h=400' 't=325 h=380' 't=350 h=360'
let_cache_expire
run
sent_after 3 35.0 36.0

# Nothing agrees.
sensor 't=700 h=456' 't=100 h=456' 't=500 h=456'
let_cache_expire
run --attempts 2
exits 74
sends_nothing
logs_error 'in 3 tries: unconfirmed 3 times' 'temperature went from 10 to 50 °C between two tries'

# A run each minute asks the sensor once; and again twice after more than 10 minutes.
sensor "$good"
let_cache_expire
run
sent_after 2 $good_is
keep_store=yes
for pause in 57 590; do
    pass_time $pause
    run
    sent_after 1 $good_is
done
pass_time 601
run
sent_after 2 $good_is
