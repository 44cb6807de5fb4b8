# Two runs at a time: the second one ends at once.
. "${0%/*}/../lib.sh"

keep_store=yes         # with its lock
sensor silent "$good"
start
first=$pid
sleep 0.5
run
exits 75
sends_nothing
takes 0 30
pid=$first
finish
exits 0
sends $good_is
