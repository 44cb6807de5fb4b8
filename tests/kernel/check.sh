#!/bin/sh
# check.sh [NAME...]: builds the rig and runs its cases, or those whose names match
# (a pattern such as 'bad-*'), one on each processor. Fails when one of them does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export RIG="${RIG:-${CARGO_TARGET_DIR:-$root/target}/rig}"

if [ "$(uname -m)" != x86_64 ]; then
    echo "rig: left out, since User Mode Linux runs only on x86_64, and this is $(uname -m)"
    exit 0
fi
"$here/build.sh"

[ $# -gt 0 ] || set -- '*'
# shellcheck disable=SC2086
cases=$(cd "$here/cases" && for name; do ls $name.sh; done | sed 's/\.sh$//')
rm -rf "$RIG/log"
mkdir "$RIG/log"

processors=$(python3 -c 'import os; print(*os.sched_getaffinity(0))')
export here processors
echo "$cases" | xargs -P "$(nproc)" --process-slot-var=SLOT -I CASE sh -c '
    set -- $processors
    shift "$SLOT"
    CPU=$1 exec "$here/run.sh" "$here/cases/CASE.sh" "$RIG/log/CASE.log"
' | tee "$RIG/log/summary"

passed=$(grep -c ' ok$' "$RIG/log/summary" || true)
left_out=$(grep -c '  left out: ' "$RIG/log/summary" || true)
failed=$(($(echo "$cases" | wc -l) - passed - left_out))
echo "rig: $passed cases passed, $failed failed, $left_out left out"
[ "$failed" -eq 0 ]
