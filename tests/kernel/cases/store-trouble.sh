# A store that cannot be written, or not be read, never stops a delivery: one line says so.
. "${0%/*}/../lib.sh"

# Without a store there is no reading to compare with, and the sensor is asked twice.
store=/run/store/readings.db keep_store=yes read_before=
mkdir /run/store

delivered_without() { # TEXT [ATTEMPTS]
    let_cache_expire
    run
    exits 0
    sends $good_is
    mentions 28 "$store" "$1" 'goes on without'
    mentions 30 "temperature=23.4 humidity=45.6 device=dht11@4 attempts=${2:-2} delivered=1 backlog=unknown"
    [ "$(wc -l </run/syslog)" -eq 2 ] || fail "more than two lines in the log"
}

delivered() { # BACKLOG
    let_cache_expire
    run
    exits 0
    mentions 30 "temperature=23.4 humidity=45.6 device=dht11@4 attempts=1 delivered=$1 backlog=0"
}

sensor "$good"

# Full before there is a store, and in the life of one with a reading that waits.
mount -t tmpfs -o size=256k tmpfs /run/store
fill() { ! dd if=/dev/zero of=/run/store/filler bs=4k 2>/dev/null; }
fill
delivered_without 'no space is left on its file system'
rm -f "$store"* /run/store/filler

server_port=6601 focus_timeout=3s
run
exits 69
fill
let_cache_expire
run
exits 69
mentions 28 'no space is left on its file system'
mentions 27 'temperature=23.4 humidity=45.6' 'backlog=unknown'
server_port=6600
# What the store has can still be read, so that one try is enough.
delivered_without 'no space is left on its file system' 1
rm /run/store/filler
delivered 2

# Read-only, with a store and without.
mount -o remount,ro /run/store
delivered_without 'its file system is read-only' 1
mount -o remount,rw /run/store
delivered 1
rm "$store"*
mount -o remount,ro /run/store
delivered_without 'its file system is read-only'
umount /run/store

# Damaged: set aside, and a new one is begun.
let_cache_expire
run
exits 0
echo 'This is no database.' >"$store"
rm "$store"-*
let_cache_expire
run
exits 0
sends $good_is
mentions 28 "$store" 'set aside'
delivered 1
