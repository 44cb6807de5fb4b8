# Frames as slow, as fast and as late as the driver takes them need no second try.
. "${0%/*}/../lib.sh"

while read -r answer; do
    sensor "$answer $good"
    let_cache_expire
    run
    exits 0
    sends $good_is
    transactions 1
    takes 20 1110
done <<.
n0=22 n1=68
n0=30 n1=75
late:60
late:900
drop:1
drop:2
short:83
.
