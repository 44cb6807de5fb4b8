# No try is begun that could outlast the deadline, or leave focus no time before it.
. "${0%/*}/../lib.sh"

sensor silent
run --deadline 10s --dry-run
exits 74
logs_error ETIMEDOUT
transactions 3
takes 7300 10000

run --deadline 10s
exits 74
sends_nothing
logs_error ETIMEDOUT
transactions 2
takes 4100 8000
