#!/bin/sh
# debian-root.sh FOLDER SUITE: unpacked Debian roots of this release to copy, made with debootstrap if they are not there:
# FOLDER/SUITE/bare has no more than a Debian needs, and what makes system users; FOLDER/SUITE/systemd has systemd
# instead, which does that too, D-Bus, ps and sudo.
set -eu
suite=$2
folder=$1/$suite
fail() {
    echo "debian-root.sh: $1: see $folder/log" >&2
    exit 1
}
[ ! -e "$folder/systemd/etc/debian_version" ] || exit 0
"$(dirname "$0")/../../packaging/tools/need.sh" debootstrap
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
[ ! -e "$folder/systemd/etc/debian_version" ] || exit 0
echo "debian-root.sh: making a small Debian, $suite"
rm -rf "$folder/new" "$folder/bare" "$folder/systemd"
debootstrap --variant=minbase "$suite" "$folder/new" >"$folder/log" 2>&1 || fail debootstrap
cp /etc/resolv.conf "$folder/new/etc/"
add() { # ROOT PACKAGE...
    root=$1
    shift
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@" >>"$folder/log" 2>&1 ||
        fail "$*"
    chroot "$root" apt-get clean
}
# A mirror can be in the middle of an update.
for pause in 5 30 90 180 end; do
    if chroot "$folder/new" apt-get -q -o APT::Update::Error-Mode=any update >>"$folder/log" 2>&1; then break; fi
    [ $pause != end ] || fail 'apt-get update'
    sleep $pause
done
cp -a "$folder/new" "$folder/bare"
add "$folder/bare" systemd-standalone-sysusers
add "$folder/new" dbus procps sudo systemd systemd-sysv
mv "$folder/new" "$folder/systemd"
