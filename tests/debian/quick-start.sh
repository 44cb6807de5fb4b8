#!/bin/sh
# quick-start.sh: what the README's quick start says, command by command as it stands there, typed into a Debian that has
# nothing but systemd and sudo; then the log is read, and the package purged. focus and WhaTap's server are stand-ins, and so is
# the firmware: if config.txt has the overlay and the overlay is in its folder, there is a sensor after the restart.
set -eu
name=quick-start
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh debootstrap dpkg-dev systemd-container
work_folder
debian=$work/root
debian_root systemd "$debian"

sed -n '/^## Quick start$/,/^## /s/^    \$ //p' README.md >"$debian/root/commands"
count=$(wc -l <"$debian/root/commands")
case $count in [1-5]) ;; *) fail "the quick start has $count commands, not one to five" ;; esac
cp "$(package amd64)" "$debian/root/"
for program in focus-stand-in listener; do install "$stand_ins/$program" "$debian/usr/local/bin/"; done
mv "$debian/usr/local/bin/focus-stand-in" "$debian/usr/local/bin/focus"
echo raspberrypi >"$debian/etc/hostname"
echo 127.0.0.1 localhost raspberrypi >"$debian/etc/hosts"
mkdir -p "$debian/boot/firmware/overlays"
echo 'arm_64bit=1' >"$debian/boot/firmware/config.txt"

install tests/debian/guest/firmware tests/debian/guest/owner "$debian/usr/local/bin/"
cat >"$debian/etc/systemd/system/firmware.service" <<END
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/usr/local/bin/firmware
END
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
mkdir -p "$debian/etc/systemd/system/multi-user.target.wants" "$debian/etc/systemd/system/sysinit.target.wants"
ln -s ../owner.service "$debian/etc/systemd/system/multi-user.target.wants/"
ln -s ../firmware.service "$debian/etc/systemd/system/sysinit.target.wants/"

# A restart is played by systemd-nspawn itself, or ends it where /run is not a tmpfs.
for _ in first second; do
    timeout --kill-after=5 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --machine=iio-focus-quick-start \
        --directory="$debian" --boot >"$work/console" 2>&1 </dev/null || true
    [ -e "$debian/owner.log" ] || { tail "$work/console" >&2; fail 'no container could be started'; }
    ! grep -q -e '^all is well' -e '^FAILED' "$debian/owner.log" || break
done
tr -s '\r\n' '\n' <"$debian/owner.log" | grep -v '^(Reading database' | sed "s/^/$name: /"
grep -qx 'all is well' "$debian/owner.log" || {
    tail -n 20 "$work/console" >&2
    fail 'the quick start does not do what it says'
}
