# A value no sensor of this kind can measure costs one try.
. "${0%/*}/../lib.sh"

while read -r answer; do
    sensor "$answer" "$good"
    let_cache_expire
    run
    exits 0
    sends $good_is
    logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=2 delivered=1 backlog=0'
    transactions 2
    takes 2140 2180
done <<.
t=801 h=456
t=-401 h=456
t=234 h=1001
t=3276 h=1023
.

sensor 't=801 h=456'
let_cache_expire
run
exits 74
sends_nothing
logs_error dht11@4 80.1
transactions 10
takes 19100 19300
