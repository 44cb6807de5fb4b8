# A store on F2FS that is full, at each block: it writes each block to another place.
# disks: 64M
# sensors: none
. "${0%/*}/../full.sh"

needs_file_system f2fs
mkfs.f2fs -q /dev/ubda
mount -t f2fs /dev/ubda $card
fill_most
full_at 4096 40 7 fresh
full_at 4096 40 3 kept
is_whole_afterwards 4096
