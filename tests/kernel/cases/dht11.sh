# A DHT11 gives whole degrees and percents.
. "${0%/*}/../lib.sh"

sensor 'dht11 t=230 h=450'
run
exits 0
sends 23.0 45.0
logs 'temperature=23.0 humidity=45.0 device=dht11@4 attempts=1 delivered=1 backlog=0'
transactions 1
takes 20 50
