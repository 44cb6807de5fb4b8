# An offset for each channel, and a chip that says when it is ready.
# overlay: none
# sensors: none
. "${0%/*}/../lib.sh"

insmod "$RIG/i2c-stub.ko" chip_addr=0x40
set_registers 0x40 0x11 0x50                            # chip id
i2cset -f -y 0 0x40 0x01 0xb324 w
echo si7005 0x40 >/sys/bus/i2c/devices/i2c-0/new_device

# One register for both, which i2c-stub gives the same value: code / 128 - 50 °C and code / 256 - 24 %RH, upper byte
# first. The driver looks every 20 to 30 ms whether the chip is ready.
while read -r code temperature humidity; do
    i2cset -f -y 0 0x40 0x01 "$code" w
    reads_as 0-0040 "$temperature" "$humidity"
    takes 40 100
done <<.
0xb324 23.4 12.7
0x0018 -2.0 0.0
0x803e 75.0 38.5
.

# It is never ready: the driver looks 50 times, for a second or two.
set_registers 0x40 0x00 0x01
run --attempts 2
exits 74
sends_nothing
logs_error 'EIO 2 times'
takes 4100 6300
