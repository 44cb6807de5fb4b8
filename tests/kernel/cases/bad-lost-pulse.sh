# A pulse lost in the frame makes the driver wait for a second.
. "${0%/*}/../lib.sh"

recovers_from drop:40 1000 1110
gives_up_on drop:40 1000 1110 EIO
