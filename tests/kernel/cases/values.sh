# Every good value is read as it is: by a dry run, which has no reading to compare it with, with two transactions.
. "${0%/*}/../lib.sh"

while read -r t h temperature humidity; do
    sensor "t=$t h=$h"
    let_cache_expire
    run --dry-run
    exits 0
    prints "$temperature" "$humidity"
    sends_nothing
    transactions 2
    takes 2140 2170
done <<.
-400 0 -40.0 0.0
-1 456 -0.1 45.6
0 456 0.0 45.6
1 456 0.1 45.6
234 456 23.4 45.6
0 1 0.0 0.1
1 0 0.1 0.0
-1 0 -0.1 0.0
234 0 23.4 0.0
234 1000 23.4 100.0
255 255 25.5 25.5
256 256 25.6 25.6
-101 999 -10.1 99.9
800 1000 80.0 100.0
.
