//! Every input that the fuzzers are given or have found, through the same checks as there (`tests/fuzz`).

#[allow(unreachable_pub, reason = "the fuzzers are crates of their own")]
#[path = "../fuzz/src/checks.rs"]
mod fuzz;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the check on each input that is kept for this target: `seeds` were written for it or found a mistake, what is in
/// the archive in `corpus` was found to take another way through the code.
fn replay(target: &str, check: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let found = tempfile::tempdir().expect("a folder is made");
    let archive = fuzz.join("corpus").join(target).with_extension("tar.xz");
    let tar = Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(found.path()).output();
    let tar = tar.expect("tar is installed");
    assert!(tar.status.success(), "{}: {tar:?}", archive.display());
    for path in inputs(&fuzz.join("seeds").join(target)).into_iter().chain(inputs(found.path())) {
        let input = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if std::panic::catch_unwind(|| check(&input)).is_err() {
            let name = path.file_name().expect("a file has a name");
            panic!("{} of {target} does not hold, see above", name.to_string_lossy());
        }
    }
}

/// The files in this folder, at least one, by name.
fn inputs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    assert!(!paths.is_empty(), "{} holds nothing", dir.display());
    paths.sort();
    paths
}

#[test]
fn any_configuration_is_taken_or_refused_in_one_line() {
    replay("configuration", fuzz::configuration);
}

#[test]
fn any_attribute_is_the_number_it_says_or_refused() {
    replay("number", fuzz::number);
}

#[test]
fn whatever_focus_prints_is_judged_the_same_and_never_the_licence() {
    replay("transcript", fuzz::transcript);
}

#[test]
fn any_file_in_the_stores_place_is_used_or_set_aside_or_left() {
    replay("store", fuzz::store);
}
