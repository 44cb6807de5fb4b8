#!/bin/sh
# Builds the rig into $RIG: a User Mode Linux kernel (about 3 minutes, again only
# when what goes into it changed), the guest's programs and the board's tree.
# LINUX_SOURCE is the kernel's, Debian's linux-source-VERSION.tar.xz. Without it: of the versions that there are patches
# for, the newest that is installed or that apt offers.
# MORE, when set, builds file systems into it that take long to build (more.fragment).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
RIG=${RIG:-${CARGO_TARGET_DIR:-$root/target}/rig}
unset MAKEFLAGS         # those of a make that calls this are not the kernel's

"$root/packaging/tools/need.sh" bc bison device-tree-compiler dosfstools e2fsprogs f2fs-tools flex gcc i2c-tools iproute2 kmod libc6-dev \
    linux-source make patch python3 xz-utils

# Linux, newest first: the versions that there are patches for.
versions=$(ls "$here/patches" | sort -rV)
offered() { # PACKAGE
    [ -n "$(apt-cache show "$1" 2>/dev/null)" ] && "$root/packaging/tools/need.sh" "$1"
}
for version in $versions; do
    [ -z "${LINUX_SOURCE:-}" ] || break
    tarball=/usr/src/linux-source-$version.tar.xz
    [ -e "$tarball" ] || offered "linux-source-$version" || continue
    [ ! -e "$tarball" ] || LINUX_SOURCE=$tarball
done
if [ ! -e "${LINUX_SOURCE:=linux-source-VERSION.tar.xz}" ]; then
    # shellcheck disable=SC2086
    echo "rig: there is no $LINUX_SOURCE; install linux-source of a version with patches:" $versions >&2
    exit 1
fi
version=$(basename "$LINUX_SOURCE" .tar.xz)
version=${version#linux-source-}
for patches in $versions; do    # those of the version, or of the newest before it
    ! dpkg --compare-versions "$patches" le "$version" || break
done

mkdir -p "$RIG"
RIG=$(realpath "$RIG")
exec 9>"$RIG/lock"
flock 9

stamp=$({
    sha256sum <"$LINUX_SOURCE"
    cat "$here/build.sh" "$here/uml.fragment" ${MORE:+"$here/more.fragment"} "$here/patches/$patches"/*.patch "$here/modules"/*.c
} | sha256sum)

build_kernel() {
    tar -xf "$LINUX_SOURCE" -C "$RIG/linux" --strip-components=1
    for patch in "$here/patches/$patches"/*.patch; do
        patch -s -d "$RIG/linux" -p1 <"$patch"
    done
    cp "$here/modules"/*.c "$RIG/linux/drivers/i2c/"
    echo 'obj-m += i2c-chip.o' >>"$RIG/linux/drivers/i2c/Makefile"
    cat "$here/uml.fragment" ${MORE:+"$here/more.fragment"} >"$RIG/linux/fragment"
    make -s -C "$RIG/linux" ARCH=um KCONFIG_ALLCONFIG=fragment allnoconfig
    make -s -C "$RIG/linux" ARCH=um -j"$(nproc)" linux modules
}

if [ "$stamp" != "$(cat "$RIG/kernel.stamp" 2>/dev/null)" ]; then
    echo "rig: building Linux $version, which takes some minutes"
    rm -rf "$RIG/linux" "$RIG/kernel.stamp"
    mkdir "$RIG/linux"
    set +e      # "if" and "||" would switch it off inside, too
    (set -e; build_kernel) >"$RIG/build.log" 2>&1
    status=$?
    set -e
    if [ "$status" -ne 0 ]; then
        tail "$RIG/build.log" >&2
        echo "rig: the kernel was not built; see $RIG/build.log" >&2
        exit 1
    fi
    mv "$RIG/linux/linux" "$RIG/uml"
    mv "$RIG/linux/drivers/i2c/i2c-stub.ko" "$RIG/linux/drivers/i2c/i2c-chip.ko" "$RIG/"
    rm -rf "$RIG/linux"
    echo "$stamp" >"$RIG/kernel.stamp"
fi

make -s -f /dev/null -C "$RIG" VPATH="$here/guest" LDFLAGS=-static \
    CFLAGS='-std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE' dht22 poweroff seed timer
dtc -q -@ -I dts -O dtb -o "$RIG/board.dtb" "$here/board.dts"
