#!/bin/sh
# Builds with the oldest Rust that Cargo.toml promises, taken from Debian's packages into msrv/, where cargo builds.
set -eu
promised=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
case $(rustc --version) in "rustc $promised."*)
    echo "msrv: this is Rust $promised"
    exit ;;
esac

left_out() {
    echo "msrv: left out: $*" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
}

here=$(realpath -m "${CARGO_TARGET_DIR:-target}/msrv")
root=$here/root
if [ ! -e "$here/$promised" ]; then
    rm -rf "$here"
    mkdir -p "$here"
    # Bookworm has it as rustc-web, later releases as rustc.
    for kind in -web ''; do
        version=$(apt-cache madison "rustc$kind" 2>/dev/null | awk -v want="$promised" '$3 ~ "^" want { print $3; exit }')
        [ -z "$version" ] || break
    done
    [ -n "$version" ] || left_out "apt knows no rustc $promised here"
    (
        cd "$here"
        apt-get -q download "rustc$kind=$version" "libstd-rust$kind-dev=$version" "libstd-rust$kind-$promised=$version"
        dpkg -I libstd-rust*"$promised"_*.deb | grep -o 'libllvm[0-9]*' | head -n 1 | xargs apt-get -q download
        for package in *.deb; do dpkg -x "$package" "$root"; done
        rm -- *.deb
    ) >"$here/log" 2>&1 || left_out "Debian's rustc $promised could not be fetched: see $here/log"
    cat >"$here/rustc" <<END
#!/bin/sh
LD_LIBRARY_PATH=\$(echo '$root'/usr/lib '$root'/usr/lib/*-linux-gnu* '$root'/usr/lib/llvm-*/lib | tr ' ' :) \\
    exec '$root/usr/bin/rustc' --sysroot '$root/usr' "\$@"
END
    chmod +x "$here/rustc"
    touch "$here/$promised"
fi
RUSTC=$here/rustc CARGO_TARGET_DIR=$here/target ${CARGO:-cargo} check --locked --quiet
echo "msrv: builds with $("$here/rustc" --version)"
