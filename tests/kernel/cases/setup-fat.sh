# A boot partition as Raspberry Pi OS makes it: setup puts the overlay and its line there, although FAT has neither owners
# nor modes. When it is full, config.txt stays as it was.
# disks: 40M
# sensors: none
. "${0%/*}/../lib.sh"

boot=/run/card/boot/firmware
shipped=${CASE%/*}/../config.txt
mkfs.vfat -F 32 -s 1 -n BOOTFS /dev/ubda >/dev/null
for folder in boot/firmware etc usr/share/iio-focus usr/lib/systemd/system usr/local/bin; do
    mkdir -p /run/card/$folder
done
printf '\320' >/run/card/usr/share/iio-focus/iio-focus-dht22.dtbo
: >/run/card/usr/lib/systemd/system/iio-focus.timer
ln -s "$STAND_IN/focus-stand-in" /run/card/usr/local/bin/focus
echo 'iio-focus:x:990:991::/:/bin/false' >/run/card/etc/passwd
echo 'iio-focus:x:991:' >/run/card/etc/group
echo x0000-rig-0000 >/run/license
mount -t vfat /dev/ubda $boot
mkdir $boot/overlays
cp "$shipped" $boot/config.txt

setup() {
    status=0
    "$PROGRAM" setup --root /run/card --license-file /run/license --pcode 7000 --server-host 192.0.2.1 --yes \
        </dev/null >/run/out 2>/run/err || status=$?
}

# With so many bytes free there is no place for the overlay, for what config.txt was before, or for what it will be.
for free in 0 512 1024 1536 2048 2560 3072; do
    rm -f $boot/overlays/* $boot/config.txt.iio-focus-old
    dd if=/dev/zero of=$boot/filler bs=64K 2>/dev/null || true
    dd if=/dev/zero of=$boot/filler bs=512 oflag=append conv=notrunc 2>/dev/null || true
    truncate -s $(($(wc -c <$boot/filler) - free)) $boot/filler
    setup
    exits 74
    only_line /run/err
    case $only_line in
        *"$boot/"*ENOSPC*) ;;
        *) fail "no clear line with $free bytes free" ;;
    esac
    cmp "$shipped" $boot/config.txt || fail "config.txt was changed with $free bytes free"
    [ -z "$(find $boot -name '.*setup*')" ] || fail "something was left with $free bytes free"
    rm $boot/filler
done

setup
exits 0
{ cat "$shipped"; echo dtoverlay=iio-focus-dht22,gpiopin=4; } | cmp - $boot/config.txt || fail 'config.txt'
cmp "$shipped" $boot/config.txt.iio-focus-old || fail 'the former config.txt'
cmp /run/card/usr/share/iio-focus/iio-focus-dht22.dtbo $boot/overlays/iio-focus-dht22.dtbo || fail 'the overlay'
[ -z "$(find $boot -name '.*')" ] || fail 'something was left'

ls -lR --time-style=full-iso $boot >/run/before
setup
exits 0
ls -lR --time-style=full-iso $boot >/run/after
cmp /run/before /run/after || fail 'the second setup changed something'
umount $boot
fsck.fat -n /dev/ubda >/run/out || fail 'fsck found something'
