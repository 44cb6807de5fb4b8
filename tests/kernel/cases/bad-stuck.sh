# A sensor that holds the line low times out.
. "${0%/*}/../lib.sh"

recovers_from stuck 1000 1110
gives_up_on stuck 1000 1110 ETIMEDOUT
