//! Whether a run can write to the store at all.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

/// A run writes 16 KiB to the log of the store, and needs blocks for what leads to them.
const ROOM: u64 = 32 << 10;

/// Why no run can write to the store now, if the file system says so.
pub(super) fn unwritable(store: &Path) -> Option<String> {
    let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let system = statvfs(folder).ok()?;
    // Some blocks are for root alone.
    let is_roots = fs::metadata(store).is_ok_and(|store| store.uid() == 0);
    let blocks = if is_roots { system.blocks_free() } else { system.blocks_available() };
    // Their type differs between architectures.
    #[allow(clippy::useless_conversion)]
    let free = u64::from(blocks).saturating_mul(u64::from(system.fragment_size()));
    judge(free, system.flags().contains(FsFlags::ST_RDONLY))
        .map(|why| format!("{why} the file system of {}", folder.display()))
}

fn judge(free: u64, is_read_only: bool) -> Option<&'static str> {
    match free {
        _ if is_read_only => Some("nothing can be written to"),
        0..ROOM => Some("no space is left on"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_cannot_be_written_without_room_or_read_only() {
        for (free, is_read_only, why) in [
            (0, false, Some("no space is left on")),
            (9 << 10, false, Some("no space is left on")),
            (32 << 10, false, None),
            (1 << 40, false, None),
            (1 << 40, true, Some("nothing can be written to")),
            (0, true, Some("nothing can be written to")),
        ] {
            assert_eq!(judge(free, is_read_only), why, "{free} {is_read_only}");
        }
    }
}
