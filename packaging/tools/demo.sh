#!/bin/sh
# The main job on a machine without a sensor. Sensor and focus are stand-ins, and it says so.
set -eu
work=$(mktemp -d)
listener=
finish() {
    [ -z "$listener" ] || kill "$listener" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
built=$(realpath -m "${CARGO_TARGET_DIR:-target}/release")
device=$work/sys/bus/iio/devices/iio:device0

mkdir -p "$device"
echo kitchen >"$device/label"
echo dht11@4 >"$device/name"
"$built/examples/listener" --tcp 127.0.0.1:0 --tcp-log "$work/arrived" --port-file "$work/port" >/dev/null &
listener=$!
tries=0
until [ -s "$work/port" ]; do
    tries=$((tries + 1))
    [ $tries -le 100 ] || { echo 'demo: the listener did not start' >&2; exit 1; }
    sleep 0.05
done
cat >"$work/iio-focus.toml" <<END
[sensor]
retry-delay = "300ms"
[focus]
program = "$built/examples/focus-stand-in"
license = "x0000-demo-0000"
pcode = 7000
server-host = "127.0.0.1"
server-port = $(sed 's/.*://' "$work/port")
tags = { room = "kitchen" }
[store]
path = "$work/readings.db"
wait-for-clock = "0s"
END
chmod 600 "$work/iio-focus.toml"

measure() { # M°C M%RH
    rm -f "$device/in_temp_input"
    echo "$1" >"$device/in_temp_input"
    echo "$2" >"$device/in_humidityrelative_input"
}
run() {
    echo "\$ iio-focus --device kitchen $*"
    "$built/iio-focus" --sysfs "$work/sys" --config "$work/iio-focus.toml" --device kitchen --log stderr "$@" 2>&1
}

echo 'Three readings, as a timer would take them. The sensor is a folder that looks like IIO sysfs, and focus'
echo 'is a stand-in that keeps to what is known of focus 1.1.5 and connects to a listener on this machine.'
echo
measure 20600 24400
run
measure 20800 24900
run
echo
echo 'The sensor fails: read() says EIO, for real, until the second try is over.'
ln -sf /proc/self/mem "$device/in_temp_input"
run --verbose | while read -r line; do
    case $line in *' focus: '*) continue ;; esac
    echo "$line"
    case $line in *'try 2 of'*) measure 21000 25100 ;; esac
done
echo
echo 'What arrived at the listener:'
sed 's/.*"stdin":"\(.*\)\\n".*/\1/; s/\\"/"/g; s/^/    /' "$work/arrived"
arrived=$(wc -l <"$work/arrived")
[ "$arrived" -eq 3 ] || { echo "demo: $arrived of 3 readings arrived" >&2; exit 1; }
