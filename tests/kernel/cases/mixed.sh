# Different failures in one run are counted by their names.
. "${0%/*}/../lib.sh"

sensor silent badsum drop:40 silent weird
run --attempts 5
exits 74
sends_nothing
logs_error 'ETIMEDOUT 2 times' 'EIO 3 times'
transactions 5
takes 11500 11900
