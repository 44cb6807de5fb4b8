# After an undecodable frame the driver answers with the values before it: they
# are never sent.
. "${0%/*}/../lib.sh"

sensor 't=111 h=222' 't=111 h=222' weird "$good"
run --dry-run
exits 0
prints 11.1 22.2
let_cache_expire
run
exits 0
sends $good_is
logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=2 delivered=1 backlog=0'
transactions 2
takes 2140 2180
