#!/bin/sh
# quick-start.sh [SUITE]: what the README's quick start says, command by command as it stands there, typed on a terminal of
# a Debian that has little but systemd, sudo, curl and Python; then the log is read, setup is called again, and the
# package is purged. focus, WhaTap's server and its Open API at https://api.whatap.io are stand-ins, and so is the firmware's
# dtoverlay: if config.txt has the overlay and the overlay is in its folder, there is a sensor.
set -eu
name=quick-start
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh debootstrap dpkg-dev openssl systemd-container
for_each_suite tests/debian/quick-start.sh "$@"
work_folder
pi_root "$suite"

sed -n '/^## Quick start$/,/^## /s/^    \$ //p' README.md >"$debian/root/commands"
count=$(wc -l <"$debian/root/commands")
[ "$count" = 2 ] || fail "the quick start has $count commands, not two"
cp "$(package amd64)" "$debian/root/"

# The only certificate that curl trusts there.
install -m 755 tests/stand-in/open-api.py "$debian/usr/local/bin/open-api"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=api.whatap.io \
    -addext subjectAltName=DNS:api.whatap.io -keyout "$work/key" -out "$work/certificate" 2>"$work/openssl" ||
    fail "openssl: $(cat "$work/openssl")"
cat "$work/certificate" "$work/key" >"$debian/root/server.pem"
mkdir -p "$debian/etc/ssl/certs"
cp "$work/certificate" "$debian/etc/ssl/certs/ca-certificates.crt"
echo 127.0.0.1 api.whatap.io >>"$debian/etc/hosts"
start_pi owner
