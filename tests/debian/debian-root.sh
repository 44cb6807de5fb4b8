#!/bin/sh
# debian-root.sh FOLDER SUITE [pi]: unpacked Debian roots of this release to copy, made with debootstrap if they are not
# there: FOLDER/SUITE/bare has no more than a Debian needs, and what makes system users; FOLDER/SUITE/systemd has systemd
# instead, which does that too, D-Bus, ps and sudo; FOLDER/SUITE/pi, if it is asked for, has curl and Python as well,
# as Raspberry Pi OS has.
set -eu
roots=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
# shellcheck source=packaging/tools/again.sh
. packaging/tools/again.sh
suite=$2
kind=systemd
[ "${3:-}" != pi ] || kind=pi
folder=$roots/$suite
fail() {
    echo "debian-root.sh: $1: see $folder/log" >&2
    exit 1
}
[ ! -e "$folder/$kind/etc/debian_version" ] || exit 0
packaging/tools/need.sh debootstrap
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
add() { # ROOT PACKAGE...
    root=$1
    shift
    again chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" >>"$folder/log" ||
        fail "$*"
    chroot "$root" apt-get clean
}
update() { # ROOT
    again chroot "$1" apt-get -q -o APT::Update::Error-Mode=any update >>"$folder/log" || fail 'apt-get update'
}
strap() {
    rm -rf "$folder/new"
    debootstrap --variant=minbase "$suite" "$folder/new"
}
if [ ! -e "$folder/systemd/etc/debian_version" ]; then
    echo "debian-root.sh: making a small Debian, $suite"
    rm -rf "$folder/bare" "$folder/systemd"
    again strap >"$folder/log" || fail debootstrap
    cp /etc/resolv.conf "$folder/new/etc/"
    update "$folder/new"
    cp -a "$folder/new" "$folder/bare"
    add "$folder/bare" systemd-standalone-sysusers
    add "$folder/new" dbus procps sudo systemd systemd-sysv
    mv "$folder/new" "$folder/systemd"
fi
if [ $kind = pi ] && [ ! -e "$folder/pi/etc/debian_version" ]; then
    rm -rf "$folder/new" "$folder/pi"
    cp -a "$folder/systemd" "$folder/new"
    update "$folder/new"
    add "$folder/new" curl python3
    mv "$folder/new" "$folder/pi"
fi
