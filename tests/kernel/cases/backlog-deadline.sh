# The backlog is delivered as far as the deadline allows, and the rest waits for the next run.
. "${0%/*}/../lib.sh"

keep_store=yes focus_timeout=5s server_port=6601
set --
for t in 1 2 3 4 5; do
    sensor "t=20$t h=456"
    let_cache_expire
    taken=$(wall_clock)
    set -- "$@" "20.$t 45.6 $taken"
    run
    exits 69
done

# Each takes 3 s, and 2 s are left for a focus that has to be killed.
fault=slow server_port=6600
sensor 't=206 h=456'
let_cache_expire
run --deadline 12s
exits 0
delivers '20.6 45.6' "$1" "$2"
logs 'temperature=20.6 humidity=45.6 device=dht11@4 attempts=1 delivered=3 backlog=3'
takes 9000 9200

let_cache_expire
run
exits 0
# The eighth reading of this store: then the oldest goes first.
delivers "$3" '20.6 45.6' "$4" "$5"
logs 'temperature=20.6 humidity=45.6 device=dht11@4 attempts=1 delivered=4 backlog=0'
