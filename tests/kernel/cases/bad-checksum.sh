# A wrong checksum costs one try.
. "${0%/*}/../lib.sh"

recovers_from badsum 20 25
gives_up_on badsum 20 25 EIO
