#!/bin/sh
# install.sh
# What `make install` brings, `make uninstall` takes away; neither builds anything.
set -eu
name=install
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
work_folder
tree=$work/root
quietly() {
    make -s CARGO=false DTC=false DESTDIR="$tree" "$@" >/dev/null
}

for prefix in /usr /usr/local; do
    quietly PREFIX=$prefix install
    find "$tree" ! -type d -exec md5sum {} + >"$work/sums"
    count=$(wc -l <"$work/sums")
    # All of packaging (but what is for Debian's packages, and tools), built pages for their sources, the program and the overlay.
    expected=$(($(find packaging -type f ! -path 'packaging/debian/*' ! -path 'packaging/tools/*' | wc -l) + 2))
    [ "$count" = "$expected" ] || fail "$count files are installed, not $expected"
    find packaging -type f ! -path 'packaging/debian/*' ! -path 'packaging/tools/*' ! -name '*.scd' | while read -r file; do
        sum=$(md5sum <"$file")
        grep -q "^${sum%% *} " "$work/sums" || fail "$file is not installed"
    done
    [ "$(find "$tree" -type f -perm /111)" = "$tree$prefix/bin/iio-focus" ] || fail 'wrong files can be executed'
    [ -z "$(find "$tree" -type f -perm /022)" ] || fail 'others can write what is installed'

    quietly PREFIX=$prefix uninstall
    left=$(find "$tree" ! -type d -o -name iio-focus)
    [ -z "$left" ] || fail "left behind: $left"
    quietly PREFIX=$prefix uninstall
    echo "$name: PREFIX=$prefix: $count files came and went"
done
