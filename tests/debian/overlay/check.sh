#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh BUILD_DIR OVERLAY.dtbo
#
# Merges the overlay into Raspberry Pi device trees and checks the result, also
# against the kernel's binding. Trees and binding come from Debian's kernel
# source ($LINUX_SOURCE, default: the newest /usr/src/linux-source-*.tar.xz).
# The Pi 5's tree is there since 6.12 and has the RP1, whose GPIOs are those of
# the header, since 6.16: see rp1.sh. Before 6.12 that board is left out.
# BUILD_DIR keeps what takes long to make: first run about half a minute.
set -eu

DTSCHEMA=2025.12
BOARDS='bcm2835-rpi-zero-w bcm2837-rpi-zero-2-w bcm2711-rpi-4-b bcm2712-rpi-5-b'

[ $# -eq 2 ] || { echo 'usage: check.sh BUILD_DIR OVERLAY.dtbo' >&2; exit 64; }
[ -r "$2" ] || { echo "check.sh: no overlay $2" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)
source=${LINUX_SOURCE:-$(find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' | sort -V | tail -n 1)}

missing=0
need() { # what package test...
    what=$1 package=$2; shift 2
    "$@" >/dev/null 2>&1 || { echo "check.sh: $what is missing: apt-get install $package" >&2; missing=1; }
}
need dtc device-tree-compiler command -v dtc
need fdtoverlay device-tree-compiler command -v fdtoverlay
need cpp cpp command -v cpp
need xz xz-utils command -v xz
need 'the kernel source' linux-source test -r "$source"
need python3 python3 command -v python3
# dtschema needs pylibfdt, which pip compiles.
need venv python3-venv python3 -c 'import ensurepip, venv'
need gcc gcc command -v gcc
need Python.h python3-dev python3 -c 'import sysconfig; open(sysconfig.get_path("include") + "/Python.h")'
[ $missing -eq 0 ] || exit 1

pi=$build/pi
stamp="$BOARDS $(stat -c '%n %s %Y' "$source" "$here/rp1.sh")"
if [ "$(cat "$pi/stamp" 2>/dev/null)" != "$stamp" ]; then
    echo "Raspberry Pi trees from ${source##*/}"
    rm -rf "$pi"
    mkdir -p "$pi/linux" "$pi/schema"
    # Since 6.5 the sources are in a folder broadcom/; the pattern fits both.
    tar -xJf "$source" -C "$pi/linux" --strip-components=1 --wildcards \
        '*/arch/arm/boot/dts/*bcm2*' '*/arch/arm64/boot/dts/broadcom/*' '*/include/dt-bindings' \
        '*/Documentation/devicetree/bindings/iio/humidity/dht11.yaml'
    cp "$pi/linux/Documentation/devicetree/bindings/iio/humidity/dht11.yaml" "$pi/schema"
    for board in $BOARDS; do
        # The boards of 32 bits are in both folders, and in that for arm64 they include the others.
        dts=$(find "$pi/linux/arch/arm" "$pi/linux/arch/arm64" -name "$board.dts" | head -n 1)
        [ -n "$dts" ] || continue
        cpp -nostdinc -undef -D__DTS__ -x assembler-with-cpp -I "$pi/linux/include" "$dts" "$pi/$board.dts"
        case $board in bcm2712-*) "$here/rp1.sh" "$pi/$board.dts" ;; esac
        dtc -q -@ -I dts -O dtb -o "$pi/$board.dtb" "$pi/$board.dts"
    done
    rm -rf "$pi/linux"
    echo "$stamp" > "$pi/stamp"
fi

venv=$build/venv
# Asking dt-validate itself also finds a venv that was moved or lost its Python.
if [ "$("$venv/bin/dt-validate" --version 2>/dev/null)" != "$DTSCHEMA" ]; then
    echo "dtschema $DTSCHEMA"
    rm -rf "$venv"
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check "dtschema==$DTSCHEMA"; } \
            >"$build/venv.log" 2>&1; then
        echo "check.sh: dtschema $DTSCHEMA could not be installed with pip: see $build/venv.log" >&2
        exit 1
    fi
fi

overlay=$2 work=$build/work
rm -rf "$work"
mkdir "$work"
set --
for board in $BOARDS; do
    if [ -e "$pi/$board.dtb" ]; then
        set -- "$@" "$pi/$board.dtb"
    else
        echo "overlay: left out: $board, which ${source##*/} does not have" >&2
    fi
done
if python3 "$here/check.py" "$overlay" "$work" "$venv/bin/dt-validate" "$pi/schema" "$@"; then
    echo 'overlay: all checks passed'
else
    echo 'overlay: checks failed, see above' >&2
    exit 1
fi
