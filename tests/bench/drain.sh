#!/bin/sh
# drain.sh PROGRAM STAND-IN WAITING [RUNS]
# How many runs it takes until a backlog of so many readings is gone, with a focus that takes 1 s and 30 MB
# (contenders/stand-in.c). The runs follow each other at once; with one a minute, each of them is a minute. After RUNS it
# ends, and tells what is left.
set -eu
program=$(realpath "$1")
waiting=$3
runs=${4:-1000}
# shellcheck source=tests/bench/tree.sh
. "$(dirname "$0")/tree.sh"
cat >"$work/iio-focus.toml" <<END
[focus]
program = "$(realpath "$2")"
license = "x0000-test-0000"
pcode = 7000
server-host = "127.0.0.1"
[store]
path = "$work/store/readings.db"
backlog = 100000
wait-for-clock = "0s"
END
run() { # NAP
    env -i NAP="$1" MEMORY=30000000 "$program" --sysfs "$work/sys" --config "$work/iio-focus.toml" --log stderr 2>&1
}
run 0 >/dev/null
sqlite3 "$work/store/readings.db" "PRAGMA synchronous = OFF;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $waiting)
    INSERT INTO reading (id, taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts, status)
        SELECT 1 + i, 60000 * i, i, 'another boot', 'dht11@4', 20600, 24400, 1, 69 FROM n;
    INSERT INTO backlog (id) SELECT id FROM reading WHERE id > 1" >/dev/null
for number in $(seq "$runs"); do
    begun=$(date +%s)
    line=$(run 1000000 | grep ' delivered=')
    echo "drain: $waiting waiting, run $number, $(($(date +%s) - begun)) s: ${line##*attempts=1 }"
    case $line in *backlog=0) break ;; esac
done
