# A signal takes focus along, by force if it must.
. "${0%/*}/../lib.sh"

launcher='env --default-signal=INT'     # a shell's background jobs ignore it
sensor "$good"
while read -r signal fault expected min max; do
    let_cache_expire
    start
    sleep 1
    kill -"$signal" "$pid"
    finish
    exits "$expected"
    leaves_no_focus
    transactions 1
    takes "$min" "$max"
done <<.
TERM hang 143 1000 1050
INT hang 130 1000 1050
TERM hang-deaf 143 3000 3100
.
