#!/bin/sh
# reader.sh dry|deliver|keep FOCUS [ARGUMENT...]: one reading with cat, bc and logger. With "keep", sqlite3 has
# the reading in $STORE before focus is started, and marks it when it arrived.
set -eu
mode=$1
shift
device=/sys/bus/iio/devices/iio:device0

t=$(echo "scale=1; $(cat $device/in_temp_input) / 1000" | bc)
h=$(echo "scale=1; $(cat $device/in_humidityrelative_input) / 1000" | bc)
json=$(printf '{"temperature":%.1f,"humidity":%.1f}' "$t" "$h")
if [ "$mode" = dry ]; then
    echo "$json"
else
    [ "$mode" != keep ] || id=$(sqlite3 "$STORE" "
        CREATE TABLE IF NOT EXISTS reading (id INTEGER PRIMARY KEY, taken, temperature, humidity, delivered);
        INSERT INTO reading (taken, temperature, humidity) VALUES (unixepoch(), $t, $h); SELECT last_insert_rowid()")
    said=$(echo "$json" | "$@" 2>&1)
    case $said in
        *'[TCP] Connected'*) ;;
        *) exit 69 ;;
    esac
    [ "$mode" != keep ] || sqlite3 "$STORE" "UPDATE reading SET delivered = unixepoch() WHERE id = $id"
fi
logger -p daemon.info -t reader "temperature=$t humidity=$h"
