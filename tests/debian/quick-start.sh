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
pi_root "$suite"

sed -n '/^## Quick start$/,/^## /s/^    \$ //p' README.md >"$debian/root/commands"
count=$(wc -l <"$debian/root/commands")
[ "$count" = 2 ] || fail "the quick start has $count commands, not two"
cp "$(package amd64)" "$debian/root/"
start_pi owner
