# Setting the wall clock in the middle of a run changes neither pause nor deadline.
. "${0%/*}/../lib.sh"

sensor silent "$good"
start --deadline 10s
sleep 1.5
date -s @1800000000 >/dev/null
finish
exits 0
sends $good_is
transactions 2
takes 3100 3250

sensor silent "$good"
let_cache_expire
start --deadline 10s
sleep 1.5
date -s @1000000000 >/dev/null
finish
exits 0
sends $good_is
transactions 2
takes 3100 3250
