# A frame the driver cannot decode costs one try, and its echo from the cache is never sent.
. "${0%/*}/../lib.sh"

recovers_from weird 20 25
gives_up_on weird 20 25 EIO
