#!/bin/sh
# need.sh PACKAGE...
# Sees to it that these Debian packages are installed: with apt as root or through sudo, else it names them.
set -eu
missing=
for package; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    if ! { sudo -n true || [ -t 0 ]; } 2>/dev/null; then
        echo "missing; as root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
fi
echo "installing:$missing"
log=$(mktemp)
install() { # an old list names packages that are gone, so a second try comes after an update
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y --no-install-recommends $missing >"$log" 2>&1 || {
        cat "$log"
        return 1
    }
}
after_update() { # an index that is not needed here may fail
    $sudo apt-get update || true
    install
}
if ! install >/dev/null; then
    # shellcheck source=packaging/tools/again.sh
    . "$(dirname "$0")/again.sh"
    again after_update >/dev/null || {
        echo "could not install; as root: apt-get install --no-install-recommends$missing (see $log)" >&2
        exit 1
    }
fi
rm -f "$log"
