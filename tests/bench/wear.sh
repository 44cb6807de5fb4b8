#!/bin/sh
# wear.sh PROGRAM STAND-IN [RUNS]
# As root: what one reading writes to a card. An ext4 with the mount options of Raspberry Pi OS (defaults,noatime) on a loop
# device, whose counters (/sys/block/loopN/stat) tell sectors written and flushes. A day of minutes (1,440 runs), each followed
# by what the kernel would write back in the rest of its minute (syncfs). Beside it: a line in a log file, as a script
# writes it, and an insert with sqlite3. The mounts are in a namespace of their own.
set -eu
if [ -z "${WEAR_ROOT:-}" ]; then
    [ "$(id -u)" = 0 ] && [ -e /dev/loop-control ] || {
        echo 'wear: needs root and loop devices' >&2
        [ "${CI:-}" != true ] || exit 1
        exit 0
    }
    WEAR_ROOT=$(mktemp -d)
    export WEAR_ROOT
    status=0
    trap 'rm -rf "$WEAR_ROOT"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    unshare -m --propagation private "$0" "$@" || status=$?
    exit $status
fi
program=$(realpath "$1")
stand_in=$(realpath "$2")
runs=${3:-1440}
card=$WEAR_ROOT/card
device=$WEAR_ROOT/sys/bus/iio/devices/iio:device0
mkdir -p "$card" "$device"
echo 20600 >"$device/in_temp_input"
echo 24400 >"$device/in_humidityrelative_input"
echo dht11@4 >"$device/name"
umask 077
cat >"$WEAR_ROOT/iio-focus.toml" <<END
[focus]
program = "$stand_in"
license = "x0000-test-0000"
pcode = 7000
server-host = "127.0.0.1"
[store]
path = "$card/readings.db"
wait-for-clock = "0s"
END

iio_focus() {
    env -i "$program" --sysfs "$WEAR_ROOT/sys" --config "$WEAR_ROOT/iio-focus.toml" --log stderr 2>/dev/null
}
log_line() {
    echo "$(date '+%F %T') temperature=20.6 humidity=24.4" >>"$card/readings.log"
}
sqlite_insert() {
    sqlite3 "$card/script.db" "CREATE TABLE IF NOT EXISTS reading (taken INTEGER, temperature REAL, humidity REAL);
        INSERT INTO reading VALUES (unixepoch(), 20.6, 24.4)"
}

truncate -s 512M "$WEAR_ROOT/image"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$WEAR_ROOT/image"
loop=$(losetup --find --show "$WEAR_ROOT/image")
trap 'umount "$card" 2>/dev/null; losetup -d "$loop"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mount -o defaults,noatime "$loop" "$card"
counters() {
    awk '{ print $7, $5, $16 }' "/sys/block/${loop#/dev/}/stat"
}
echo "wear: of a run, mean of $runs; a year has 525,600"
for what in iio_focus log_line sqlite_insert; do
    for _ in 1 2 3; do $what; done
    sync -f "$card"
    before=$(counters)
    for _ in $(seq "$runs"); do
        $what
        sync -f "$card"
    done
    echo "$what $runs $before $(counters)" | awk '{
        bytes = 512 * ($6 - $3) / $2
        printf "wear: %-14s %7d bytes, %5.2f writes, %5.2f flushes; a year: %5.1f GB, %5.1f million flushes\n",
            $1, bytes, ($7 - $4) / $2, ($8 - $5) / $2, bytes * 525600 / 1e9, ($8 - $5) / $2 * 0.5256 }'
done
