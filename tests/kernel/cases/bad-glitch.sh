# A spike ahead of the frame costs one try.
. "${0%/*}/../lib.sh"

recovers_from glitch 20 25
gives_up_on glitch 20 25 EIO
