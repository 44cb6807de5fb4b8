# shellcheck shell=sh
# Sourced. A mirror that is in the middle of an update has an index that does not fit its files, for some minutes at most.

# Does it again after a pause while a mirror is in that state. Every other failure is one at once.
again() { # COMMAND...
    for pause in ${AGAIN_PAUSES:-5 30 90 180} end; do
        again_status=0
        again_said=$("$@" 2>&1) || again_status=$?
        printf '%s\n' "$again_said"
        [ $again_status != 0 ] && [ "$pause" != end ] || return $again_status
        case $again_said in
        *'unexpected size'* | *'Hash Sum mismatch'* | *'Mirror sync in progress'* | *"Couldn't download"*) sleep "$pause" ;;
        *) return $again_status ;;
        esac
    done
}
