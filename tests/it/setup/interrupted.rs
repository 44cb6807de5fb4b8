//! A setup that is killed at each of its system calls: every file is the old one or the new one, and the next setup
//! finishes the work.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::card::{Card, GIVEN, LINE, OVERLAY};
use crate::machine::{Call, LICENSE, calls_in, on_all};

const FORMER: &str = "dtparam=audio=on\n[pi4]\narm_boost=1\n";
const TOKEN: &str = "QWERTYTOKEN1234";
const CONFIG: &str = "# mine\n[focus]\nserver-host = \"192.0.2.1\"\n";

/// A card with a configuration, so that each file has a former content.
fn card() -> Card {
    let card = Card::new();
    card.write("boot/firmware/config.txt", FORMER);
    card.write("etc/iio-focus.toml", CONFIG);
    card.write("boot/firmware/overlays/iio-focus-dht22.dtbo", FORMER);
    card.machine.private_file("token", TOKEN);
    card
}

/// The words of a setup of all that it can write.
fn words(card: &Card) -> Vec<String> {
    let mut words = card.words(&GIVEN);
    words.extend(["--api-token-file".to_owned(), card.machine.path("token").display().to_string()]);
    words
}

/// The system calls of a setup that can be seen from outside.
fn calls() -> Vec<Call> {
    let card = card();
    assert_eq!(traced(&card, &[]), 0);
    let mut calls = calls_in(&fs::read_to_string(card.machine.path("trace")).unwrap());
    calls.retain(Call::is_seen);
    calls
}

fn traced(card: &Card, options: &[&str]) -> i32 {
    let trace = card.machine.path("trace").display().to_string();
    let mut words: Vec<String> = ["strace", "-qq", "-o", &trace].map(str::to_owned).into();
    words.extend(options.iter().map(|option| (*option).to_owned()));
    words.extend(self::words(card));
    card.machine.outcome(&mut card.machine.bare(&words)).status
}

/// What the files hold in the end.
struct New {
    boot: String,
    config: String,
    license: String,
    token: String,
}

impl New {
    fn of_card() -> New {
        New {
            boot: format!("{FORMER}\n[all]\n{LINE}\n"),
            config: format!("{CONFIG}pcode = 7000\n"),
            license: format!("{LICENSE}\n"),
            token: format!("{TOKEN}\n"),
        }
    }

    /// Each file is the new one, or before that is sure, the old one.
    fn check(&self, card: &Card, former_mode: Option<u32>, what: &str) {
        let old = |content: Option<&'static str>, mode: u32| {
            former_mode.map(|_| (content.map(str::as_bytes), mode))
        };
        let config_mode = former_mode.unwrap_or(0);
        for (name, old, new, mode) in [
            ("boot/firmware/config.txt", old(Some(FORMER), 0o644), self.boot.as_bytes(), 0o644),
            ("boot/firmware/config.txt.iio-focus-old", old(None, 0), FORMER.as_bytes(), 0o644),
            ("boot/firmware/overlays/iio-focus-dht22.dtbo", old(Some(FORMER), 0o644), OVERLAY, 0o644),
            ("etc/iio-focus.toml", old(Some(CONFIG), config_mode), self.config.as_bytes(), 0o640),
            ("etc/credstore/iio-focus.license", old(None, 0), self.license.as_bytes(), 0o600),
            ("etc/credstore/iio-focus.api-token", old(None, 0), self.token.as_bytes(), 0o600),
        ] {
            let path = card.path(name);
            let bytes = fs::read(&path).ok();
            let there = (bytes.as_deref(), path.metadata().map_or(0, |meta| meta.mode() & 0o777));
            assert!(there == (Some(new), mode) || Some(there) == old, "{what}: {name}: {there:?}");
        }
    }
}

/// Kills a setup at this call, and looks at what is left; then lets another one finish the work.
fn kill_at(call: &Call, new: &New) {
    let card = card();
    let former_mode = card.path("etc/iio-focus.toml").metadata().unwrap().mode() & 0o777;
    let inject = call.killed();
    assert_eq!(traced(&card, &["-e", &inject]), 1009, "{inject}");
    new.check(&card, Some(former_mode), &inject);
    // Beside the configuration and the licence it leaves nothing that others can read.
    for (path, (mode, _, _)) in card.state() {
        let is_secret = path.starts_with(card.path("etc")) && is_left_over(&path);
        assert!(!is_secret || mode & 0o007 == 0, "{inject}: {path:?} {mode:o}");
    }
    let outcome = card.machine.outcome(&mut card.machine.bare(&words(&card)));
    assert_eq!(outcome.status, 0, "{inject}: {outcome:#?}");
    new.check(&card, None, &inject);
    let timer = card.path("etc/systemd/system/timers.target.wants/iio-focus.timer");
    assert!(timer.symlink_metadata().is_ok(), "{inject}");
    let left: Vec<_> = card.state().into_keys().filter(|path| is_left_over(path)).collect();
    assert!(left.is_empty(), "{inject}: {left:?}");
}

#[test]
fn killed_at_any_system_call_it_leaves_each_file_old_or_new() {
    let new = New::of_card();
    on_all(|| (), &calls(), |(), call| kill_at(call, &new));
}

/// Whether it is what was to replace a file.
fn is_left_over(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with('.')
}
