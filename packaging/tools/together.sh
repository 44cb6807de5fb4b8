#!/bin/sh
# together.sh 'TARGET...' 'TARGET...'
# Makes the targets of both lists, one list beside the other: what compiles uses one processor for a good part of its time. What the
# second list prints comes when the first one is done.
set -eu
log=$(mktemp)
# shellcheck disable=SC2086
${MAKE:-make} --no-print-directory $2 >"$log" 2>&1 &
second=$!
trap 'kill $second 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
status=0
# shellcheck disable=SC2086
${MAKE:-make} --no-print-directory $1 || status=$?
[ $status -eq 0 ] || exit $status
wait $second || status=$?
cat "$log"
exit $status
