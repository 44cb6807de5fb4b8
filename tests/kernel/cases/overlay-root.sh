# A card that is read-only below an overlay in memory, as the "overlay file system" of raspi-config makes it: what is kept
# is delivered as ever, and is gone with the next boot.
# disks: 16M
. "${0%/*}/../lib.sh"

needs_file_system overlay
keep_store=yes read_before='' focus_timeout=3s
mkdir /run/card /run/memory /run/root
mkfs.ext4 -q /dev/ubda
mount -t ext4 /dev/ubda /run/card
mkdir -p /run/card/var/lib/iio-focus

# Before it was switched on: two readings, and one of them waits.
store=/run/card/var/lib/iio-focus/readings.db
for server_port in 6600 6601; do
    let_cache_expire
    run
done
exits 69
logs_error 'attempts=1 delivered=0 backlog=1'
mount -o remount,ro /run/card

boot() {
    rm -rf /run/memory/*
    mkdir /run/memory/upper /run/memory/work
    mount -t overlay -o lowerdir=/run/card,upperdir=/run/memory/upper,workdir=/run/memory/work overlay /run/root
    store=/run/root/var/lib/iio-focus/readings.db
}

for boots in 1 2; do
    boot
    server_port=6601
    let_cache_expire
    run
    exits 69
    logs_error 'attempts=1 delivered=0 backlog=2'
    server_port=6600
    let_cache_expire
    run
    exits 0
    logs "temperature=23.4 humidity=45.6 device=dht11@4 attempts=1 delivered=3 backlog=0"
    "$PROGRAM" --config /run/iio-focus.toml status >/run/out || fail "status ended with $?"
    umount /run/root
done
