#!/bin/sh
# soak.sh [--short] [PART...]: a week, a hundred power cuts and ten thousand noisy runs on the rig, or some of each.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
export RIG="${RIG:-$target/rig}" PROGRAM="${PROGRAM:-$target/release/iio-focus}"

if [ "$(uname -m)" != x86_64 ]; then
    echo "soak: left out, since User Mode Linux runs only on x86_64, and this is $(uname -m)"
    exit 0
fi
"$here/build.sh"
"$here/soak.py" "$RIG/soak" "$@"
