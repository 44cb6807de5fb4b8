# shellcheck shell=sh disable=SC2086
# For cases of a file system that is full, at each block that a run could still use. What a case calls is at the end.
. "$(dirname "$CASE")/../lib.sh"

card=/run/card
store=$card/readings.db
mkdir $card /run/sysfs

fake=/run/sysfs/bus/iio/devices/iio:device0
mkdir -p $fake
echo fake >$fake/name
echo 23400 >$fake/in_temp_input
echo 45600 >$fake/in_humidityrelative_input
printf '%s\n' >/run/card.toml \
    '[focus]' \
    "program = '$STAND_IN/focus-stand-in'" \
    'license = "x0000-rig-0000"' \
    'pcode = 7000' \
    'server-host = "127.0.0.1"' \
    'category = "sensor"' \
    '[store]' \
    "path = '$store'" \
    'wait-for-clock = "0s"'

program() { # [ARGUMENT...]
    status=0
    "$PROGRAM" --config /run/card.toml "$@" </dev/null >/run/out 2>/run/err || status=$?
}

# Takes most of the card, once.
fill_most() {
    dd if=/dev/zero of=$card/most bs=64K 2>/dev/null || true
    sync
    truncate -s $(($(wc -c <$card/most) - 256 * 1024)) $card/most
    sync
}

# Fills the card but for so many blocks.
fill() { # BLOCK BUT
    dd if=/dev/zero of=$card/filler bs=4K 2>/dev/null || true
    dd if=/dev/zero of=$card/filler bs="$1" oflag=append conv=notrunc 2>/dev/null || true
    sync
    size=$(($(wc -c <$card/filler) - $1 * $2))
    [ $size -gt 0 ] || size=0
    truncate -s $size $card/filler 2>/dev/null || {
        # One that writes each block to another place needs some to free others.
        rm $card/filler
        dd if=/dev/zero of=$card/filler bs="$1" count=$((size / $1)) 2>/dev/null || true
    }
    sync
}

# The reading arrives. If it could not be kept, one line says that there is no space, and what to do.
arrives() { # WHAT
    warnings=0 delivered=
    while read -r line; do
        case $line in
            *"no space is left on its file system"*"; delete what is not needed there: df "*)
                warnings=$((warnings + 1)) ;;
            *delivered=*) delivered=$line ;;
            *) fail "$1: $line" ;;
        esac
    done </run/err
    [ $status -eq 0 ] || fail "$1: exit status $status"
    case $warnings$delivered in
        0*backlog=[0-9]*) ;;
        1*backlog=unknown*) not_kept=$((not_kept + 1)) ;;
        *) fail "$1: $warnings warnings with this: $delivered" ;;
    esac
}

# A run, and one who only looks, with each number of blocks free: from none to so many, a step apart.
full_at() { # BLOCK MOST STEP fresh|kept
    free=0
    while [ $free -le "$2" ]; do
        what="$free blocks of $1 bytes free, $4"
        rm -f $card/filler
        [ "$4" = kept ] || rm -f $store*
        fill "$1" $free
        program --sysfs /run/sysfs --log stderr
        arrives "$what"
        program status
        case $status in
            0 | 1 | 74) ;;
            *) fail "$what: status ended with $status" ;;
        esac
        free=$((free + $3))
    done
}

# The card was full, and with space again nothing is missing.
is_whole_afterwards() { # BLOCK
    [ $not_kept -gt 0 ] || fail 'the card was never full'
    fill "$1" 0
    program doctor
    case $status in
        0 | 1) ;;
        *) fail "doctor ended with $status" ;;
    esac
    rm $card/filler $card/most
    program --sysfs /run/sysfs --log stderr
    arrives 'with space again'
    case $delivered in
        *backlog=0) ;;
        *) fail "with space again: $delivered" ;;
    esac
    [ "$(sqlite3 $store 'PRAGMA integrity_check; SELECT count(*) FROM backlog')" = "ok
0" ] || fail 'the store is not whole'
}

not_kept=0
