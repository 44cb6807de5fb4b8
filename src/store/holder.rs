//! Who holds the lock of a store, seen without taking it: a run that begins meanwhile would end with 75.

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{major, minor};

use super::files::with_suffix;
use crate::clock::Moment;

/// `/proc/PID/stat` counts in these, whatever the kernel's own ticks are (`USER_HZ`).
const TICK_MS: i64 = 10;

/// The run that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// When its process was started, in ms on the boot clock, if that can be seen.
    started_boot_ms: Option<i64>,
}

impl Holder {
    /// Who holds the lock of this store, if somebody does and the system shows it.
    #[must_use]
    pub fn of(store: &Path) -> Option<Holder> {
        let locks = fs::read_to_string("/proc/locks").ok()?;
        let files = [with_suffix(store, ".lock"), store.to_owned()];
        let pid = files.iter().find_map(|file| {
            let mut places = places(file)?.into_iter();
            places.find_map(|place| holder_in(&locks, &place))
        })?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        Some(Holder { started_boot_ms: stat.ok().and_then(|stat| started_boot_ms(&stat)) })
    }

    /// Whether a reading taken then can be this run's own.
    #[must_use]
    pub fn can_have_taken(self, taken: &Moment, now: &Moment) -> bool {
        now.is_of_the_boot_of(taken)
            && self.started_boot_ms.is_none_or(|started| taken.boot_ms >= started - TICK_MS)
    }
}

/// Device and inode, as `/proc/locks` writes them. The kernel takes the device of the file system; of a file on btrfs
/// or on an overlay, `stat(2)` can say another one.
fn places(file: &Path) -> Option<[String; 2]> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(file).ok()?;
    let meta = file.metadata().ok()?;
    let place = |major: u64, minor: u64| format!("{major:02x}:{minor:02x}:{}", meta.ino());
    let by_stat = place(major(meta.dev()), minor(meta.dev()));
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let by_mount = mount_device(&info, &mounts).map(|(major, minor)| place(major, minor));
    Some([by_stat.clone(), by_mount.unwrap_or(by_stat)])
}

/// The device of the mount that this file is on (`proc(5)`).
fn mount_device(fdinfo: &str, mountinfo: &str) -> Option<(u64, u64)> {
    let id = fdinfo.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    let mut mounts = mountinfo.lines().map(str::split_whitespace);
    let mut mount = mounts.find_map(|mut words| (words.next() == Some(id)).then_some(words))?;
    let (major, minor) = mount.nth(1)?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The process that holds this file with `flock(2)`. A line with an arrow is of one that waits.
fn holder_in(locks: &str, place: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, "WRITE", pid, at, ..] if at == place => pid.parse().ok(),
            _ => None,
        }
    })
}

/// Its 22nd word; the second is the program's name in brackets, which may have blanks and brackets.
fn started_boot_ms(stat: &str) -> Option<i64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse::<i64>().ok()?.checked_mul(TICK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_who_has_an_exclusive_flock_of_this_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 b3:02:4711 0 EOF\n\
                     2: FLOCK  ADVISORY  READ  12 b3:02:4711 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 13 b3:02:47112 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 14 b3:12:4711 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE 15 00:28:12 0 EOF\n\
                     5: -> FLOCK  ADVISORY  WRITE 16 b3:02:4711 0 EOF\n\
                     6: LEASE\n";
        for (place, pid) in [
            ("b3:02:47112", Some(13)),
            ("b3:12:4711", Some(14)),
            ("00:28:12", Some(15)),
            ("b3:02:4711", None),
            ("", None),
        ] {
            assert_eq!(holder_in(locks, place), pid, "{place}");
        }
    }

    #[test]
    fn the_start_is_found_behind_any_name() {
        let behind = "S 1 17 17 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 100";
        for name in ["(iio-focus)", "(a b) c)", "(x) S 1 2 3)"] {
            assert_eq!(started_boot_ms(&format!("17 {name} {behind}")), Some(123_450), "{name}");
        }
        for stat in ["", "17 (x", "17 (x) S 1 17", "17 (x) S 1 17 17 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 x"] {
            assert_eq!(started_boot_ms(stat), None, "{stat}");
        }
    }

    #[test]
    fn the_device_of_a_mount_is_decimal_there() {
        let mounts = "60 1 254:0 / / rw - ext4 /dev/x rw\n66 63 0:40 / /m rw - overlay overlay rw\nx\n";
        assert_eq!(mount_device("pos:\t0\nflags:\t02\nmnt_id:\t66\nino:\t5\n", mounts), Some((0, 40)));
        assert_eq!(mount_device("mnt_id:\t6\n", mounts), None);
        assert_eq!(mount_device("", mounts), None);
    }

    #[test]
    fn a_reading_from_before_the_holder_began_or_of_another_boot_is_not_its_own() {
        let moment = |boot_ms, boot_id: &str| Moment {
            wall_ms: 0,
            boot_ms,
            boot_id: boot_id.to_owned(),
            synchronised: false,
        };
        let now = moment(20_000, "a");
        for (started, taken, is_its_own) in [
            (Some(10_000), moment(10_000, "a"), true),
            (Some(10_000), moment(9_995, "a"), true),
            (Some(10_000), moment(9_000, "a"), false),
            (Some(10_000), moment(10_000, "b"), false),
            (None, moment(9_000, "a"), true),
            (None, moment(9_000, "b"), false),
        ] {
            let holder = Holder { started_boot_ms: started };
            assert_eq!(holder.can_have_taken(&taken, &now), is_its_own, "{started:?} {taken:?}");
        }
    }
}
