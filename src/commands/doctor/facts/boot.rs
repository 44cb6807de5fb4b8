//! The boot partition of a Raspberry Pi.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::board::Board;
use super::config_txt::{self, OUR_OVERLAY, Overlay};
use crate::error::Problem;

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
        let dir = [new, old].into_iter().find(|dir| dir.join("config.txt").exists())?;
        let config_file = dir.join("config.txt");
        let overlay_file = dir.join("overlays").join(format!("{OUR_OVERLAY}.dtbo"));
        let is_same = || fs::canonicalize(&other).ok() == fs::canonicalize(&config_file).ok();
        let mut unread = Vec::new();
        if config_file != other && other.exists() && !is_same() {
            unread = config_txt::parse(board, &other, &text);
            unread.retain(Overlay::is_for_sensor);
        }
        let overlays = match fs::read(&config_file) {
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

fn text(path: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

fn is_device_tree(path: &Path) -> Result<bool, Problem> {
    let mut magic = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut magic));
    read.map_err(|error| Problem::file("read", path, &error))?;
    Ok(magic == [0xd0, 0x0d, 0xfe, 0xed])
}
