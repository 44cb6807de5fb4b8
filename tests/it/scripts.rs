//! The scripts that fetch what a build needs: a Debian mirror that is in the middle of an update is tried again after a
//! pause, and nothing else is; a Rust that is too old is told in one line.

use std::fs;
use std::process::Command;

/// Calls `again` with a command that fails with these words, one for each try, and goes well when they are used up.
/// Returns the exit status, and how many words are left.
fn again(words: &[&str]) -> (i32, usize) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("words");
    fs::write(&file, words.iter().map(|word| format!("{word}\n")).collect::<String>()).unwrap();
    let script = "AGAIN_PAUSES='0 0'
        . packaging/tools/again.sh
        mirror() {
            [ -s \"$file\" ] || return 0
            head -n 1 \"$file\" >&2
            sed -i 1d \"$file\"
            return 100
        }
        again mirror";
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(env!("CARGO_MANIFEST_DIR")).env("file", &file);
    let output = command.output().unwrap();
    (output.status.code().unwrap(), fs::read_to_string(file).unwrap().lines().count())
}

#[test]
fn a_mirror_in_the_middle_of_an_update_is_tried_again_and_nothing_else_is() {
    let size = "E: Failed to fetch http://mirror/Packages  File has unexpected size (2 != 1). Mirror sync in progress?";
    let sum = "E: Failed to fetch http://mirror/a.deb  Hash Sum mismatch";
    let offline = "E: Failed to fetch http://mirror/Packages  Could not resolve 'mirror'";
    assert_eq!(again(&[]), (0, 0));
    assert_eq!(again(&[size]), (0, 0));
    assert_eq!(again(&[sum, size]), (0, 0));
    assert_eq!(again(&[size, size, size]), (100, 0));
    assert_eq!(again(&[size, size, size, size]), (100, 1));
    assert_eq!(again(&[offline, size]), (100, 1));
}

#[test]
fn a_rust_that_is_too_old_is_told_in_one_line() {
    let need = |cargo: &str, says: &str| {
        let script = "cargo() { eval \"$says\"; }; . packaging/tools/need-rust.sh";
        let mut command = Command::new("sh");
        command.args(["-uc", script, "packaging/tools/need-rust.sh"]);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO", cargo).env("says", says);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for right in
        ["cargo 1.85.1 (d73d2caf9 2024-12-31)", "cargo 1.85.0", "cargo 1.100.0-nightly (x)", "cargo 2.0.0"]
    {
        assert_eq!(need("cargo", &format!("echo '{right}'")), (0, String::new()), "{right}");
    }
    for (cargo, says, wanted) in [
        ("cargo", "echo cargo 1.65.0", "cargo 1.65.0 is too old; Rust 1.85 or later is needed: "),
        (
            "cargo",
            "echo no default is configured; echo help; false",
            "cargo cannot be used (no default is configured); Rust 1.85 ",
        ),
        ("/nonexistent/cargo", "", "there is no cargo; Rust 1.85 or later is needed: "),
    ] {
        let (status, said) = need(cargo, says);
        assert!(said.starts_with(wanted) && said.ends_with("https://rustup.rs\n"), "{said}");
        assert_eq!((status, said.lines().count()), (1, 1), "{said}");
    }
}
