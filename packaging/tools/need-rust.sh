#!/bin/sh
# need-rust.sh: sees that there is a cargo which is new enough for Cargo.toml, or says in one line what is needed.
set -eu
needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../../Cargo.toml")
how="Rust $needed or later is needed: apt-get install cargo on Debian 13, else https://rustup.rs"
command -v "${CARGO:-cargo}" >/dev/null || {
    echo "there is no cargo; $how" >&2
    exit 1
}
found=$("${CARGO:-cargo}" --version 2>&1) || {
    echo "cargo cannot be used ($(echo "$found" | head -n 1)); $how" >&2
    exit 1
}
version=${found#cargo }
version=${version%% *}
[ "$(printf '%s\n' "$needed" "$version" | sort -V | head -n 1)" = "$needed" ] || {
    echo "cargo $version is too old; $how" >&2
    exit 1
}
