#!/bin/sh
# quick-start.sh [SUITE]: what the README's quick start says, command by command as it stands there, typed on a terminal of
# a Debian that has nothing but systemd and sudo; then the log is read, setup is called again, and the package is purged.
# focus and WhaTap's server are stand-ins, and so is the firmware's dtoverlay: if config.txt has the overlay and the overlay
# is in its folder, there is a sensor.
set -eu
name=quick-start
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh debootstrap dpkg-dev systemd-container
for_each_suite tests/debian/quick-start.sh "$@"
work_folder
debian=$work/root
debian_root "$suite" systemd "$debian"

sed -n '/^## Quick start$/,/^## /s/^    \$ //p' README.md >"$debian/root/commands"
count=$(wc -l <"$debian/root/commands")
[ "$count" = 2 ] || fail "the quick start has $count commands, not two"
cp "$(package amd64)" "$debian/root/"
for program in focus-stand-in listener; do install "$stand_ins/$program" "$debian/usr/local/bin/"; done
mv "$debian/usr/local/bin/focus-stand-in" "$debian/usr/local/bin/focus"
echo raspberrypi >"$debian/etc/hostname"
echo 127.0.0.1 localhost raspberrypi >"$debian/etc/hosts"
mkdir -p "$debian/boot/firmware/overlays"
printf 'arm_64bit=1\n\n[cm4]\notg_mode=1\n' >"$debian/boot/firmware/config.txt"

install tests/debian/guest/dtoverlay tests/debian/guest/owner "$debian/usr/local/bin/"
cat >"$debian/etc/systemd/system/owner.service" <<END
[Unit]
After=multi-user.target
FailureAction=exit
SuccessAction=exit
[Service]
Type=oneshot
Environment=HOME=/root DEBIAN_FRONTEND=noninteractive
WorkingDirectory=/root
ExecStart=/usr/local/bin/owner
StandardOutput=append:/owner.log
StandardError=inherit
END
mkdir -p "$debian/etc/systemd/system/multi-user.target.wants"
ln -s ../owner.service "$debian/etc/systemd/system/multi-user.target.wants/"

timeout --kill-after=5 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --machine=iio-focus-quick-start \
    --directory="$debian" --boot >"$work/console" 2>&1 </dev/null || true
[ -e "$debian/owner.log" ] || { tail "$work/console" >&2; fail 'no container could be started'; }
tr -s '\r\n' '\n' <"$debian/owner.log" | grep -v '^(Reading database' | sed "s/^/$name ($suite): /"
grep -qx 'all is well' "$debian/owner.log" || {
    tail -n 20 "$work/console" >&2
    fail 'the quick start does not do what it says'
}
