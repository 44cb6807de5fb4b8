# An answer that comes after the driver gave up times out.
. "${0%/*}/../lib.sh"

recovers_from late:1100 1000 1110
gives_up_on late:1100 1000 1110 ETIMEDOUT
