//! The boot partition of a Raspberry Pi.

use std::fs;
use std::path::{Path, PathBuf};

use super::board::Board;
use super::config_txt::{self, OUR_OVERLAY, Overlay};
use crate::error::Problem;
use crate::open;

/// Far more than any `config.txt`.
pub(crate) const LONGEST: u64 = 1 << 20;

/// What stands in `/boot/config.txt` since Bookworm, also if the boot partition is not mounted.
const MOVED: &str = "has moved to /boot/firmware/config.txt";

pub(crate) struct Boot {
    pub(crate) config_file: PathBuf,
    /// The overlays that `config.txt` loads and that take a GPIO line.
    pub(crate) overlays: Result<Vec<Overlay>, Problem>,
    /// Overlays for a DHT22 or DHT11 that another `config.txt` has, which the firmware does not read.
    pub(crate) unread: Vec<Overlay>,
    /// Where our overlay's file belongs.
    pub(crate) overlay_file: PathBuf,
    /// Whether it begins as a flattened device tree does.
    pub(crate) is_device_tree: Result<bool, Problem>,
}

impl Boot {
    /// Where the firmware reads: since Bookworm it is mounted on `/boot/firmware`, and before on `/boot`.
    pub(crate) fn look(root: &Path, board: &Board) -> Option<Boot> {
        let [new, old] = ["boot/firmware", "boot"].map(|dir| root.join(dir));
        let other = old.join("config.txt");
        let is_stub = |file: &Path| text(file).is_some_and(|text| text.contains(MOVED));
        let has_config = |dir: &PathBuf| dir.join("config.txt").exists() && !is_stub(&dir.join("config.txt"));
        let dir = [new, old].into_iter().find(has_config)?;
        let config_file = dir.join("config.txt");
        let overlay_file = dir.join("overlays").join(format!("{OUR_OVERLAY}.dtbo"));
        let is_same = || fs::canonicalize(&other).ok() == fs::canonicalize(&config_file).ok();
        let mut unread = Vec::new();
        if config_file != other && other.exists() && !is_same() {
            unread = config_txt::parse(board, &other, &text);
            unread.retain(Overlay::is_for_sensor);
        }
        let overlays = match open::read(&config_file, LONGEST) {
            Err(error) => Err(Problem::file("read", &config_file, &error)),
            Ok(_) => Ok(config_txt::parse(board, &config_file, &text)),
        };
        Some(Boot {
            overlays,
            unread,
            config_file,
            is_device_tree: is_device_tree(&overlay_file),
            overlay_file,
        })
    }
}

/// The text of a file of the boot partition. The firmware knows no encoding: what is no ASCII is in comments only.
pub(crate) fn text(path: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&open::read(path, LONGEST).ok()?.0).into_owned())
}

fn is_device_tree(path: &Path) -> Result<bool, Problem> {
    let read = open::read(path, 4).map_err(|error| Problem::file("read", path, &error));
    read.map(|(magic, _)| magic == [0xd0, 0x0d, 0xfe, 0xed])
}
