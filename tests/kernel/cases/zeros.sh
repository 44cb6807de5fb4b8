# A stuck DHT22 sends 40 bits of zero, with the right checksum: that is never a reading, however often it comes.
. "${0%/*}/../lib.sh"

zeros=raw=00000000
sensor "$zeros"
for before in dht11@4 ''; do
    read_before=$before
    let_cache_expire
    run
    exits 74
    sends_nothing
    logs_error 'frame of zeros 10 times' "cut the sensor's power"
    transactions 10
done

# Two of them agree, and a third does not confirm it.
sensor "$zeros" "$zeros" "$good"
read_before=dht11@4
let_cache_expire
run
exits 0
sends $good_is
logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=3 delivered=1 backlog=0'

# It is no first of two that agree, either.
sensor "$zeros" 't=1 h=1' "$zeros" "$good"
read_before=
let_cache_expire
run
exits 0
sends $good_is
logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=5 delivered=1 backlog=0'

# At 0 °C or at 0 %RH alone, it is air.
read_before=dht11@4
while read -r t h temperature humidity; do
    sensor "t=$t h=$h"
    let_cache_expire
    run
    exits 0
    sends "$temperature" "$humidity"
    transactions 1
done <<.
0 1 0.0 0.1
1 0 0.1 0.0
-1 0 -0.1 0.0
.
