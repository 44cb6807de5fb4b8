#!/bin/sh
# deb.sh ARCH...: the Debian packages for arm64, armhf or amd64, into target/deb. What goes into them is listed in Cargo.toml.
set -eu
cd "$(dirname "$0")/../.."
CARGO_DEB=3.8.0
tools=$PWD/target/tools

triples=
for arch; do
    case $arch in
    arm64) triples="$triples aarch64-unknown-linux-musl" ;;
    armhf) triples="$triples arm-unknown-linux-musleabihf" ;;
    amd64) triples="$triples x86_64-unknown-linux-musl" ;;
    *) echo "deb.sh: $arch is none of arm64, armhf, amd64" >&2; exit 64 ;;
    esac
done
# shellcheck disable=SC2086
packaging/debian/cross.sh $triples

packaging/tools/need.sh xz-utils
if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "cargo-deb $CARGO_DEB" ]; then
    mkdir -p "$tools"
    # Without its default features it calls xz, and needs no library for that. It has little to do: a debug build will do.
    # It wants a newer Rust than this program, so it is built with the one that cross.sh has fetched.
    RUSTC=$PWD/target/cross/rust/rustc CARGO_TARGET_DIR=$tools/build ${CARGO:-cargo} install --quiet --locked --debug --root "$tools" --no-default-features \
        --force "cargo-deb@$CARGO_DEB"
    rm -rf "$tools/build"
fi
for triple in $triples; do
    CARGO_TARGET_DIR=target/cross "$tools/bin/cargo-deb" --quiet --no-build --no-strip --target "$triple" --output target/deb
done
