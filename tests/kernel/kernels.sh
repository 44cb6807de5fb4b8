#!/bin/sh
# kernels.sh [NAME...]: runs the rig's cases, or those whose names match, on each kernel that people run: Debian's
# 6.1 and 6.12, and the newest of its backports. Each has a rig of its own, target/rig-VERSION. apt fetches the
# sources, with lists and a cache in target/kernels: what the machine's apt knows stays as it is. These kernels have more
# file systems than check.sh's.
# MIRROR is where from, when the machine's apt has no Debian mirror to take it from. Fails when a case does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target/kernels"
target=$(realpath "$target")
kernels=$target/kernels

fail() { # REASON
    echo "kernels: $1" >&2
    exit 1
}

if [ "$(uname -m)" != x86_64 ]; then
    echo "kernels: left out, since User Mode Linux runs only on x86_64, and this is $(uname -m)"
    exit 0
fi
# shellcheck disable=SC2016
MIRROR=${MIRROR:-$(apt-get indextargets --no-release-info --format '$(REPO_URI)' | grep -m 1 '/debian/$' || true)}
[ -n "$MIRROR" ] || fail "the machine's apt has no Debian mirror: name one, as in MIRROR=http://…/debian/"

mkdir -p "$kernels/lists/partial" "$kernels/cache/archives/partial"
for suite in bookworm trixie trixie-backports; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR $suite main"
done >"$kernels/sources.list"
# Read after the machine's configuration, of which a proxy is wanted, and what it runs after an update is not.
cat >"$kernels/apt.conf" <<.
Dir::Etc::SourceList "$kernels/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$kernels/lists";
Dir::Cache "$kernels/cache";
APT::Sandbox::User "root";
#clear APT::Update;
.
own_apt() { # PROGRAM ARGUMENT...
    program=$1
    shift
    "$program" -qq -c "$kernels/apt.conf" "$@"
}

fetch() { # VERSION; sets package, source
    package=linux-source-$1
    source=$kernels/$package.tar.xz
    offer=$(own_apt apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p')
    [ -n "$offer" ] || fail "Debian's lists have no $package"
    [ ! -e "$source" ] || [ "$offer" != "$(cat "$source.version")" ] || return 0
    (cd "$kernels/cache/archives" && own_apt apt-get download "$package")
    dpkg-deb --fsys-tarfile "$kernels/cache/archives/$package"_*.deb | tar -xO "./usr/src/$package.tar.xz" >"$source.new"
    rm "$kernels/cache/archives/$package"_*.deb
    mv "$source.new" "$source"
    echo "$offer" >"$source.version"
}

table_line() { # KERNEL PASSED FAILED LEFT_OUT MINUTES
    printf '%-28s %6s %6s %8s %7s\n' "$@" >>"$kernels/table"
}

check() { # VERSION [NAME...]; appends a line to the table
    version=$1
    shift
    fetch "$version"
    echo "kernels: $package $offer"
    rig=$target/rig-$version
    rm -rf "$rig/log"
    begin=$(date +%s)
    MORE=yes RIG=$rig LINUX_SOURCE=$source "$here/check.sh" "$@" || failed="$failed $version"
    minutes=$((($(date +%s) - begin + 30) / 60))
    count() { # PATTERN
        grep -c "$1" "$rig/log/summary" 2>/dev/null || true
    }
    table_line "$offer" "$(count ' ok$')" "$(count 'FAILED: ')" "$(count '  left out: ')" "$minutes"
}

own_apt apt-get update
newest=$(own_apt apt-cache pkgnames linux-source- | sed -n 's/^linux-source-\([0-9.]*\)$/\1/p' | sort -V | tail -n 1)
failed=
: >"$kernels/table"
table_line kernel passed failed 'left out' minutes
for version in 6.1 6.12 "$newest"; do
    check "$version" "$@"
done
cat "$kernels/table"
[ -z "$failed" ] || fail "cases failed, or the kernel was not built, on$failed"
