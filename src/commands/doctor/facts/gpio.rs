//! Who holds a GPIO line, as the character device says (`include/uapi/linux/gpio.h`).

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use super::kernel::cells;
use super::names_in;

/// `struct gpio_v2_line_info`.
const INFO_SIZE: usize = 256;
const CONSUMER: std::ops::Range<usize> = 32..64;
const OFFSET: std::ops::Range<usize> = 64..68;
const FLAGS: std::ops::Range<usize> = 72..80;
const FLAG_USED: u64 = 1;

/// `_IOWR(0xB4, 0x05, struct gpio_v2_line_info)`
const GET_LINE_INFO: u32 = 3 << 30 | 256 << 16 | 0xB4 << 8 | 0x05;

/// Who holds the line of the controller whose phandle this is. None: nobody, or it cannot be looked at.
pub(super) fn holder(root: &Path, sysfs: &Path, phandle: u32, line: u32) -> Option<String> {
    let dir = sysfs.join("bus/gpio/devices");
    let chips = names_in(&dir).unwrap_or_default().into_iter();
    let is_of = |chip: &String| cells(&dir.join(chip).join("of_node/phandle")) == [phandle];
    let chip = chips.filter(|name| name.starts_with("gpiochip")).find(is_of)?;
    let path = root.join("dev").join(chip);
    // Another file of that name would be none to ask this.
    let is_device = fs::metadata(&path).is_ok_and(|meta| {
        use std::os::unix::fs::FileTypeExt;
        meta.file_type().is_char_device()
    });
    let device = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    held_by(&ask(&device.ok().filter(|_| is_device)?, line)?)
}

#[allow(unsafe_code, reason = "nix has no call for this request")]
fn ask(device: &File, line: u32) -> Option<[u8; INFO_SIZE]> {
    let mut info = [0; INFO_SIZE];
    info[OFFSET].copy_from_slice(&line.to_ne_bytes());
    // SAFETY: the request's number says that it reads and writes 256 bytes there, and so many there are.
    let status =
        unsafe { nix::libc::ioctl(device.as_raw_fd(), GET_LINE_INFO as nix::libc::Ioctl, info.as_mut_ptr()) };
    (status == 0).then_some(info)
}

/// The consumer's name in a line's info, if the line is in use.
fn held_by(info: &[u8; INFO_SIZE]) -> Option<String> {
    let flags = u64::from_ne_bytes(info[FLAGS].try_into().ok()?);
    let name = String::from_utf8_lossy(&info[CONSUMER]);
    let name = name.trim_end_matches('\0');
    (flags & FLAG_USED != 0).then(|| if name.is_empty() { "the kernel".to_owned() } else { name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_use_has_a_consumer() {
        let info = |name: &[u8], flags: u64| {
            let mut info = [0; INFO_SIZE];
            info[CONSUMER][..name.len()].copy_from_slice(name);
            info[FLAGS].copy_from_slice(&flags.to_ne_bytes());
            info
        };
        assert_eq!(held_by(&info(b"", 0)), None);
        assert_eq!(held_by(&info(b"left over", 4)), None);
        assert_eq!(held_by(&info(b"onewire@4", 5)).as_deref(), Some("onewire@4"));
        assert_eq!(held_by(&info(b"", 1)).as_deref(), Some("the kernel"));
    }
}
