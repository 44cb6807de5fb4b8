# A sensor with raw, scale and offset is read by the IIO ABI, and has no cache to
# wait for.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

insmod "$RIG/i2c-stub.ko" chip_addr=0x40
# (code - 4368) * 10.725 m°C and (code - 786) * 7.629 m%RH, code being the upper
# 14 bits of registers e3 and e5, which i2cset writes low byte first.
set_registers() {
    i2cset -f -y 0 0x40 0xe3 "$1" w
    i2cset -f -y 0 0x40 0xe5 "$2" w
}
set_registers 0x5066 0xb86e
echo si7020 0x40 >/sys/bus/i2c/devices/i2c-0/new_device

while read -r t h temperature humidity; do
    set_registers "$t" "$h"
    run
    exits 0
    sends "$temperature" "$humidity"
    grep -q 'attempts=1 ' /run/syslog || fail "more than one attempt"
    takes 0 30
done <<.
0x5066 0xb86e 23.4 48.1
0x5c2f 0x0000 -14.3 0.0
0x0012 0xffff -34.5 100.0
.
