# shellcheck shell=sh
# Sourced. $work: a folder that is removed at the end. In it, sys: a fake sysfs with one sensor.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
device=$work/sys/bus/iio/devices/iio:device0
mkdir -p "$device"
echo 20600 >"$device/in_temp_input"
echo 24400 >"$device/in_humidityrelative_input"
echo dht11@4 >"$device/name"
umask 077
