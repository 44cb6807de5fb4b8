#!/bin/sh
# cross.sh TRIPLE...: the program, static, for musl targets such as arm-unknown-linux-musleabihf (ARMv6 with VFPv2, so that
# a Pi Zero W runs it), into target/cross/TRIPLE/release.
#
# The compiler and the source of its standard library are Debian's, of one version, in a folder of their own under
# target/; std is built for each target, and Zig (from PyPI) compiles SQLite and links, with the musl it brings.
set -eu
cd "$(dirname "$0")/../.."
ZIGBUILD=0.24.1 ZIG=0.17.1
here=$PWD/target/cross rust=$PWD/target/cross/rust venv=$PWD/target/cross/venv

[ $# -gt 0 ] || { echo 'usage: cross.sh TRIPLE...' >&2; exit 64; }
[ "$(uname -m)" = x86_64 ] || {
    echo "cross.sh: the packages are built on x86_64, and this is $(uname -m); here, make && sudo make install installs from source" >&2
    exit 1
}
packaging/tools/need.sh dpkg-dev gcc libc6-dev python3 python3-venv

fail() {
    echo "cross.sh: $1: see $here/log" >&2
    exit 1
}

binary() { # PACKAGE VERSION: with the version of its binary, which has +b1 behind if only that was built anew
    apt-cache madison "$1" | awk -v version="$2" '{ v = $3; sub(/\+b[0-9]+$/, "", v) } v == version { print $1 "=" $3; exit }'
}

fetch_rust() { # VERSION; named after rust-web-src, since not every rustc has its source
    [ -n "$1" ]
    rm -rf "$rust"
    mkdir -p "$rust/debs"
    cd "$rust/debs"
    apt-get -q download "rust-web-src=$1" "$(binary rustc-web "$1")" "$(binary libstd-rust-web-dev "$1")"
    std=$(dpkg-deb -f libstd-rust-web-dev_*.deb Depends | grep -o 'libstd-rust-web-[0-9.]*')
    apt-get -q download "$(binary "$std" "$1")"
    dpkg-deb -f "$std"_*.deb Depends | grep -o 'libllvm[0-9]*' | xargs apt-get -q download
    for package in rustc-web libstd libllvm; do
        for file in "$package"*.deb; do dpkg-deb -x "$file" "$rust"; done
    done
    # Of the source only std: the compiler's own is some ten times as much.
    dpkg-deb --fsys-tarfile rust-web-src_*.deb >src.tar
    tar -xf src.tar -C "$rust" --wildcards './usr/src/rustc-*/library'
    mkdir -p "$rust/usr/lib/rustlib/src"
    ln -s "$(echo "$rust"/usr/src/rustc-*)" "$rust/usr/lib/rustlib/src/rust"
    cat >"$rust/rustc" <<END
#!/bin/sh
LD_LIBRARY_PATH='$rust/usr/lib/x86_64-linux-gnu' exec '$rust/usr/bin/rustc' --sysroot '$rust/usr' "\$@"
END
    chmod +x "$rust/rustc"
    "$rust/rustc" --version
    rm -r "$rust/debs"
}

newest() {
    apt-cache madison rust-web-src | awk 'NR == 1 { print $3 }'
}
# This script calls itself so, since "||" would switch "set -e" off in a function.
if [ "$1" = --fetch-rust ]; then
    fetch_rust "$(newest)"
    exit
fi

mkdir -p "$here"
exec 9>"$here/lock"
flock 9

# shellcheck source=packaging/tools/again.sh
. packaging/tools/again.sh
fetched() {
    again packaging/debian/cross.sh --fetch-rust >>"$here/log"
}
fetched_after_update() { # an old list names packages that are gone, or none
    [ "$(id -u)" = 0 ] || return 1
    apt-get -q update >>"$here/log" 2>&1 || true
    fetched
}
# What is there is kept when the packages have become newer: any of them will do.
if ! "$rust/rustc" --version >/dev/null 2>&1; then
    echo "cross: Rust $(newest) from Debian's packages"
    : >"$here/log"
    fetched || fetched_after_update ||
        fail 'rust-web-src, which Debian 12 and 13 have, could not be fetched; if the list of packages is old, run apt-get update'
fi
if [ "$(cat "$venv/stamp" 2>/dev/null)" != "$ZIGBUILD $ZIG" ]; then
    echo "cross: cargo-zigbuild $ZIGBUILD, Zig $ZIG"
    rm -rf "$venv"
    { python3 -m venv "$venv" &&
        "$venv/bin/pip" install -q --disable-pip-version-check "cargo-zigbuild==$ZIGBUILD" "ziglang==$ZIG"
    } >>"$here/log" 2>&1 || fail 'cargo-zigbuild and ziglang could not be installed with pip'
    echo "$ZIGBUILD $ZIG" >"$venv/stamp"
fi

for triple; do
    shift
    set -- "$@" --target "$triple"
done
# RUSTC_BOOTSTRAP: to build std is still an unstable option of cargo. link-self-contained=no: the C library is Zig's.
RUSTC=$rust/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS='-C link-self-contained=no' PATH="$venv/bin:$PATH" \
    CARGO_TARGET_DIR=$here CARGO_ZIGBUILD_CACHE_DIR=$here/zigbuild ZIG_GLOBAL_CACHE_DIR=$here/zig \
    ${CARGO:-cargo} zigbuild --release --locked "$@" -Zbuild-std=std,panic_abort
