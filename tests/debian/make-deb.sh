#!/bin/sh
# make-deb.sh: make deb on Debian 13, in a clean clone, for somebody who has git, make and Rust: with Debian's own cargo, and
# the other packages with rustup's. lintian of that release looks at all three, and one is installed there.
set -eu
name=make-deb
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh debootstrap git systemd-container
work_folder
debian=$work/root
debian_root trixie bare "$debian"
git clone -q "$root" "$debian/root/iio-focus"

# How this machine reaches the packages of cargo and pip goes for the root too.
mkdir "$debian/root/.cargo"
cp /etc/ssl/certs/ca-certificates.crt "$debian/root/certificates"
[ ! -e "${CARGO_HOME:-$HOME/.cargo}/config.toml" ] || cp "${CARGO_HOME:-$HOME/.cargo}/config.toml" "$debian/root/.cargo/"
[ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$debian/etc/"
try() { # COMMAND
    systemd-nspawn --quiet --pipe --register=no --keep-unit --machine=iio-focus-make-deb --resolv-conf=replace-host \
        --directory="$debian" --setenv=DEBIAN_FRONTEND=noninteractive --setenv=SSL_CERT_FILE=/root/certificates \
        --setenv=CARGO_HTTP_CAINFO=/root/certificates --setenv=PIP_CERT=/root/certificates \
        sh -c "cd /root/iio-focus && $1" 2>&1 </dev/null
}
in_root() { # COMMAND
    echo "make-deb: $1"
    try "$1" >"$work/said" || fail "$(tail -n 40 "$work/said")"
}
install() { # PACKAGE...
    again try "apt-get -q update && apt-get -q install -y --no-install-recommends $*" >"$work/said" || fail "$(tail -n 40 "$work/said")"
}

install git make cargo
in_root 'cargo --version && make deb ARCH=amd64'
install rustup
in_root 'rustup default stable && cargo --version && CARGO_TARGET_DIR=/root/elsewhere make deb ARCH="arm64 armhf"'
install lintian
in_root 'lintian --allow-root --tag-display-limit 0 --fail-on error,warning target/deb/iio-focus_*.deb'
[ ! -s "$work/said" ] || cat "$work/said"
[ "$(find "$debian/root/iio-focus/target/deb" -name 'iio-focus_*.deb' | wc -l)" = 3 ] || fail 'these are not three packages'
install ./target/deb/iio-focus_*_amd64.deb
in_root 'iio-focus --version'
cat "$work/said"
echo 'make-deb: three packages on Debian 13'
