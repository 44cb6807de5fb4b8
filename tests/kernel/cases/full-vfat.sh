# A store on FAT that is full, at each cluster: neither blocks nor modes can be had from it.
# disks: 4M
# sensors: none
. "${0%/*}/../full.sh"

mkfs.vfat -s 1 /dev/ubda >/dev/null
mount -t vfat /dev/ubda $card
fill_most
full_at 512 320 19 fresh
full_at 512 320 7 kept
is_whole_afterwards 512
