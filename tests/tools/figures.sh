#!/bin/sh
# figures.sh PROGRAM
# Size, peak memory and instructions of one dry run on a fake tree, each against its limit.
set -eu
program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
device=$work/sys/bus/iio/devices/iio:device0
mkdir -p "$device"
echo 20600 >"$device/in_temp_input"
echo 24400 >"$device/in_humidityrelative_input"
echo dht11@4 >"$device/name"
cp packaging/iio-focus.toml "$work/"
chmod 600 "$work/iio-focus.toml"
set -- "$program" --sysfs "$work/sys" --config "$work/iio-focus.toml" --device dht11@4 --dry-run --log stderr

failed=0
figure() { # NAME VALUE LIMIT UNIT
    verdict=ok
    [ "$2" -le "$3" ] || { verdict=FAILED; failed=1; }
    printf 'figures: %-22s %9d of %9d %s  %s\n' "$1" "$2" "$3" "$4" "$verdict"
}
figure 'size, stripped' "$(stat -c %s "$program")" 716800 bytes
env -i /usr/bin/time -f %M -o "$work/memory" "$@" >/dev/null 2>&1
figure 'peak memory' "$(cat "$work/memory")" 3072 KiB
env -i valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" >/dev/null 2>"$work/callgrind"
figure 'instructions, dry run' "$(sed -n 's/.*Collected : //p' "$work/callgrind")" 800000 ''
exit $failed
