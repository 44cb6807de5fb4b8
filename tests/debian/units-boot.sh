#!/bin/sh
# units-boot.sh [SUITE]: the units under a real systemd: a small Debian, in a container that has nothing of this machine but its kernel.
set -eu
name=units-boot
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
[ "$(id -u)" = 0 ] || leave_out 'a container needs root'
for_each_suite tests/debian/units-boot.sh "$@"
work_folder
debian=$work/root
debian_root "$suite" systemd "$debian"
make -s install DESTDIR="$debian" PREFIX=/usr OVERLAYDIR=/boot/overlays
install "$program" "$debian/usr/bin/iio-focus"
install "$stand_ins/focus-stand-in" "$debian/usr/local/bin/focus"
install "$stand_ins/listener" "$debian/usr/local/bin/listener"
SYSTEMD_LOG_LEVEL=warning systemd-sysusers --root="$debian" iio-focus.conf

# What no container has: a sensor. And what no Pi has: the stand-in's faults.
fake_sensor "$debian/srv/sys" htu21
for unit in iio-focus.service iio-focus@.service; do
    mkdir -p "$debian/etc/systemd/system/$unit.d"
    cat >"$debian/etc/systemd/system/$unit.d/sensor.conf" <<END
[Service]
EnvironmentFile=-/run/fault
END
    sed -n 's/^ExecStart=.*/ExecStart=\n& --sysfs \/srv\/sys/p' "packaging/$unit" >>"$debian/etc/systemd/system/$unit.d/sensor.conf"
done

# Focus is written in Go, and the stand-in is not: another program that is, under the same restrictions.
install "$(command -v promtool)" "$debian/usr/local/bin/promtool"
echo 127.0.0.1 localhost >"$debian/etc/hosts"
sed 's|^ExecStart=.*|ExecStart=promtool query instant http://localhost:1 up|' packaging/iio-focus.service \
    >"$debian/etc/systemd/system/go.service"

install tests/debian/guest/units "$debian/usr/local/bin/guest"
cat >"$debian/etc/systemd/system/guest.service" <<END
[Unit]
After=basic.target dbus.service
Wants=dbus.service
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
        --machine=iio-focus-test --directory="$debian" "$@" >"$work/console" 2>&1 </dev/null
}
container /bin/true || leave_out "no container can be started here: $(tail -n 1 "$work/console")"
container --boot systemd.unit=guest.service || true
if ! grep -qx 'guest: all is well' "$debian/guest.log"; then
    tail -n 20 "$work/console" >&2
    cat "$debian/guest.log" >&2
    fail 'the units do not do what they should'
fi
sed "s/^guest:/units-boot ($suite):/" "$debian/guest.log"
