#!/bin/sh
# bench.sh [--quick]: this program beside what else does the job, on the same work. Writes RESULTS.md and its
# pictures. "--quick" shows in seconds that all of it works: each contender does its work a few times, no
# time is asserted, and what comes out goes to bench/ where cargo builds.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")
export CARGO_TARGET_DIR="$target"
work=$target/bench
quick=
[ "${1:-}" != --quick ] || quick=1
mkdir -p "$work/bin"
cd "$root"

packaging/tools/need.sh bc bsdutils e2fsprogs gcc libc6-dev python3 sqlite3 strace time util-linux valgrind
for source in "$here/stopwatch.c" "$here/contenders/floor.c" "$here/contenders/in-place.c" "$here/contenders/stand-in.c"; do
    gcc -O2 -static -Wall -Wextra -D_GNU_SOURCE -o "$work/bin/$(basename "$source" .c)" "$source"
done
# With the SQLite that the program has.
SQLITE=$(${CARGO:-cargo} metadata --format-version 1 --locked | python3 -c 'import json, os, sys
print(*[os.path.dirname(package["manifest_path"]) for package in json.load(sys.stdin)["packages"]
        if package["name"] == "libsqlite3-sys"])')/sqlite3
export SQLITE
with_sqlite() { # NAME SOURCE OPTION...
    out=$work/bin/$1
    source=$here/contenders/$2
    shift 2
    # shellcheck disable=SC2012
    gcc -O2 -static -Wall -Wextra -D_GNU_SOURCE -I"$SQLITE" "$@" -o "$out" "$source" \
        "$(ls -t "$target"/release/build/libsqlite3-sys-*/out/libsqlite3.a | head -n 1)" -lm
}
with_sqlite floor-keep floor.c -DKEEP
rm -f "$work/bin/variants"
[ -n "$quick" ] || with_sqlite variants variants.c -Wl,--wrap=fsync,--wrap=fdatasync
# As the program is built: see [profile.release] in Cargo.toml.
rustc --edition 2024 -C opt-level=s -C lto -C codegen-units=1 -C panic=abort -C strip=symbols \
    -o "$work/bin/std" "$here/contenders/std.rs"

if [ -z "$quick" ]; then
    packaging/tools/need.sh libcap2 libiio-utils python3-venv
    # Unpacked, not installed: that would start them.
    if [ ! -e "$work/root/usr/bin/prometheus-node-exporter" ] || [ ! -e "$work/root/usr/sbin/collectd" ]; then
        rm -rf "$work/debs"
        mkdir -p "$work/debs"
        (cd "$work/debs" && apt-get -q download prometheus-node-exporter collectd-core) >"$work/debs.log" 2>&1 ||
            { echo "bench: could not fetch node_exporter and collectd: see $work/debs.log" >&2; exit 1; }
        for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/root"; done
    fi
    if [ ! -e "$work/venv/ready" ]; then
        /usr/bin/python3 -m venv --clear "$work/venv"
        "$work/venv/bin/pip" install -q --disable-pip-version-check adafruit-circuitpython-dht==4.0.12
        touch "$work/venv/ready"
    fi
    "$here/packaged.sh" "$work" || echo 'bench: the packaged programs are left out' >&2
    # Both sleep most of the time: a run has 50 s, in which a focus takes 1 s.
    for waiting in 2880 10080; do
        "$here/drain.sh" "$target/release/iio-focus" "$work/bin/stand-in" $waiting 3 >"$work/drain-$waiting" &
    done
    wait
    # Bytes, not times: the rig may run meanwhile.
    "$here/wear.py" "$target/release/iio-focus" "$work/bin" "$work/wear.json" &
    "$here/rig.py" "$work"
    wait
else
    "$here/wear.py" "$target/release/iio-focus" "$work/bin" "$work/wear.json" 2
fi

# The mounts are seen by nobody else.
user=
[ "$(id -u)" = 0 ] || user=-Ur
unshare $user -m --propagation private "$here/bench.py" "$work" ${quick:+--quick}
