# shellcheck shell=sh disable=SC2086,SC2119,SC2120
# Words for the cases, which run in the guest and source this first.
#
#     sensor badsum 't=234 h=456'     the sensor's next answers; the last one stays
#     run --attempts 2                a whole run; or "start", then "finish"
#     exits 0                         and what is then expected of it
#
# To start a process is what takes long here, so builtins do what they can.

# What a run is started with; a case may change these.
fault=good              # FOCUS_FAULT of the stand-in
focus_timeout=15s
server_port=6600
launcher=               # command that starts the program
keep_store=             # set: the run finds the store of the one before
read_before=dht11@4     # the sensor that was read a minute ago, so that one try is enough; empty: none was
store=/run/readings.db
temperature_jump=0.0
humidity_jump=0.0

good='t=234 h=456'      # an answer, and what becomes of it
good_is='23.4 45.6'

umask 077               # the configuration holds the licence
"$STAND_IN/listener" --tcp 127.0.0.1:6600 --tcp-log /run/server \
    --syslog /dev/log --syslog-log /run/syslog --port-file /run/port &
until [ -e /run/port ]; do sleep 0.01; done

sensor() { # [-l LINE] ANSWER...
    line=4
    if [ "$1" = -l ]; then
        line=$2
        shift 2
    fi
    printf '%s\n' "$@" >/run/sensor/new
    mv /run/sensor/new "/run/sensor/$line"
}

# A chip on i2c-stub: registers of one byte, from the first on.
set_registers() { # ADDRESS FIRST BYTE...
    address=$1
    register=$(($2))
    shift 2
    for byte; do
        i2cset -f -y 0 "$address" $register "$byte" b
        register=$((register + 1))
    done
}

# A chip on i2c-chip: the 16 bits of a measurement and their checksum, x^8 + x^5 + x^4 + 1, begun with 0 or what is said.
checked() { # CODE [FIRST]
    code=$(($1))
    rest=$(((code ^ ${2:-0} << 8) << 8))
    bit=15
    while [ "$bit" -ge 0 ]; do
        [ $((rest >> (bit + 8) & 1)) -eq 0 ] || rest=$((rest ^ 0x131 << bit))
        bit=$((bit - 1))
    done
    printf '%04x%02x' "$code" "$rest"
}

# The driver came with this Linux: where it is older, the case is left out.
needs_linux() { # VERSION
    running=$(uname -r)
    if dpkg --compare-versions "${running%%-*}" lt "$1"; then
        echo "LEFT OUT: the driver is there since Linux $1, and this is $running"
        exit 0
    fi
}

# What is in more.fragment is not in every kernel.
needs_file_system() { # NAME
    if ! grep -qw "$1" /proc/filesystems; then
        echo "LEFT OUT: this kernel was built without $1; kernels.sh builds it in"
        exit 0
    fi
}

# Longer than the driver answers from its cache.
let_cache_expire() {
    sleep 2.1
}

# The same for long times: a sensor that looks at its line all the while takes a second of ours for ten minutes.
pass_time() { # SECONDS
    sensors=$(grep -lx dht22 /proc/[0-9]*/comm | tr -dc '0-9\n')
    kill -STOP $sensors
    sleep "$1"
    kill -CONT $sensors
}

# What a run leaves in the store that read this sensor: the program reads a device of this name, which is only a
# folder, and a program that is no focus takes it.
read_once() { # NAME
    fake=/run/before/bus/iio/devices/iio:device0
    mkdir -p "$fake"
    echo "$1" >$fake/name
    echo 23400 >$fake/in_temp_input
    echo 45600 >$fake/in_humidityrelative_input
    printf '%s\n' '[focus]' 'program = "/bin/true"' 'license = "x0000-rig-0000"' 'pcode = 7000' \
        'server-host = "127.0.0.1"' 'confirm = "exit-status"' '[store]' "path = '$store'" \
        'wait-for-clock = "0s"' >/run/before.toml
    "$PROGRAM" --sysfs /run/before --config /run/before.toml --log stderr </dev/null 2>/run/err ||
        fail "no reading to begin with"
}

start() { # [ARGUMENT...]
    rm -f /run/focus ${keep_store:-$store*}
    if [ -n "$read_before" ] && [ ! -e "$store" ]; then
        read_once "$read_before"
    fi
    : >/run/server
    : >/run/syslog
    printf '%s\n' >/run/iio-focus.toml \
        '[sensor]' \
        "temperature-jump = $temperature_jump" \
        "humidity-jump = $humidity_jump" \
        '[focus]' \
        "program = '$STAND_IN/focus-stand-in'" \
        'license = "x0000-rig-0000"' \
        'pcode = 7000' \
        'server-host = "127.0.0.1"' \
        "server-port = $server_port" \
        'category = "sensor"' \
        "timeout = '$focus_timeout'" \
        '[store]' \
        "path = '$store'" \
        'wait-for-clock = "0s"'
    read_bus
    answers_before=$answers
    read_clock
    started=$now_ms
    FOCUS_RECORD=/run/focus FOCUS_FAULT=$fault \
        $launcher "$PROGRAM" --config /run/iio-focus.toml "$@" </dev/null >/run/out 2>/run/err &
    pid=$!
}

finish() {
    status=0
    wait "$pid" || status=$?
    read_clock
    took=$((now_ms - started))
    sleep 0.1           # the listener writes down what it got
}

run() { # [ARGUMENT...]
    start "$@"
    finish
}

# One run at its first try: this is sent and logged.
reads_as() { # DEVICE TEMPERATURE HUMIDITY
    run
    exits 0
    sends "$2" "$3"
    logs "temperature=$2 humidity=$3 device=$1 attempts=1 delivered=1 backlog=0"
}

exits() { # STATUS
    [ "$status" -eq "$1" ] || fail "exit status $status, expected $1"
}

prints() { # TEMPERATURE HUMIDITY
    only_line /run/out
    [ "$only_line" = "{\"temperature\":$1,\"humidity\":$2}" ] || fail "printed, expected $1 and $2"
}

# Focus was run once and got this reading, and passed it on to the server.
sends() { # TEMPERATURE HUMIDITY
    for record in /run/focus /run/server; do
        only_line "$record"
        case $only_line in
            *"\"stdin\":\"{\\\"temperature\\\":$1,\\\"humidity\\\":$2}\\n\""*) ;;
            *) fail "in $record, expected $1 and $2" ;;
        esac
    done
}

# Focus was not even started.
sends_nothing() {
    [ ! -e /run/focus ] || fail "focus was started"
    [ ! -s /run/server ] || fail "the server got something"
}

# The server got these readings, in this order. Those of earlier runs came with their time, which is given
# as the wall clock in the second before they were taken.
delivers() { # 'TEMPERATURE HUMIDITY [TIME]'...
    exec 3</run/server
    for expected; do
        read -r t h time <<.
$expected
.
        read -r record <&3 || fail "the server did not get $expected"
        case $record in
            *"\"stdin\":\"{\\\"temperature\\\":$t,\\\"humidity\\\":$h}\\n\""*) ;;
            *) fail "the server got $record, expected $expected" ;;
        esac
        case $record in
            *"\"now\":${time:-null},"* | *"\"now\":$((time + 1)),"*) ;;
            *) fail "a wrong time with $record, expected $expected" ;;
        esac
    done
    ! read -r record <&3 || fail "the server also got $record"
}

# The log has one line, this one, at info.
logs() { # TEXT
    logged 30
    [ "$message" = "$1" ] || fail "logged, expected $1"
}

# The log has one line, at err, with all of these in it.
logs_error() { # TEXT...
    logged 27
    for text; do
        case $message in
            *"$text"*) ;;
            *) fail "not in the error logged: $text" ;;
        esac
    done
}

# The log has a line at this priority with all of these in it.
mentions() { # PRIORITY TEXT...
    lines=$(grep -F "<$1>" /run/syslog) || fail "nothing at priority $1 in the log"
    shift
    for text; do
        lines=$(printf '%s\n' "$lines" | grep -F -e "$text") || fail "not in the log: $text"
    done
    [ "$(printf '%s\n' "$lines" | wc -l)" -eq 1 ] || fail "more than once in the log: $*"
}

logged() { # PRIORITY
    only_line /run/syslog
    message=${only_line#*"iio-focus[$pid]: "}
    case $only_line in
        "<$1>"*"iio-focus[$pid]: "*) ;;
        *) fail "priority and identifier in the log" ;;
    esac
}

# The sensor was asked so often.
transactions() { # N
    read_bus
    asked=$((answers - answers_before))
    [ "$asked" -eq "$1" ] || fail "$asked transactions on the bus, expected $1"
}

takes() { # MIN_MS MAX_MS
    if [ "$took" -lt "$1" ] || [ "$took" -gt "$2" ]; then
        fail "took $took ms, expected $1 to $2"
    fi
}

leaves_no_focus() {
    ! grep -qsx focus-stand-in /proc/[0-9]*/comm || fail "focus is still running"
}

# One to nine bad answers and then a good one: the good one is sent. The times are
# those of one bad try.
recovers_from() { # ANSWER MIN_MS MAX_MS
    bad=
    for tries in 1 2 3 4 5 6 7 8 9; do
        bad=${bad:+$bad
}$1
        sensor "$bad" "$good"
        let_cache_expire
        run
        exits 0
        sends $good_is
        logs "temperature=23.4 humidity=45.6 device=dht11@4 attempts=$((tries + 1)) delivered=1 backlog=0"
        transactions $((tries + 1))
        takes $((tries * (2100 + $2) + 20)) $((tries * (2105 + $3) + 30))
    done
}

# Ten bad answers: nothing is sent.
gives_up_on() { # ANSWER MIN_MS MAX_MS ERRNO
    sensor "$1"
    let_cache_expire
    run
    exits 74
    sends_nothing
    logs_error "$4 10 times"
    transactions 10
    takes $((9 * 2100 + 10 * $2)) $((9 * 2105 + 10 * $3))
}

only_line() { # FILE
    [ -s "$1" ] || fail "nothing in $1"
    {
        read -r only_line || fail "no whole line in $1"
        ! read -r _ || fail "more than one line in $1"
    } <"$1"
}

read_bus() {
    answers=$(grep -c '^answer:' /run/sensor/log || true)
}

# The monotonic clock: a case may set the other one.
read_clock() {
    {
        read -r _
        read -r _
        read -r _ _ now_ns _
    } </proc/timer_list
    now_ms=$((now_ns / 1000000))
}

wall_clock() {
    date +%s
}

fail() { # REASON
    echo "FAILED: $1"
    tail -v -n 20 /run/out /run/err /run/syslog /run/focus /run/server /run/sensor/log 2>&1
    exit 1
}
