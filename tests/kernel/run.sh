#!/bin/sh
# run.sh CASE.sh [LOG]: boots the rig and runs the case in it; its status is the
# case's. With LOG the guest's console goes there, and one line says how it went.
# CPU, when set, is the processor to stay on: changing it takes twice the time.
# Lines at the head of a case say what to boot with, each of them optional:
#
#     # overlay: gpiopin=17,label=attic   one line for each time the overlay is
#                                         applied; "none" for not at all
#     # tree: iio-hwmon.dts               an overlay beside the case, over those
#     # sensors: 4,17                     GPIO lines with a DHT22 on them
#     # kernel: clocksource=jiffies         for the kernel's command line
#     # disks: 4M 64M                     sizes of empty disks, which are /dev/ubda, /dev/ubdb, ...
#
# For the soak: SHARE is a folder of ours that the guest can write to, on its /run/share; DISKS are files that
# are its /dev/ubda and so on; START the time it is booted at, in seconds since the epoch; POWER_CUT after how many
# writes to the disk the power goes off.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")
RIG=$(realpath "${RIG:-$target/rig}")
OVERLAY=${OVERLAY:-$target/overlays/iio-focus-dht22.dtbo}
PROGRAM=${PROGRAM:-$target/release/iio-focus}
STAND_IN=${STAND_IN:-$target/release/examples}
limit=${LIMIT:-60}
case=$(realpath "$1")
log=${2:-}

header() { # NAME DEFAULT
    value=$(sed -n "s/^# $1: *//p" "$case")
    echo "${value:-$2}"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
set --
for parameters in $(header overlay default); do
    case $parameters in
        none) ;;
        default) set -- "$@" "$OVERLAY" ;;
        *) set -- "$@" "$OVERLAY,$parameters" ;;
    esac
done
for source in $(header tree ''); do
    dtc -q -@ -I dts -O dtb -o "$work/$source.dtbo" "$(dirname "$case")/$source"
    set -- "$@" "$work/$source.dtbo"
done
cp "$RIG/board.dtb" "$work/board.dtb"
[ $# -eq 0 ] || "$root/tests/debian/overlay/merge.py" "$RIG/board.dtb" "$work/board.dtb" "$@"

disks=
number=0
for disk in ${DISKS:-$(header disks '')}; do
    if [ ! -f "$disk" ]; then
        truncate -s "$disk" "$work/disk$number"
        disk=$work/disk$number
    fi
    disks="$disks ubd$number=$disk"
    number=$((number + 1))
done

# With time-travel=inf-cpu the guest's clock moves only while everybody sleeps, so
# a guest that spins would stay for ever: hence the limit outside.
boot() {
    # TMPDIR holds the guest's memory: /dev/shm is often mounted noexec in containers.
    # shellcheck disable=SC2046,SC2086
    TMPDIR=$work ${CPU:+taskset -c "$CPU"} timeout --foreground -k 5 "$limit" \
        "$RIG/uml" mem=64M uml_dir="$work/" dtb="$work/board.dtb" \
        root=hostfs rootfstype=hostfs rootflags=/ ro init="$here/guest/init" \
        con=null con0=null,fd:1 time-travel=inf-cpu time-travel-start="${START:-1700000000}000000000" quiet \
        $disks ${POWER_CUT:+power_cut="$POWER_CUT"} ${SHARE:+SHARE="$SHARE"} \
        RIG="$RIG" CASE="$case" SENSORS="$(header sensors 4)" \
        PROGRAM="$PROGRAM" STAND_IN="$STAND_IN" OVERLAY="$OVERLAY" $(header kernel '') </dev/null
}

if [ -z "$log" ]; then
    boot
    exit
fi

begin=$(date +%s%N)
status=0
boot >"$log" 2>&1 || status=$?
wall=$((($(date +%s%N) - begin) / 10000000))
guest=$(sed -n 's/^guest time: //p' "$log" | tr -d '\r')
left_out=$(sed -n 's/^LEFT OUT: /left out: /p' "$log" | tr -d '\r')
verdict=${left_out:-ok}
if [ "$status" -ne 0 ]; then
    reason=$(sed -n 's/^FAILED: //p' "$log" | tr -d '\r' | head -n 1)
    [ "$status" -ne 124 ] || reason="no end within $limit s"
    verdict="FAILED: ${reason:-ended with status $status}; see $log"
fi
printf '%-16s %9s guest %3d.%02d s wall  %s\n' \
    "$(basename "$case" .sh)" "${guest:--}" $((wall / 100)) $((wall % 100)) "$verdict"
exit "$status"
