#!/bin/sh
# package.sh: the three packages: their size, what is in them, lintian; and the life of one in a real Debian root:
# installed, upgraded, removed, purged. Once in a root without systemd, once in one that has it.
set -eu
name=package
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh binutils debootstrap dpkg-dev lintian
work_folder

for arch in arm64 armhf amd64; do
    package=$(package $arch)
    size=$(stat -c %s "$package")
    [ "$size" -le 1572864 ] || fail "$package has $size bytes, more than 1.5 MiB"
    dpkg-deb -x "$package" "$work/$arch"
    program=$work/$arch/usr/bin/iio-focus
    readelf -hldAW "$program" >"$work/elf"
    ! grep -q -e INTERP -e '(NEEDED)' "$work/elf" || fail "the program for $arch is not static"
    elf() { # PATTERN WHAT
        grep -q "$1" "$work/elf" || fail "the program for $arch is not $2: $(cat "$work/elf")"
    }
    case $arch in
    arm64) elf 'Machine: *AArch64' 'for AArch64' ;;
    armhf)
        elf 'Machine: *ARM$' 'for Arm'
        elf 'Tag_CPU_arch: v6$' ARMv6
        elf 'Tag_FP_arch: VFPv2$' 'for the VFP of a Pi Zero'
        elf 'hard-float ABI' 'of the hard-float ABI'
        ;;
    amd64) elf 'Machine: *Advanced Micro Devices X86-64' 'for amd64' ;;
    esac
    (cd "$work/$arch" && find . -type f ! -name changelog.Debian.gz ! -path ./usr/bin/iio-focus -exec sha256sum {} + | sort) >"$work/$arch.files"
    cmp -s "$work/arm64.files" "$work/$arch.files" || fail "the packages for arm64 and $arch differ in more than the program"
    echo "package: $(basename "$package"): $size bytes"
done
dpkg-deb -c "$package" | awk '!/\/$/ { printf "  %8d %s %s\n", $3, $1, substr($6, 2) }'

lintian --allow-root --tag-display-limit 0 --fail-on error,warning "$(package arm64)" "$(package armhf)" "$(package amd64)" ||
    fail 'lintian has something to say, see above'
overrides=$root/packaging/debian/lintian-overrides
# Each override stands below a comment of its own.
awk '/^#/ { told = 1; next } !NF { next } !told { print; bad = 1 } { told = 0 } END { exit bad }' "$overrides" ||
    fail 'these overrides are not explained'
echo "package: $(lintian --version | tr -d '\n'): neither errors nor warnings; $(grep -c '^iio-focus:' "$overrides") overrides, each explained"

# The same again as a later version, with another overlay.
dpkg-deb -R "$package" "$work/later"
sed -i 's/^Version: .*/&.1/' "$work/later/DEBIAN/control"
echo later >>"$work/later/usr/share/iio-focus/iio-focus-dht22.dtbo"
later=$work/later.deb
dpkg-deb -b --root-owner-group "$work/later" "$later" >/dev/null

same() { # WHAT BEFORE AFTER
    diff "$2" "$3" >"$work/diff" || fail "$1: $(cat "$work/diff")"
}
here() { # FILE...
    for file; do [ -e "$debian$file" ] || fail "$file is not there"; done
}
gone() { # FILE...
    for file; do
        if [ -e "$debian$file" ] || [ -L "$debian$file" ]; then fail "$file is there"; fi
    done
}
said() { # TEXT
    grep -q -F "$1" "$work/said" || fail "the package did not say '$1': $(cat "$work/said")"
}
run() { # COMMAND...
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$debian" "$@" >"$work/said" 2>&1 ||
        fail "$*: $(cat "$work/said")"
}
install() { # PACKAGE
    cp "$1" "$debian/tmp/package.deb"
    run dpkg -i /tmp/package.deb
    rm "$debian/tmp/package.deb"
}

users() { # what is the user's
    (
        cd "$debian"
        set -- etc/iio-focus.toml etc/iio-focus etc/iio-focus/kitchen.toml var/lib/iio-focus var/lib/iio-focus/readings.db
        stat -c '%n %a %u:%g' "$@"
        find "$@" -type f -exec sha256sum {} +
    )
}
kept() { # AFTER-WHAT
    [ "$(users)" = "$of_user" ] || fail "the $1 changed what is the user's: $(users), not $of_user"
}
switched_on() {
    (cd "$debian/etc" && find . -path '*.wants/*' -name 'iio-focus*' | sort)
}

# $work/kernel.deb: a package like that of a kernel, which empties the folder of the overlays when it is configured. Its
# files are an overlay there, or only its modules, because hooks copy what the firmware reads.
kernel_with() { # a-file|nothing
    rm -rf "$work/kernel"
    mkdir -p "$work/kernel/DEBIAN" "$work/kernel/usr/lib/modules/6.18-stand-in"
    : >"$work/kernel/usr/lib/modules/6.18-stand-in/modules.order"
    if [ "$1" = a-file ]; then
        mkdir -p "$work/kernel$boot/overlays"
        : >"$work/kernel$boot/overlays/dht11.dtbo"
    fi
    printf '%s\n' 'Package: linux-image-stand-in' "Version: 6.18-$1" 'Architecture: all' 'Maintainer: nobody' \
        'Description: empties the folder of the overlays' >"$work/kernel/DEBIAN/control"
    printf '%s\n' '#!/bin/sh' "rm -rf $boot/overlays" "mkdir $boot/overlays" >"$work/kernel/DEBIAN/postinst"
    chmod 755 "$work/kernel/DEBIAN/postinst"
    dpkg-deb -b --root-owner-group "$work/kernel" "$work/kernel.deb" >/dev/null
}

life() { # SUITE KIND BOOT-FOLDER
    suite=$1 boot=$3
    shift
    debian=$work/root
    debian_root "$suite" "$1" "$debian"
    mkdir -p "$debian/boot/overlays" "$debian$boot/overlays"
    echo 'arm_64bit=1' >"$debian$boot/config.txt"
    manifest "$debian" >"$work/before"

    install "$package"
    said 'run sudo iio-focus setup'
    here /usr/bin/iio-focus "$boot/overlays/iio-focus-dht22.dtbo" /usr/share/doc/iio-focus/examples/iio-focus.toml
    [ "$boot" = /boot ] || gone /boot/overlays/iio-focus-dht22.dtbo
    gone /etc/iio-focus.toml /etc/systemd/system/timers.target.wants/iio-focus.timer
    run iio-focus --version
    said "iio-focus $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)"
    run getent passwd iio-focus
    said ':/var/lib/iio-focus:/usr/sbin/nologin'
    # At once away again, with nothing of the user's.
    run dpkg --purge iio-focus
    manifest "$debian" >"$work/after"
    same "left behind by install and purge ($1)" "$work/before" "$work/after"

    install "$package"
    echo 'dtoverlay=iio-focus-dht22,gpiopin=4' >>"$debian$boot/config.txt"
    run install -m 640 -g iio-focus /usr/share/doc/iio-focus/examples/iio-focus.toml /etc/iio-focus.toml
    echo '# mine' >>"$debian/etc/iio-focus.toml"
    run install -d -o iio-focus -g iio-focus -m 750 /var/lib/iio-focus
    run cp /etc/iio-focus.toml /var/lib/iio-focus/readings.db
    mkdir "$debian/etc/iio-focus"
    cp "$debian/etc/iio-focus.toml" "$debian/etc/iio-focus/kitchen.toml"
    mkdir -p "$debian/etc/cron.d"
    cp "$debian/usr/share/doc/iio-focus/examples/iio-focus.cron" "$debian/etc/cron.d/iio-focus"
    [ "$1" = bare ] || run systemctl enable iio-focus.timer iio-focus@kitchen.timer
    of_user=$(users)
    on=$(switched_on)

    install "$later"
    cmp -s "$debian$boot/overlays/iio-focus-dht22.dtbo" "$work/later/usr/share/iio-focus/iio-focus-dht22.dtbo" ||
        fail 'the upgrade left the old overlay in the boot folder'
    kept "upgrade"
    [ "$(switched_on)" = "$on" ] || fail 'the upgrade switched a timer on or off'

    # A kernel whose hook makes the folder anew, with overlays of its own.
    for what in a-file nothing; do
        kernel_with "$what"
        install "$work/kernel.deb"
        said "put $boot/overlays/iio-focus-dht22.dtbo back"
        cmp -s "$debian$boot/overlays/iio-focus-dht22.dtbo" "$work/later/usr/share/iio-focus/iio-focus-dht22.dtbo" ||
            fail "the overlay is not back after a kernel with $what in the boot folder"
    done
    run dpkg --purge linux-image-stand-in

    run dpkg --remove iio-focus
    said '/var/lib/iio-focus stays'
    said '/etc/iio-focus.toml stays'
    said "take dtoverlay=iio-focus-dht22 out of $boot/config.txt"
    kept "removal"
    (cd "$debian" && find . -xdev -path ./var/lib/dpkg -prune -o -name '*iio-focus*' -print | sort) >"$work/left"
    printf '%s\n' ./etc/iio-focus ./etc/iio-focus.toml ./var/lib/iio-focus >"$work/wanted"
    same "left by the removal, beside configuration and data ($1)" "$work/wanted" "$work/left"

    run dpkg --purge iio-focus
    sed -i /dtoverlay=iio-focus/d "$debian$boot/config.txt"
    # The user's too.
    for folder in etc/cron.d etc/systemd/system/timers.target.wants; do
        grep -q "^./$folder d" "$work/before" || rmdir "$debian/$folder" 2>/dev/null || true
    done
    manifest "$debian" >"$work/after"
    same "left behind by the purge ($1)" "$work/before" "$work/after"
    run dpkg -l
    ! grep -q iio-focus "$work/said" || fail "dpkg still knows the package: $(grep iio-focus "$work/said")"
    echo "package: installed, upgraded, removed and purged in a root ($suite, $1): nothing left"
    rm -rf "$debian"
}
for suite in $suites; do
    life "$suite" bare /boot
    life "$suite" systemd /boot/firmware
done
