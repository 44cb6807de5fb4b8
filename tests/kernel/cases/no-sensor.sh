# Without the overlay there is no sensor, and the log says so.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

run
exits 66
sends_nothing
logs_error sensor dtoverlay
takes 0 30
