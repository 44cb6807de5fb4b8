# Clones that send -2.3 °C as FFE9, or -0.8 °C as 0FF8, are understood, though the driver is not.
. "${0%/*}/../lib.sh"

while read -r frame temperature humidity; do
    sensor "raw=$frame"
    let_cache_expire
    run
    exits 0
    sends "$temperature" "$humidity"
    logs "temperature=$temperature humidity=$humidity device=dht11@4 attempts=1 delivered=1 backlog=0"
    transactions 1
    takes 20 50
done <<.
01f4ffe9 -2.3 50.0
01f48017 -2.3 50.0
01f40ff8 -0.8 50.0
01f40e70 -40.0 50.0
01f40fff -0.1 50.0
01f4ff9b -10.1 50.0
.

# What may be meant otherwise is out of range, and no wider range is advised.
while read -r frame shown; do
    sensor "raw=$frame"
    let_cache_expire
    run --attempts 1
    exits 74
    sends_nothing
    logs_error "temperature $shown °C is outside" 'no air has this value'
    ! grep -q widen /run/syslog || fail "a wider range is advised"
done <<.
01f40e6f 369.5
01f41000 409.6
.
