//! A folder with the layout of Raspberry Pi OS, as far as setup looks at it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::Stdio;

use crate::machine::{LICENSE, Machine, Outcome, PROGRAM, stand_in};

/// The line that setup adds unless it is told otherwise.
pub(crate) const LINE: &str = "dtoverlay=iio-focus-dht22,gpiopin=4";

/// What the package's overlay begins with, and here is all of it.
pub(crate) const OVERLAY: &[u8] = b"\xd0\x0d\xfe\xed";

/// All that setup needs to be told.
pub(crate) const GIVEN: [&str; 7] =
    ["--license-file", "LICENSE", "--pcode", "7000", "--server-host", "192.0.2.1", "--yes"];

pub(crate) struct Card {
    pub(crate) machine: Machine,
    /// Of the service's group.
    pub(crate) gid: u32,
}

impl Card {
    pub(crate) fn new() -> Card {
        let machine = Machine::new();
        // In a user namespace there is no other group than root's.
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let card = Card { gid: if is_root { 991 } else { 0 }, machine };
        for dir in [
            "etc",
            "boot/firmware/overlays",
            "usr/share/iio-focus",
            "usr/lib/systemd/system",
            "usr/local/bin",
        ] {
            fs::create_dir_all(card.path(dir)).unwrap();
        }
        card.write("etc/passwd", "root:x:0:0::/root:/bin/sh\niio-focus:x:990:991::/:/bin/false\n");
        card.write("etc/group", &format!("root:x:0:\niio-focus:x:{}:\n", card.gid));
        card.write("boot/firmware/config.txt", "dtparam=audio=on\n\n[cm4]\notg_mode=1\n\n[all]\n");
        card.write("usr/lib/systemd/system/iio-focus.timer", "");
        fs::write(card.path("usr/share/iio-focus/iio-focus-dht22.dtbo"), OVERLAY).unwrap();
        symlink(stand_in(), card.path("usr/local/bin/focus")).unwrap();
        card.machine.private_file("licence", LICENSE);
        card
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.machine.path("card").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The words of a setup of this card; `LICENSE` is the file with the licence.
    pub(crate) fn words(&self, words: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            all.extend(["unshare", "-r"].map(str::to_owned));
        }
        all.extend([PROGRAM, "setup"].map(str::to_owned));
        if !words.contains(&"--root") {
            all.extend(["--root".to_owned(), self.machine.path("card").display().to_string()]);
        }
        let license = self.machine.path("licence").display().to_string();
        all.extend(words.iter().map(|word| word.replace("LICENSE", &license)));
        all
    }

    pub(crate) fn setup(&self, words: &[&str]) -> Outcome {
        self.machine.outcome(&mut self.machine.bare(&self.words(words)))
    }

    pub(crate) fn setup_with_input(&self, words: &[&str], input: &str) -> Outcome {
        let mut command = self.machine.bare(&self.words(words));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        self.machine.finish(child)
    }

    /// All files of the card with their mode, content and number, so that a file that was written again is another one.
    pub(crate) fn state(&self) -> BTreeMap<PathBuf, (u32, u64, Vec<u8>)> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.path("")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let meta = entry.path().symlink_metadata().unwrap();
                let content = if meta.is_dir() {
                    folders.push(entry.path());
                    Vec::new()
                } else if meta.is_symlink() {
                    fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    fs::read(entry.path()).unwrap()
                };
                all.insert(entry.path(), (meta.mode(), meta.ino(), content));
            }
        }
        all
    }
}
