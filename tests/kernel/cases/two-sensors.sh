# Two sensors: none is taken by chance, each can be chosen.
# overlay: label=kitchen
# overlay: gpiopin=17
# sensors: 4,17
. "${0%/*}/../lib.sh"

sensor -l 4 't=41 h=441'
sensor -l 17 't=171 h=717'

run
exits 66
sends_nothing
logs_error kitchen dht11@11
transactions 0
takes 0 30

read_before=kitchen
run --device kitchen
exits 0
sends 4.1 44.1
logs 'temperature=4.1 humidity=44.1 device=kitchen attempts=1 delivered=1 backlog=0'
transactions 1
takes 20 50

read_before=dht11@11
run --device dht11@11
exits 0
sends 17.1 71.7
logs 'temperature=17.1 humidity=71.7 device=dht11@11 attempts=1 delivered=1 backlog=0'
transactions 1
takes 20 50
