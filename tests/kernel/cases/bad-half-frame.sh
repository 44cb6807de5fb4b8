# A sensor that dies in mid-frame times out.
. "${0%/*}/../lib.sh"

recovers_from short:40 1000 1110
gives_up_on short:40 1000 1110 ETIMEDOUT
