#!/bin/sh
# cloud-init.sh: the commands of packaging/cloud-init.yaml, in the order in which cloud-init would run them at the first
# start, in a Debian 13 with the licence where the example says. WhaTap's server for downloads is played too.
set -eu
name=cloud-init
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh debootstrap dpkg-dev systemd-container
suite=trixie
work_folder
pi_root $suite

sed -n '/^runcmd:$/,$s/^  - //p' packaging/cloud-init.yaml >"$debian/root/commands"
[ "$(wc -l <"$debian/root/commands")" -ge 3 ] || fail 'the example has no commands'
cp "$(package amd64)" "$debian/boot/firmware/"
mv "$debian/usr/local/bin/focus" "$debian/srv/"
install tests/debian/guest/wget "$debian/usr/local/bin/"
echo 127.0.0.1 SERVER >>"$debian/etc/hosts"
install -d -m 700 "$debian/etc/credstore"
(umask 077 && echo x0000-cloud-init >"$debian/etc/credstore/iio-focus.license")
start_pi first-start
