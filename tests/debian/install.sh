#!/bin/sh
# install.sh
# What `make install` brings, `make uninstall` takes away; neither builds anything.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
fail() {
    echo "install.sh: $*" >&2
    exit 1
}
quietly() {
    make -s CARGO=false DTC=false DESTDIR="$root" "$@" >/dev/null
}

for prefix in /usr /usr/local; do
    quietly PREFIX=$prefix install
    find "$root" ! -type d -exec md5sum {} + >"$work/sums"
    count=$(wc -l <"$work/sums")
    # All of packaging (but what is for Debian's packages, and tools), built pages for their sources, the program and the overlay.
    expected=$(($(find packaging -type f ! -path 'packaging/debian/*' ! -path 'packaging/tools/*' | wc -l) + 2))
    [ "$count" = "$expected" ] || fail "$count files are installed, not $expected"
    find packaging -type f ! -path 'packaging/debian/*' ! -path 'packaging/tools/*' ! -name '*.scd' | while read -r file; do
        sum=$(md5sum <"$file")
        grep -q "^${sum%% *} " "$work/sums" || fail "$file is not installed"
    done
    [ "$(find "$root" -type f -perm /111)" = "$root$prefix/bin/iio-focus" ] || fail 'wrong files can be executed'
    [ -z "$(find "$root" -type f -perm /022)" ] || fail 'others can write what is installed'

    quietly PREFIX=$prefix uninstall
    left=$(find "$root" ! -type d -o -name iio-focus)
    [ -z "$left" ] || fail "left behind: $left"
    quietly PREFIX=$prefix uninstall
    echo "install.sh: PREFIX=$prefix: $count files came and went"
done
