# A process stopped between temperature and humidity holds two samples, not one.
. "${0%/*}/../lib.sh"

sensor 't=111 h=222' 't=333 h=444' "$good"
start
sleep 0.01
kill -STOP "$pid"
sleep 3
kill -CONT "$pid"
finish
exits 0
sends $good_is
logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=2 delivered=1 backlog=0'
transactions 3
takes 5120 5250
