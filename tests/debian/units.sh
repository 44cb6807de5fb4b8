#!/bin/sh
# units.sh: the units as systemd reads them, and the program's system calls against their filter.
set -eu
name=units
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
work_folder

# A system of its own: nothing of what is installed here counts, but for systemd's own units.
tree=$work/root
make -s install DESTDIR="$tree" PREFIX=/usr
cp -a /lib/systemd/system/. "$tree/usr/lib/systemd/system"
export MANPATH="$tree/usr/share/man"
for unit in iio-focus iio-focus@kitchen iio-focus-verify; do
    said=$(systemd-analyze verify --root="$tree" $unit.service $unit.timer 2>&1) || fail "verify: $unit: $said"
    [ -z "$said" ] || fail "verify: $unit: $said"
done

for service in packaging/*.service; do
    said=$(systemd-analyze security --offline=true "./$service" | tail -n 1)
    exposure=$(echo "$said" | grep -o '[0-9]*\.[0-9]')
    [ "$(echo "$exposure <= 1.5" | bc)" = 1 ] || fail "$service: $said"
    echo "units: ${service#packaging/}: exposure $exposure"
done

# The template is the unit but for its name, its file and its state.
for kind in service timer; do
    lines() {
        grep -v -e '^#' -e '^Description=' -e '^ExecStart=' -e '^StateDirectory=' -e '^ConditionPathExists=' "$1"
    }
    [ "$(lines packaging/iio-focus.$kind)" = "$(lines packaging/iio-focus@.$kind)" ] ||
        fail "iio-focus.$kind and iio-focus@.$kind differ"
done

# What verifies is bounded as what runs, and asks at a second of its own.
hardening() { # what stands below the restrictions' comment, but for comments
    sed '1,/^UMask=/{/^UMask=/!d}' "$1" | grep -v '^#'
}
[ "$(hardening packaging/iio-focus.service)" = "$(hardening packaging/iio-focus-verify.service)" ] ||
    fail 'iio-focus-verify.service is not restricted as iio-focus.service is'
grep -qx 'FixedRandomDelay=true' packaging/iio-focus-verify.timer || fail 'iio-focus-verify.timer: no second of its own'
said=$(systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' packaging/iio-focus-verify.timer)" 2>&1) || fail "$said"

# One run after the other fits into the minute, and the run's own deadline into systemd's.
value() {
    sed -n "s/^$1=//p" "$2"
}
start=$(value TimeoutStartSec packaging/iio-focus.service)
stop=$(value TimeoutStopSec packaging/iio-focus.service)
if [ "$start" -le 50 ] || [ $((start + stop)) -gt 60 ]; then
    fail "TimeoutStartSec=$start, TimeoutStopSec=$stop"
fi
delay=$(value RandomizedDelaySec packaging/iio-focus.timer)
accuracy=$(value AccuracySec packaging/iio-focus.timer)
[ $((delay + accuracy)) -lt 60 ] || fail "RandomizedDelaySec=$delay, AccuracySec=$accuracy"

# The cron line is one that sh understands, once cron has taken its backslash away.
line=$(grep '^\*' packaging/iio-focus.cron | sed 's/\\%/%/')
command=${line#\* \* \* \* \* iio-focus }
mkdir "$work/bin"
for command_name in sleep iio-focus; do
    printf '#!/bin/sh\necho "%s $*"\n' $command_name >"$work/bin/$command_name"
done
chmod +x "$work/bin"/*
PATH=$work/bin:$PATH sh -c "$command" >"$work/cron"
tr '\n' ' ' <"$work/cron" | grep -qx 'sleep [1-4]\?[0-9] iio-focus .*' || fail "cron: $command: $(cat "$work/cron")"

# Every system call of runs that are not root's: a sensor that fails, a delivery, a focus that has to be killed.
expand() { # groups and calls, a line or a word each
    tr ' ' '\n' | while read -r word; do
        case $word in
        @*) systemd-analyze syscall-filter "$word" | sed -e 1d -e 's/#.*//' | expand ;;
        ?*) echo "$word" ;;
        esac
    done
}
allowed=$work/allowed denied=$work/denied again=$work/again
# A list of calls, rather than of groups, comes last and allows them again.
sed -n 's/^SystemCallFilter=\([@a-z]\)/\1/p' packaging/iio-focus.service | expand | sort -u >"$allowed"
sed -n 's/^SystemCallFilter=\([a-z]\)/\1/p' packaging/iio-focus.service | expand | sort -u >"$again"
sed -n 's/^SystemCallFilter=~//p' packaging/iio-focus.service | expand | sort -u | comm -23 - "$again" >"$denied"
if [ ! -s "$allowed" ] || [ ! -s "$denied" ]; then
    fail 'no SystemCallFilter'
fi

fake_sensor "$work/sys" htu21
umask 077
run() { # STATUS FAULT
    cat >"$work/iio-focus.toml" <<END
[sensor]
retry-delay = "10ms"
attempts = 2
[focus]
program = "$stand_ins/focus-stand-in"
license = "x0000-test-0000"
pcode = 7000
server-host = "127.0.0.1"
server-port = $port
timeout = "100ms"
[store]
path = "$work/readings.db"
wait-for-clock = "0s"
END
    FOCUS_FAULT=$2 FOCUS_RECORD=$work/record traced "$1" --sysfs "$work/sys"
}
traced() { # STATUS ARGUMENT...
    wanted=$1 status=0
    shift
    unshare --map-user=1000 --map-group=1000 strace -f -qq -o "$work/trace" "$program" \
        --config "$work/iio-focus.toml" "$@" >"$work/said" 2>&1 || status=$?
    [ $status = "$wanted" ] || fail "$* with FOCUS_FAULT=${FOCUS_FAULT:-}: ended with $status: $(cat "$work/said")"
    sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$work/trace" >>"$work/calls"
}
# WhaTap's Open API, played over TLS: readings of an hour ago did not arrive there.
run_verify() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=api \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key" -out "$work/certificate" 2>/dev/null
    cat "$work/certificate" "$work/key" >"$work/api.pem"
    tests/stand-in/open-api.py --token T --pcode 7000 --record "$work/record" --faults "$work/faults" --log "$work/asked" \
        --port-file "$work/api-port" --certificate "$work/api.pem" &
    api=$!
    until [ -s "$work/api-port" ]; do
        kill -0 $api || fail 'the Open API did not start'
        sleep 0.05
    done
    sqlite3 "$work/readings.db" "DELETE FROM backlog; UPDATE reading SET taken_ms = taken_ms - 3600000, delivered_ms = taken_ms"
    printf '[verify]\ntoken = "T"\npause = "0s"\nurl = "https://127.0.0.1:%s"\n' "$(cat "$work/api-port")" >>"$work/iio-focus.toml"
    asked=0
    (CURL_CA_BUNDLE=$work/certificate traced 1 verify --requeue) || asked=$?
    kill $api
    [ $asked = 0 ] || exit 1
    grep -q '^request' "$work/asked" || fail "verify did not ask: $(cat "$work/said")"
}
start_listener
ln -sf /proc/self/mem "$device/in_temp_input"
run 74 good
rm "$device/in_temp_input"
echo 20600 >"$device/in_temp_input"
run 0 good
run 69 hang
run_verify
sort -u "$work/calls" >"$work/used"
for call in clock_adjtime execve prctl flock connect signalfd4 kill fdatasync; do
    grep -qx $call "$work/used" || fail "the trace has no $call: it is not of a whole run"
done
# The clock cannot be set, nor asked: the run then looks for systemd-timesyncd's file.
refused=$(comm -23 "$work/used" "$allowed"; comm -12 "$work/used" "$denied")
refused=$(echo "$refused" | grep -vx 'clock_adjtime\|clock_adjtime64\|adjtimex' || true)
[ -z "$refused" ] || fail "the filter refuses $refused"
echo "units: all $(wc -l <"$work/used") system calls of a run and of verify pass the filter"
