#!/bin/sh
# changelog.sh: prints the one entry that Debian's tools need. What changed is in CHANGELOG.md, which is in the package too.
set -eu
cd "$(dirname "$0")/../.."
field() { # NAME
    sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml
}
version=$(field version)
cat <<END
iio-focus ($version-1) unstable; urgency=medium

  * Version $version: see changelog.gz.

 -- $(field maintainer)  $(date -R -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y CHANGELOG.md)}")
END
