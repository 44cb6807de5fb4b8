#!/bin/sh
# user.sh: the packages' arm64 and ARMv6 programs on emulated processors, against a fake sysfs and the stand-in for focus.
set -eu
name=user
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh dpkg-dev qemu-user-static
work_folder
start_listener
fake_sensor "$work/sys" dht11@4
echo kitchen >"$device/label"
answers() { # M°C, or nothing: read() then says EIO
    rm -f "$device/in_temp_input"
    if [ $# -gt 0 ]; then echo "$1" >"$device/in_temp_input"; else ln -s /proc/self/mem "$device/in_temp_input"; fi
}
run() { # STATUS PATTERN ARGUMENTS...: as the program's status, and a line of what it printed
    wanted=$1 pattern=$2
    shift 2
    status=0
    # shellcheck disable=SC2086
    timeout 60 $emulator "$program" --sysfs "$work/sys" --config "$work/iio-focus.toml" --log stderr "$@" >"$work/said" 2>&1 || status=$?
    sed "s/^/user: $arch: /" "$work/said"
    [ $status -eq "$wanted" ] || fail "$arch: $*: status $status, not $wanted"
    grep -q "$pattern" "$work/said" || fail "$arch: $*: no line such as '$pattern'"
}

for arch in arm64 armhf; do
    case $arch in
    arm64) emulator='qemu-aarch64-static -cpu cortex-a53' ;;
    armhf) emulator='qemu-arm-static -cpu arm1176' ;;
    esac
    dpkg-deb -x "$(package $arch)" "$work/$arch"
    program=$work/$arch/usr/bin/iio-focus
    (umask 077 && cat >"$work/iio-focus.toml") <<END
[sensor]
retry-delay = "50ms"
[focus]
program = "$stand_ins/focus-stand-in"
license = "x0000-test-0042"
pcode = 7000
server-host = "127.0.0.1"
server-port = $port
[store]
path = "$work/$arch.db"
END
    answers 20600
    run 0 '^{"temperature":20.6,"humidity":24.4}$' --dry-run
    run 0 'temperature=20.6 humidity=24.4 device=kitchen attempts=1 delivered=1 backlog=0'
    answers 20700
    run 0 'temperature=20.7 .* delivered=1 backlog=0'
    answers
    run 74 'EIO 2 times' --attempts 2
done
arrived=$(wc -l <"$work/arrived")
[ "$arrived" -eq 4 ] || fail "$arrived of 4 readings arrived at the listener"

# That this processor is an ARMv6: it does not run what Debian builds for armhf, which is ARMv7.
debian armhf busybox-static
status=0
qemu-arm-static -cpu arm1176 "$kept/debian/armhf/bin/busybox" true 2>/dev/null || status=$?
[ $status -eq 132 ] || fail "an ARMv7 program ends with $status on the emulated ARMv6, not with SIGILL"
qemu-arm-static "$kept/debian/armhf/bin/busybox" true || fail 'and with an error on an ARMv7'
echo 'user: arm64 and ARMv6 passed'
