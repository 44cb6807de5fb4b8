# A signal ends a run as soon as the kernel lets go of it, and nothing is sent.
. "${0%/*}/../lib.sh"

launcher='env --default-signal=INT'     # a shell's background jobs ignore it
sensor silent
while read -r signal after expected min max; do
    start
    sleep "$after"
    kill -"$signal" "$pid"
    finish
    exits "$expected"
    sends_nothing
    logs_error "SIG$signal"
    transactions 1
    takes "$min" "$max"
done <<.
TERM 0.3 143 1000 1110
TERM 1.5 143 1500 1520
INT 0.3 130 1000 1110
INT 1.5 130 1500 1520
.

# In the middle of a good frame: the reading is there, but focus is not started any more.
sensor "$good"
let_cache_expire
start
sleep 0.01
kill -TERM "$pid"
finish
exits 143
sends_nothing
logs_error SIGTERM 'temperature=23.4 humidity=45.6'
transactions 1
takes 20 50
