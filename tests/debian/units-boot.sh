#!/bin/sh
# units-boot.sh PROGRAM STAND_IN
# The units under a real systemd: a small Debian, in a container that has nothing of this machine but its kernel.
# BUILD (target/debian-root) keeps what takes long to make.
set -eu
program=$(realpath "$1")
stand_in=$(realpath "$2")
cd "$(dirname "$0")/../.."
debian=${BUILD:-target/debian-root}
fail() {
    echo "units-boot.sh: $*" >&2
    exit 1
}
leave_out() { # A check that cannot run fails where it has to.
    echo "units-boot.sh: left out: $*" >&2
    [ "${CI:-}" = true ] || exit 0
    exit 1
}
[ "$(id -u)" = 0 ] || leave_out 'a container needs root'

tests/debian/debian-root.sh "$debian"

work=$(mktemp -d "$debian.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$(realpath "$work")/root
cp -a --reflink=auto "$debian/systemd" "$root"
make -s install DESTDIR="$root" PREFIX=/usr OVERLAYDIR=/boot/overlays
install "$program" "$root/usr/bin/iio-focus"
install "$stand_in" "$root/usr/local/bin/focus"
install "${stand_in%/*}/listener" "$root/usr/local/bin/listener"
SYSTEMD_LOG_LEVEL=warning systemd-sysusers --root="$root" iio-focus.conf

# What no container has: a sensor. And what no Pi has: the stand-in's faults.
device=$root/srv/sys/bus/iio/devices/iio:device0
mkdir -p "$device"
echo htu21 >"$device/name"
echo 24400 >"$device/in_humidityrelative_input"
echo 20600 >"$device/in_temp_input"
for unit in iio-focus.service iio-focus@.service; do
    mkdir -p "$root/etc/systemd/system/$unit.d"
    cat >"$root/etc/systemd/system/$unit.d/sensor.conf" <<END
[Service]
EnvironmentFile=-/run/fault
END
    sed -n 's/^ExecStart=.*/ExecStart=\n& --sysfs \/srv\/sys/p' "packaging/$unit" >>"$root/etc/systemd/system/$unit.d/sensor.conf"
done

# Focus is written in Go, and the stand-in is not: another program that is, under the same restrictions.
install "$(command -v promtool)" "$root/usr/local/bin/promtool"
echo 127.0.0.1 localhost >"$root/etc/hosts"
sed 's|^ExecStart=.*|ExecStart=promtool query instant http://localhost:1 up|' packaging/iio-focus.service \
    >"$root/etc/systemd/system/go.service"

install tests/debian/guest/units "$root/usr/local/bin/guest"
cat >"$root/etc/systemd/system/guest.service" <<END
[Unit]
After=basic.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/usr/local/bin/guest
StandardOutput=file:/guest.log
StandardError=inherit
END

container() {
    timeout --kill-after=5 120 systemd-nspawn --quiet --register=no --keep-unit --private-network \
        --machine=iio-focus-test --directory="$root" "$@" >"$work/console" 2>&1 </dev/null
}
container /bin/true || leave_out "no container can be started here: $(tail -n 1 "$work/console")"
container --boot systemd.unit=guest.service || true
if ! grep -qx 'guest: all is well' "$root/guest.log"; then
    tail -n 20 "$work/console" >&2
    cat "$root/guest.log" >&2
    fail 'the units do not do what they should'
fi
sed 's/^guest:/units-boot.sh:/' "$root/guest.log"
