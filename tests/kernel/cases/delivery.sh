# A good reading goes to focus as one line, with the arguments it wants and
# nothing else open, and into the log.
. "${0%/*}/../lib.sh"

sensor "$good"
run
exits 0
sends $good_is
logs 'temperature=23.4 humidity=45.6 device=dht11@4 attempts=1 delivered=1 backlog=0'
transactions 1
takes 20 50
grep -qF '"fds":[0,1,2]' /run/focus || fail "descriptors of focus"
for words in '"-license","x0000-rig-0000"' '"-pcode","7000"' '"-server.host","127.0.0.1"' \
    '"-server.port","6600"' '"-category","sensor"' '"-onetime"'; do
    grep -qF -e "$words" /run/focus || fail "no $words among the arguments of focus"
done
