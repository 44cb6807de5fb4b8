# A sensor that sends -2.3 °C as FFE9 is understood, though the driver is not.
. "${0%/*}/../lib.sh"

sensor raw=01f4ffe9
run
exits 0
sends -2.3 50.0
logs 'temperature=-2.3 humidity=50.0 device=dht11@4 attempts=1 delivered=1 backlog=0'
transactions 1
takes 20 50
