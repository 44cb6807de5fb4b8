# A signal while the backlog goes out: what arrived is marked, the rest waits.
. "${0%/*}/../lib.sh"

launcher='env --default-signal=INT'     # a shell's background jobs ignore it
keep_store=yes focus_timeout=5s server_port=6601
set --
for t in 1 2 3; do
    sensor "t=20$t h=456"
    let_cache_expire
    taken=$(wall_clock)
    set -- "$@" "20.$t 45.6 $taken"
    run
    exits 69
done

fault=slow server_port=6600
while read -r signal expected; do
    let_cache_expire
    start
    sleep 7
    kill -"$signal" "$pid"
    finish
    exits "$expected"
    delivers '20.3 45.6' "$1"
    shift
    leaves_no_focus
    mentions 30 "delivered=2 backlog=$#"
    mentions 27 "SIG$signal"
    takes 7000 7050
done <<.
TERM 143
INT 130
.

fault=good
let_cache_expire
run
exits 0
delivers '20.3 45.6' "$1"
logs 'temperature=20.3 humidity=45.6 device=dht11@4 attempts=1 delivered=2 backlog=0'
