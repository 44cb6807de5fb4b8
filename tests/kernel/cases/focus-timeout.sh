# A focus that reaches no server is ended at its timeout, by force if it must.
. "${0%/*}/../lib.sh"

not_delivered() {
    exits 69
    leaves_no_focus
    logs_error 'temperature=23.4 humidity=45.6'
    [ -s /run/focus ] || fail "focus was not run"
    [ ! -s /run/server ] || fail "the server got something"
    transactions 1
}

sensor "$good"
focus_timeout=3s
while read -r fault server_port min max; do
    let_cache_expire
    run
    not_delivered
    takes "$min" "$max"
done <<.
refuse 6600 3000 3100
hang 6600 3000 3100
hang-deaf 6600 5000 5100
good 6601 3000 3100
.

# The deadline comes before the timeout.
fault=hang-deaf server_port=6600
focus_timeout=15s
let_cache_expire
run --deadline 5s
not_delivered
takes 4800 5050
