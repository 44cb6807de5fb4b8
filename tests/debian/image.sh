#!/bin/sh
# image.sh [SUITE]: setup --root, called with the package's own program, on the folder of an image with Raspberry Pi OS's layout
# into which the package was installed; then the image starts, and its timer and its service are as they should be.
set -eu
name=image
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh debootstrap dpkg-dev systemd-container
for_each_suite tests/debian/image.sh "$@"
work_folder
pi_root "$suite"
cp "$(package amd64)" "$debian/package.deb"
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$debian" dpkg -i /package.deb >"$work/said" 2>&1 || fail "$(cat "$work/said")"
# A kernel upgrade that was not triggered: setup puts the overlay where it belongs.
rm -r "$debian/package.deb" "$debian/boot/firmware/overlays"
setup() { # OPTION...: with the licence on standard input, as a script would
    echo "$ sudo iio-focus setup --root IMAGE $*"
    status=0
    echo x0000-image-0000 | "$debian/usr/bin/iio-focus" setup --root "$debian" "$@" >"$work/said" 2>&1 || status=$?
    sed "s|$debian|IMAGE|g" "$work/said"
    [ $status = 0 ] || fail "status $status"
}
setup --license-file - --pcode 12345 --server-host 127.0.0.1 --yes
setup --license-file -
tail -n 1 "$work/said" | grep -qx 'all was set up already: nothing was changed' || fail 'a second call changed something'
start_pi image
