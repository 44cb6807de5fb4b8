# A sign with a magnitude, as the DHT22 sends it, which its driver shows as a number in two's complement.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

# Four registers, between the number of the command and of the bytes and their checksum, x^16 + x^15 + x^2 + 1.
chip=/sys/module/i2c_chip/parameters/answers
chip_measures() { # HUMIDITY TEMPERATURE
    rest=$((0xffff))
    for byte in 03 04 "${1%??}" "${1#??}" "${2%??}" "${2#??}"; do
        rest=$((rest ^ 0x$byte))
        for _ in 1 2 3 4 5 6 7 8; do
            rest=$(((rest >> 1) ^ (rest & 1) * 0xa001))
        done
    done
    printf '030004=0304%s%s%02x%02x\n' "$1" "$2" $((rest & 255)) $((rest >> 8)) >$chip
}
# The datasheet's own example.
insmod "$RIG/i2c-chip.ko" address=0x5c
chip_measures 01f4 00fa
[ "$(cat $chip)" = 030004=030401f400fa31a5 ] || fail "checksum: $(cat $chip)"
echo am2315 0x5c >/sys/bus/i2c/devices/i2c-0/new_device
[ "$("$PROGRAM" list)" = "$(printf 'iio:device0\tam2315\t-\t0-005c')" ] || fail "list: $("$PROGRAM" list)"

# It answers with what it measured when it was last asked, so two must agree at first.
chip_measures 01c8 00ea
run --attempts 1
exits 0
sends 23.4 45.6
logs 'temperature=23.4 humidity=45.6 device=am2315 attempts=2 delivered=1 backlog=0'
takes 2000 2200
keep_store=yes

while read -r h t temperature humidity; do
    chip_measures "$h" "$t"
    reads_as am2315 "$temperature" "$humidity"
done <<.
01c8 00ea 23.4 45.6
0000 808f -14.3 0.0
03e7 8001 -0.1 99.9
01c8 8000 0.0 45.6
01c8 0ff8 -0.8 45.6
01c8 ff9b -10.1 45.6
.

# One answer disturbed, then a good one.
echo 030004=030401f400fa31a4 >$chip
start
sleep 1
chip_measures 01c8 00ea
finish
exits 0
sends 23.4 45.6
logs 'temperature=23.4 humidity=45.6 device=am2315 attempts=2 delivered=1 backlog=0'
