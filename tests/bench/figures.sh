#!/bin/sh
# figures.sh PROGRAM
# Size, memory, instructions, fsyncs and bytes written, each against its limit, on a fake tree. Where a reading is
# kept, focus is a program that ends at once.
set -eu
program=$(realpath "$1")
# shellcheck source=tests/bench/tree.sh
. "$(dirname "$0")/tree.sh"

configure() { # FOCUS
    cat >"$work/iio-focus.toml" <<END
[sensor]
device = "dht11@4"
attempts = 10
[focus]
program = "$1"
license = "x0000-test-0000"
pcode = 7000
server-host = "127.0.0.1"
tags = { room = "kitchen" }
confirm = "exit-status"
[store]
path = "$work/store/readings.db"
wait-for-clock = "0s"
END
}
set -- "$program" --sysfs "$work/sys" --config "$work/iio-focus.toml" --log stderr

failed=0
figure() { # NAME VALUE LIMIT UNIT
    verdict=ok
    [ "$2" -le "$3" ] || { verdict=FAILED; failed=1; }
    printf 'figures: %-43s %9d of %9d %-6s %s\n' "$1" "$2" "$3" "$4" "$verdict"
}
instructions() { # COMMAND...
    env -i valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" >/dev/null 2>"$work/callgrind" || true
    sed -n 's/.*Collected : //p' "$work/callgrind"
}
memory() { # COMMAND...
    env -i /usr/bin/time -q -f %M -o "$work/memory" "$@" >/dev/null 2>&1 || true
    cat "$work/memory"
}

figure 'size, stripped' "$(stat -c %s "$program")" 3145728 bytes
configure /bin/true
figure 'dry run: instructions' "$(instructions "$@" --dry-run)" 400000 ''

# The first run makes the store; those after it are as all others.
for _ in 1 2 3; do env -i "$@" >/dev/null 2>&1; done
figure 'kept and delivered: instructions' "$(instructions "$@")" 1300000 ''
figure 'kept and delivered: peak memory' "$(memory "$@")" 6144 KiB
env -i strace -qq -y -e trace=fsync,fdatasync,pwrite64,write -o "$work/trace" "$@" >/dev/null 2>&1
figure 'kept and delivered: fsyncs of the store' "$(grep -c 'sync(.*readings\.db' "$work/trace")" 2 ''
figure 'kept and delivered: bytes to the store' \
    "$(awk '/readings\.db(-wal)?>/ && /write/ { sum += $NF } END { print sum + 0 }' "$work/trace")" 8192 bytes

fastest() { # COMMAND...: of sixty, in µs: storage that others use, too, has its slow moments
    for _ in $(seq 60); do
        begin=$(date +%s%N)
        env -i "$@" >/dev/null 2>&1
        echo $((($(date +%s%N) - begin) / 1000))
    done | sort -n | head -n 1
}
figure 'added to the time of focus, best of 60' $(($(fastest "$@") - $(fastest /bin/true))) 10000 us

# One that fails, so that the backlog stays: how long it is costs something, how much is kept must not.
configure /bin/false
run_after() { # DELIVERED COMMAND...: its instructions with so many delivered readings, and ten thousand that wait
    delivered=$1
    shift
    rm -rf "$work/store"
    env -i "$@" >/dev/null 2>&1 || true
    sqlite3 "$work/store/readings.db" "PRAGMA synchronous = OFF;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $delivered + 10000)
        INSERT INTO reading (id, taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts,
                             delivered_ms, reason, failures, status)
            SELECT 1000 + i, 1000 * (unixepoch() - 1010000 + i), i, 'another boot', 'dht11@4', 20600, 24400, 1,
                   iif(i > $delivered, NULL, 1), NULL, NULL, 0 FROM n;
        INSERT INTO backlog (id) SELECT id FROM reading WHERE id > 1000 + $delivered;" >/dev/null
    env -i "$@" >/dev/null 2>&1 || true
    instructions "$@"
}
few=$(run_after 1000 "$@")
many=$(run_after 1000000 "$@")
figure 'a million readings: instructions of a run' "$many" $((few * 110 / 100)) ''

# The same, a minute apart, as a timer takes them: almost two years.
sqlite3 "$work/store/readings.db" 'PRAGMA synchronous = OFF;
    UPDATE reading SET boot_id = "another boot",
        taken_ms = 1000 * unixepoch() - 60000 * ((SELECT max(id) FROM reading) - id)' >/dev/null
processor_time() { # COMMAND...: least of three, in ms. Status ends with 1, since nothing of this was delivered today.
    for _ in 1 2 3; do
        env -i /usr/bin/time -q -f '%U %S' -o "$work/time" "$@" >/dev/null 2>&1 || [ $? -eq 1 ]
        awk '{ print 1000 * ($1 + $2) }' "$work/time"
    done | sort -n | head -n 1
}
looks() { # NAME COMMAND...
    name=$1
    shift
    figure "a million readings: $name, processor time" "$(processor_time "$@")" 1000 ms
    figure "a million readings: $name, peak memory" "$(memory "$@")" 20480 KiB
}
looks chart "$program" chart --config "$work/iio-focus.toml" --since 2y
looks SVG "$program" chart --config "$work/iio-focus.toml" --since 2y --svg "$work/chart.svg"
looks status "$program" status --config "$work/iio-focus.toml"
looks export "$program" export --config "$work/iio-focus.toml"
exit $failed
