# Right after boot the driver answers the read after an undecodable frame with 0:
# that is never sent.
. "${0%/*}/../lib.sh"

sensor weird "$good"
run
exits 0
sends $good_is
logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=2 delivered=1 backlog=0'
transactions 2
takes 2140 2180
