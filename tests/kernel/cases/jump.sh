# A jump counts only when the next try agrees: a wild frame is never sent, a real change is.
. "${0%/*}/../lib.sh"

temperature_jump=5.0 humidity_jump=20.0

from_good() { # ANSWER...
    sensor "$good"
    keep_store=
    let_cache_expire
    run
    exits 0
    sends $good_is
    sensor "$@"
    keep_store=yes
    let_cache_expire
}

sent_after() { # ATTEMPTS TEMPERATURE HUMIDITY
    run
    exits 0
    sends "$2" "$3"
    logs "temperature=$2 humidity=$3 device=dht11@4 attempts=$1 delivered=1 backlog=0"
    transactions "$1"
}

# Up to the limit, and beyond it in each direction.
while read -r t h temperature humidity; do
    from_good "t=$t h=$h"
    sent_after 1 "$temperature" "$humidity"
done <<.
284 656 28.4 65.6
184 256 18.4 25.6
.
while read -r t h; do
    from_good "t=$t h=$h" "$good"
    sent_after 2 $good_is
done <<.
285 456
183 456
234 657
234 255
-234 456
.

# The second try of a real change is within 1 °C and 5 %RH.
from_good 't=334 h=706' 't=344 h=756'
sent_after 2 34.4 75.6
from_good 't=334 h=706' 't=345 h=706' 't=345 h=706'
sent_after 3 34.5 70.6
from_good 't=334 h=706' 't=334 h=757' 't=334 h=757'
sent_after 3 33.4 75.7

# Tries that fail in between do not make a wild frame a real change.
from_good 't=700 h=456' badsum 't=100 h=456' weird "$good"
sent_after 5 $good_is

# A steady, quick change, as of hot air: three tries that go one way. And not when one of them does not, or goes too far.
from_good 't=300 h=400' 't=325 h=380' 't=350 h=360' 't=375 h=340'
sent_after 3 35.0 36.0
from_good 't=150 h=456' 't=125 h=456' 't=100 h=456'
sent_after 3 10.0 45.6
from_good 't=300 h=456' badsum 't=325 h=456' 't=310 h=456' 't=335 h=456' 't=360 h=456'
sent_after 6 36.0 45.6
from_good 't=300 h=456' 't=351 h=456' 't=390 h=456' "$good"
sent_after 4 $good_is

# No two tries agree.
from_good 't=700 h=456' 't=600 h=456' 't=500 h=456'
run --attempts 3
exits 74
sends_nothing
logs_error 'temperature went from 23.4 to 50'

# How old the last reading is goes by the boot clock.
from_good 't=334 h=456' "$good"
date -s @1800000000 >/dev/null
sent_after 2 $good_is
from_good 't=334 h=456' "$good"
pass_time 590
sent_after 2 $good_is
from_good 't=334 h=456' "$good"
pass_time 600
sent_after 3 $good_is
from_good 't=334 h=456' 't=344 h=456'
pass_time 600
sent_after 2 34.4 45.6

temperature_jump=0.0 humidity_jump=0.0
from_good 't=700 h=999'
sent_after 1 70.0 99.9
