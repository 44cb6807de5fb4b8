#!/bin/sh
# packaged.sh WORK: what the packaged arm64 and ARMv6 programs are measured with, into WORK/packaged: the programs out of the
# packages, the floor in C, static with musl by the same compiler and with the same SQLite, Debian's sh and Python for that
# architecture, and the plugin that counts (count.c). SQLITE has its header, for the floor.
set -eu
name=bench
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$1/packaged
KEPT=$work
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
mkdir -p "$work"
rm -f "$work/ready"
cross=$root/target/cross
for arch in arm64 armhf; do
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
    [ -e "target/deb/iio-focus_$version-1_$arch.deb" ] || fail "no package for $arch: make deb makes it, from packages that it fetches"
done
packaging/tools/need.sh dpkg-dev gcc libc6-dev python3 qemu-user strace

# Debian 13 links it statically, so that it takes no plugins.
qemu-aarch64 --help | grep -q '^-plugin' || fail 'this qemu-user takes no plugins; that of Debian 12 does'
gcc -O2 -Wall -Wextra -shared -fPIC -fvisibility=hidden -D_GNU_SOURCE -o "$work/count.so" tests/bench/count.c

floor() { # NAME TRIPLE OPTION...
    out=$work/$1
    triple=$2
    shift 2
    # The newest: of the build that the package is from.
    # shellcheck disable=SC2012
    library=$(ls -t "$cross/$triple"/release/build/libsqlite3-sys-*/out/libsqlite3.a | head -n 1)
    set -- -O2 -static -s -Wall -Wextra -Wno-unused-result -D_GNU_SOURCE "$@" tests/bench/contenders/floor.c
    export ZIG_GLOBAL_CACHE_DIR="$cross/zig"
    "$cross/venv/bin/python3" -m ziglang cc "$@" -o "$out/floor"
    "$cross/venv/bin/python3" -m ziglang cc -DKEEP -I"$SQLITE" "$@" "$library" -o "$out/floor-keep"
}
# The interpreter of this machine's release: its module with SQLite is in a package of that name.
python=$(basename "$(realpath /usr/bin/python3)")
for arch in arm64 armhf; do
    rm -rf "${work:?}/$arch"
    dpkg-deb -x "$(package $arch)" "$work/$arch"
    debian $arch +dash +coreutils +bc +bsdutils +sqlite3 +python3-minimal "+lib$python-stdlib" +libc-bin
    tree=$work/debian/$arch
    # What a Debian that was installed has, and packages that were only unpacked have not.
    for folder in bin lib sbin; do [ -e "$tree/$folder" ] || ln -s "usr/$folder" "$tree/$folder"; done
    [ -e "$tree/bin/sh" ] || ln -s dash "$tree/bin/sh"
    [ -e "$tree/usr/bin/python3" ] || ln -s "$python" "$tree/usr/bin/python3"
    case $arch in
    arm64) emulator=qemu-aarch64 ;;
    armhf) emulator=qemu-arm ;;
    esac
    $emulator -L "$tree" "$tree/sbin/ldconfig" -r "$tree" || fail "no cache of the libraries for $arch"
done
# As cargo-zigbuild calls the compiler for these targets.
floor arm64 aarch64-unknown-linux-musl -target aarch64-linux-musl
floor armhf arm-unknown-linux-musleabihf -target arm-linux-musleabihf -mcpu=generic+v6+strict_align+vfp2-d32
touch "$work/ready"
