# A sensor that does not answer times out.
. "${0%/*}/../lib.sh"

recovers_from silent 1000 1110
gives_up_on silent 1000 1110 ETIMEDOUT
