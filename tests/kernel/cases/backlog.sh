# What could not be delivered goes out in the next run: that run's reading first, then oldest first, each
# with the time it was taken.
. "${0%/*}/../lib.sh"

keep_store=yes focus_timeout=3s

# At a closed port, and at a focus that hangs.
readings=
count=0
while read -r fault server_port t temperature; do
    sensor "t=$t h=456"
    let_cache_expire
    taken=$(wall_clock)
    run
    exits 69
    count=$((count + 1))
    logs_error "temperature=$temperature humidity=45.6 device=dht11@4 attempts=1 delivered=0 backlog=$count"
    readings="$readings$temperature 45.6 $taken
"
done <<.
good 6601 201 20.1
hang 6600 202 20.2
refuse 6600 203 20.3
exit-1 6601 204 20.4
.

# One that cannot be delivered keeps those after it waiting, and none is lost.
fault=good,good,hang server_port=6600
sensor 't=205 h=456'
let_cache_expire
run
exits 0
{ read -r first; read -r second; read -r third; read -r fourth; } <<.
$readings
.
delivers '20.5 45.6' "$first"
mentions 30 'temperature=20.5 humidity=45.6 device=dht11@4 attempts=1 delivered=2 backlog=3'
mentions 28 'the backlog has to wait' '3s'

fault=good
sensor 't=206 h=456'
let_cache_expire
run
exits 0
delivers '20.6 45.6' "$second" "$third" "$fourth"
logs 'temperature=20.6 humidity=45.6 device=dht11@4 attempts=1 delivered=4 backlog=0'
