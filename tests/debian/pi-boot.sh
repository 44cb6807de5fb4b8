#!/bin/sh
# pi-boot.sh: QEMU's Raspberry Pi 3 boots Debian's arm64 kernel with the package's overlay in its tree, and the package's
# program runs there on the kernel's dht11 driver, with no sensor on the line.
set -eu
name=pi-boot
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/debian/lib.sh
. "$root/tests/debian/lib.sh"
packaging/tools/need.sh cpio device-tree-compiler dpkg-dev kmod python3 qemu-system-arm

package=$(package arm64)
mkdir -p "$kept"
debian arm64 linux-image-arm64 busybox-static
debian=$kept/debian/arm64
release=$(basename "$debian"/lib/modules/*)
guest=$kept/pi-boot
rm -rf "$guest"
mkdir -p "$guest/initramfs/modules" "$guest/initramfs/bin"
dpkg-deb -x "$package" "$guest/initramfs"

# The board's tree as Debian ships it names nothing, and the overlay asks for "gpio".
board=$guest/board.dtb
cp "$debian/usr/lib/linux-image-$release/broadcom/bcm2837-rpi-3-b.dtb" "$board"
fdtput -p -t s "$board" /__symbols__ gpio /soc/gpio@7e200000
tests/debian/overlay/merge.py "$board" "$guest/merged.dtb" \
    "$guest/initramfs/usr/share/iio-focus/iio-focus-dht22.dtbo,gpiopin=17,label=kitchen"

# Only the program of the package is the guest's; the modules come in the order in which they are to be loaded.
depmod -b "$debian" "$release"
(cd "$debian/lib/modules/$release" && cat modules.dep) >"$guest/modules.dep"
number=0
load() { # MODULE
    line=$(grep "/$1\.ko:" "$guest/modules.dep") || fail "Debian's kernel has no module $1"
    wanted=
    for file in $line; do wanted="${file%:} $wanted"; done
    for file in $wanted; do
        number=$((number + 1))
        cp "$debian/lib/modules/$release/$file" "$guest/initramfs/modules/$(printf %02d "$number")-$(basename "$file")"
    done
}
load bcm2835_wdt
load dht11
cp "$debian/bin/busybox" "$guest/initramfs/bin/"
cat >"$guest/initramfs/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /run /tmp /etc
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
export PATH=/bin:/usr/bin
for module in /modules/*; do insmod "$module" 2>/dev/null; done
cp /usr/share/doc/iio-focus/examples/iio-focus.toml /etc/
chmod 600 /etc/iio-focus.toml
syslogd -O /run/messages
echo "guest: $(uname -srm)"
echo "guest: list: $(iio-focus list)"
iio-focus --device kitchen --attempts 2 --log syslog
echo "guest: status $?"
sleep 1
sed 's/^/guest: log: /' /run/messages
dmesg | grep -i dht11 | sed 's/^/guest: kernel: /'
reboot -f
END
chmod +x "$guest/initramfs/init"
(cd "$guest/initramfs" && find . | cpio -o -H newc -R 0:0 --quiet) >"$guest/initramfs.cpio"

serial=$kept/pi-boot.log
# The kernel's console is the second of the Pi's serial lines.
timeout -s KILL 240 qemu-system-aarch64 -M raspi3b -display none -no-reboot -serial null -serial "file:$serial" -monitor none \
    -kernel "$debian/boot/vmlinuz-$release" -dtb "$guest/merged.dtb" -initrd "$guest/initramfs.cpio" \
    -append 'console=ttyS1,115200 quiet loglevel=3 panic=-1' </dev/null >"$kept/qemu.log" 2>&1 ||
    fail "QEMU ended with $?; see $serial and $kept/qemu.log"
tr -d '\r' <"$serial" | grep '^guest: ' || fail "the guest said nothing: see $serial"

expect() { # PATTERN, in what the guest said
    tr -d '\r' <"$serial" | grep -q "^guest: $1" || fail "no line such as '$1'; see $serial"
}
expect 'list: iio:device[0-9]*	dht11@11	kitchen	dht11@11$'
expect 'status 74$'
expect 'log: .* daemon\.err iio-focus.*: .*ETIMEDOUT'
expect 'kernel: .*dht11@11: Only 0 signal edges detected'
rm -rf "$guest"
