#!/bin/sh
# Compares each Cargo.lock with the published advisories in advisories.txt, and asks `cargo audit` too where it is installed and has
# its database.
set -eu
list=$(dirname "$0")/advisories.txt
found=0
before() { # VERSION VERSION
    [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}
for lock in Cargo.lock tests/fuzz/Cargo.lock; do
    sed -n 's/^name = "\(.*\)"/\1/p; s/^version = "\(.*\)"/\1/p' "$lock" | paste - - >"${TMPDIR:-/tmp}/advisories.$$"
    trap 'rm -f "${TMPDIR:-/tmp}/advisories.$$"' EXIT
    while IFS='|' read -r crate advisory first fixed what; do
        case $crate in '#'* | except* | '') continue ;; esac
        crate=$(echo $crate) advisory=$(echo $advisory) first=$(echo $first) fixed=$(echo $fixed) what=$(echo $what)
        while read -r name version; do
            [ "$name" = "$crate" ] || continue
            if ! before "$version" "$first" && before "$version" "$fixed"; then
                if grep -q "^except *| *$crate *| *$advisory *| *[^ ]" "$list"; then
                    echo "advisories: $lock: $name $version has $advisory ($what), and a reason to stay"
                else
                    echo "advisories: $lock: $name $version has $advisory: $what; take $fixed or later, or give a reason in $list" >&2
                    found=1
                fi
            fi
        done <"${TMPDIR:-/tmp}/advisories.$$"
    done <"$list"
done
[ $found = 0 ] || exit 1
if cargo audit --version >/dev/null 2>&1 && [ -d "${CARGO_HOME:-$HOME/.cargo}/advisory-db" ]; then
    cargo audit --no-fetch --stale --deny warnings
fi
echo 'advisories: none that is known'
