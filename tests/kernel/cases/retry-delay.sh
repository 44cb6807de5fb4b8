# A pause shorter than the driver's cache lasts is refused before the bus is used.
. "${0%/*}/../lib.sh"

sensor "$good"
run --retry-delay 2s
exits 78
sends_nothing
logs_error 2s
transactions 0
takes 0 30
