# shellcheck shell=sh
# shellcheck disable=SC2154
# The words that the checks are written in. Sourced with $name and $root (the repository) set. KEPT, when set, is the folder
# for what takes long to make.

target=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")
kept=$(realpath -m "${KEPT:-$target/debian}")
program=$target/release/iio-focus
stand_ins=$target/release/examples
cd "$root"

fail() {
    echo "$name: $*" >&2
    exit 1
}

# A check that cannot run fails where it has to.
leave_out() { # WHY
    echo "$name: left out: $*" >&2
    [ "${CI:-}" = true ] || exit 0
    exit 1
}

# $work: a folder for this run. It goes at the end, and the listener with it.
work_folder() {
    mkdir -p "$kept"
    work=$(mktemp -d "$kept/$name.XXXXXX")
    listener=
    trap '[ -z "$listener" ] || kill "$listener" 2>/dev/null || true; rm -rf "$work"' EXIT
}

# WhaTap's server, played: what arrives there is in $work/arrived. $port is where.
start_listener() {
    "$stand_ins/listener" --tcp 127.0.0.1:0 --tcp-log "$work/arrived" --port-file "$work/port" >/dev/null &
    listener=$!
    until [ -s "$work/port" ]; do
        kill -0 $listener || fail 'the listener did not start'
        sleep 0.05
    done
    port=$(sed 's/.*://' "$work/port")
}

# $device: the folder of a good sensor of this driver's name in a fake sysfs.
fake_sensor() { # SYSFS NAME
    device=$1/bus/iio/devices/iio:device0
    mkdir -p "$device"
    echo "$2" >"$device/name"
    echo 20600 >"$device/in_temp_input"
    echo 24400 >"$device/in_humidityrelative_input"
}

# package ARCH: the file that make deb left.
package() {
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    package=$root/target/deb/iio-focus_$version-1_$1.deb
    [ -e "$package" ] || fail "there is no $package; run make deb first"
    echo "$package"
}

# shellcheck source=packaging/tools/again.sh
. packaging/tools/again.sh

# debian ARCH PACKAGE...: Debian's packages for another architecture, unpacked into $kept/debian/ARCH; those with a "+" before
# their name with all that they depend on. This machine's own apt and dpkg know nothing of it.
debian() {
    arch=$1
    shift
    apt=$kept/apt-$arch
    into=$kept/debian/$arch
    [ "$(cat "$into/stamp" 2>/dev/null)" != "$*" ] || return 0
    echo "$name: $* for $arch from Debian"
    rm -rf "$into" "$apt"
    mkdir -p "$into" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
    : >"$apt/status"
    # Only the one index that is needed: whatever else this machine's apt has in its lists can fail too.
    # shellcheck disable=SC2016
    apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' |
        sed -n '/\/debian\/ [a-z]* main$/{s|^|deb [target=Packages signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] |p;q}' >"$apt/sources.list"
    [ -s "$apt/sources.list" ] || fail "this machine's apt has no Debian mirror in its lists"
    cat >"$apt/apt.conf" <<END
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
END
    (
        export APT_CONFIG="$apt/apt.conf"
        cd "$apt/debs" && again apt-get -q -o APT::Update::Error-Mode=any update || exit
        for wanted; do
            case $wanted in
            +*)
                again apt-get -q -y --no-install-recommends --download-only install "${wanted#+}" || exit
                mv "$apt"/cache/archives/*.deb . || exit
                continue
                ;;
            # The newest kernel's name is in its metapackage.
            linux-image-*) wanted=$(apt-cache depends "$wanted" | awk '/Depends:/ { print $2; exit }') ;;
            esac
            again apt-get -q download "$wanted" || exit
        done
        for file in *.deb; do dpkg-deb -x "$file" "$into" || exit; done
    ) >"$kept/debian.log" 2>&1 || fail "could not be fetched: see $kept/debian.log"
    rm -rf "$apt"
    echo "$*" >"$into/stamp"
}

# The releases of Debian that the tests in roots run on: Raspberry Pi OS is 13 today, and 12 before.
suites='bookworm trixie'

# A script that needs one root is called once for each release, which is $suite then.
for_each_suite() { # SCRIPT SUITE-IF-CALLED-SO
    suite=${2:-}
    [ -z "$suite" ] || return 0
    for suite in $suites; do "$1" "$suite" || exit; done
    exit 0
}

# A copy of the root of a Debian release: "bare", with "systemd", or "pi".
debian_root() { # SUITE KIND FOLDER
    [ "$(id -u)" = 0 ] || fail 'a Debian root can only be made by root'
    tests/debian/debian-root.sh "$kept/roots" "$1" "$2"
    rm -rf "$3"
    cp -a --reflink=auto "$kept/roots/$1/$2" "$3"
}

# $debian: a Raspberry Pi with nothing but Debian, curl and Python, focus's and WhaTap's stand-ins, and a firmware that is played by
# guest/dtoverlay.
pi_root() { # SUITE
    debian=$work/root
    debian_root "$1" pi "$debian"
    for program in focus-stand-in listener; do install "$stand_ins/$program" "$debian/usr/local/bin/"; done
    mv "$debian/usr/local/bin/focus-stand-in" "$debian/usr/local/bin/focus"
    echo raspberrypi >"$debian/etc/hostname"
    echo 127.0.0.1 localhost raspberrypi >"$debian/etc/hosts"
    mkdir -p "$debian/boot/firmware/overlays"
    printf 'arm_64bit=1\n\n[cm4]\notg_mode=1\n' >"$debian/boot/firmware/config.txt"
    install tests/debian/guest/dtoverlay "$debian/usr/local/bin/"
}

# Starts it with systemd, and this script of guest/ in it, which says "all is well" at its end.
start_pi() { # SCRIPT
    install "tests/debian/guest/$1" "$debian/usr/local/bin/guest"
    cat >"$debian/etc/systemd/system/guest.service" <<END
[Unit]
After=multi-user.target
FailureAction=exit
SuccessAction=exit
[Service]
Type=oneshot
Environment=HOME=/root DEBIAN_FRONTEND=noninteractive
WorkingDirectory=/root
ExecStart=/usr/local/bin/guest
StandardOutput=append:/guest.log
StandardError=inherit
END
    mkdir -p "$debian/etc/systemd/system/multi-user.target.wants"
    ln -s ../guest.service "$debian/etc/systemd/system/multi-user.target.wants/"
    timeout --kill-after=5 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --machine="iio-focus-$name" \
        --directory="$debian" --boot >"$work/console" 2>&1 </dev/null || true
    [ -e "$debian/guest.log" ] || { tail "$work/console" >&2; fail 'no container could be started'; }
    tr -s '\r\n' '\n' <"$debian/guest.log" | grep -v '^(Reading database' | sed "s/^/$name ($suite): /"
    grep -qx 'all is well' "$debian/guest.log" || {
        tail -n 20 "$work/console" >&2
        fail 'it does not go as it should'
    }
}

# What a package could leave in a root: every file with its owner, mode and content. Not what belongs to dpkg, to logs and
# to locks, nor the backups of the account files; the account files themselves count.
manifest() { # ROOT
    (
        cd "$1" || exit
        find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp -o -path ./var/tmp \
            -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./etc/.pwd.lock \
            -o -path './etc/*-' \) -prune -o -printf '%p %y %m %U:%G %l\n'
        sha256sum etc/passwd etc/group etc/shadow etc/gshadow
        find boot etc usr/local usr/lib/systemd -xdev -type f ! -path 'etc/*-' ! -path etc/.pwd.lock -exec sha256sum {} +
    ) | sort -u
}
