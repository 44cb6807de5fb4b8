# A frame one edge short makes the driver wait for a second.
. "${0%/*}/../lib.sh"

recovers_from short:82 1000 1110
gives_up_on short:82 1000 1110 EIO
