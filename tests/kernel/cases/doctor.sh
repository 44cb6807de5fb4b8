# The doctor names what is wrong with the sensor, and adds what the kernel's log says of it.
. "${0%/*}/../lib.sh"

driver=/sys/bus/platform/drivers/dht11

# What else a Pi has. The guest's root is the host's: these are its own.
for dir in /boot /etc /usr/local/bin /var/lib; do
    mount -t tmpfs tmpfs $dir
done
mkdir -p /boot/firmware/overlays /etc/systemd/system/timers.target.wants /var/lib/iio-focus
chmod 755 /boot /etc /usr/local/bin /var/lib
chown 994:991 /var/lib/iio-focus
cp "${0%/*}"/../../../packaging/iio-focus.service "${0%/*}"/../../../packaging/iio-focus.timer /etc/systemd/system
printf '%s\n' root:x:0:0::/root:/bin/sh iio-focus:x:994:991::/:/bin/sh >/etc/passwd
echo iio-focus:x:991: >/etc/group
echo 'dtoverlay=iio-focus-dht22' >/boot/firmware/config.txt
cp "$OVERLAY" /boot/firmware/overlays/iio-focus-dht22.dtbo
ln -s /lib/systemd/system/iio-focus.timer /etc/systemd/system/timers.target.wants/iio-focus.timer
install -m 755 "$STAND_IN/focus-stand-in" /usr/local/bin/focus
install -m 755 "$PROGRAM" /usr/local/bin/iio-focus
store=/var/lib/iio-focus/readings.db

doctor() { # [ARGUMENT...]
    sed 's/^program.*/program = "focus"/' /run/iio-focus.toml >/etc/iio-focus.toml
    chgrp 991 /etc/iio-focus.toml
    chmod 640 /etc/iio-focus.toml
    [ ! -e $store ] || chown 994:991 $store*
    read_clock
    started=$now_ms
    status=0
    "$PROGRAM" doctor "$@" >/run/out 2>/run/err || status=$?
    read_clock
    took=$((now_ms - started))
    cat /run/out
}

finds() { # MARK CHECK TEXT
    grep -q "^$1 *$2 *.*$3" /run/out || fail "the doctor does not find: $1 $2 $3"
}

advises() { # CHECK TEXT
    grep -A 1 "^WRONG *$1 " /run/out | grep -q -e "-> .*$2" || fail "the doctor does not advise about $1: $2"
}

# One run, so that there are a configuration and a store.
sensor "$good"
run
exits 0

let_cache_expire
doctor
exits 0
finds ok 'overlay file' /boot/firmware/overlays/iio-focus-dht22.dtbo
finds ok config.txt 'line 1: iio-focus-dht22 on GPIO 4'
finds ok driver 'dht11 is loaded'
finds ok device 'dht11@4 on GPIO 4 is bound to its driver'
finds ok sensor 'dht11@4 (iio:device0), without a label'
finds ok 'second reader' none
finds ok tries 'dht11@4: 5 good of 5 (ok, ok, ok, ok, ok), temperature=23.4 humidity=45.6'
finds ok 'kernel log' 'nothing about dht11@4'
finds ok focus '/usr/local/bin/focus, for amd64'
finds ok configuration /etc/iio-focus.toml
finds ok server '127.0.0.1:6600 answers'
finds ok store 'is whole'
finds ok 'timer or cron' 'iio-focus.timer enabled'
finds ok rights 'iio-focus.service runs as iio-focus, who can use all files'
finds ok 'last run' 'a reading was delivered'
! grep -q x0000-rig-0000 /run/out || fail "the licence is shown"
# Four pauses of 2.1 s and five transactions.
takes 8500 8700

# systemd is asked about the timer, where it runs.
mkdir -p /run/systemd/system
printf '#!/bin/sh\necho inactive\n' >/usr/local/bin/systemctl
chmod 755 /usr/local/bin/systemctl
let_cache_expire
doctor
exits 1
finds WRONG 'timer or cron' 'iio-focus.timer is enabled, but inactive'
advises 'timer or cron' 'systemctl start iio-focus.timer'
rm -r /run/systemd /usr/local/bin/systemctl

sensor silent
let_cache_expire
doctor
exits 1
finds WRONG tries '0 good of 5 (ETIMEDOUT, ETIMEDOUT, ETIMEDOUT, ETIMEDOUT, ETIMEDOUT)'
advises tries 'nobody answers'
finds -- 'kernel log' 'Only 0 signal edges detected 5 times'

sensor short:40
let_cache_expire
doctor
exits 1
finds WRONG tries '0 good of 5 (ETIMEDOUT, '
advises tries 'a part of the answer was lost'
finds -- 'kernel log' 'Only [0-9]* signal edges detected 5 times'

sensor weird
let_cache_expire
doctor
exits 1
finds WRONG tries '0 good of 5 (EIO, '
advises tries 'another sensor'
finds -- 'kernel log' "Don't know how to decode data: .* 5 times"

# A bad checksum is not logged: the errno is all there is.
sensor badsum
let_cache_expire
doctor
exits 1
finds WRONG tries '0 good of 5 (EIO, '
advises tries 'pull-up'
finds ok 'kernel log' 'nothing about dht11@4'

sensor badsum "$good" badsum "$good"
let_cache_expire
doctor
finds ok tries '3 good of 5 (EIO, ok, EIO, ok, ok), temperature=23.4'

echo dht11@4 >$driver/unbind
doctor
exits 1
finds WRONG device 'dht11@4 on GPIO 4 has no driver'
advises device "echo dht11@4 | sudo tee $driver/bind"
finds WRONG sensor 'no temperature and humidity sensor'

mkfifo /run/holder.pipe
# A program holds the line meanwhile: to bind the driver would fail.
python3 -c '
import fcntl, struct, sys
request = struct.pack("=I252x32s272xI24xi", 4, b"a-program", 1, 0)
with open("/dev/gpiochip0") as chip:
    fcntl.ioctl(chip, 0xC250B407, bytearray(request))
open("/run/held", "w").close()
sys.stdin.read()' </run/holder.pipe &
holder=$!
exec 8>/run/holder.pipe
until [ -e /run/held ]; do sleep 0.1; done
doctor
exits 1
finds WRONG device 'dht11@4 on GPIO 4 has no driver, because a-program holds that line'
advises device 'connect the sensor to another pin'
exec 8>&-
wait $holder
doctor
exits 1
advises device bind
echo dht11@4 >$driver/bind

# Between two tries.
sensor silent
("$PROGRAM" doctor >/run/out || true) &
sleep 2
echo dht11@4 >$driver/unbind
wait $!
finds WRONG tries '0 good of 2 (ETIMEDOUT, ENOENT)'
advises tries 'the device went away'
