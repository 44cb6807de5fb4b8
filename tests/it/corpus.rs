//! Every input that the fuzzers are given or have found, through the same checks as there (`tests/fuzz`).

#[allow(unreachable_pub, reason = "the fuzzers are crates of their own")]
#[path = "../fuzz/src/checks.rs"]
mod fuzz;

use std::fs;
use std::path::Path;

/// Runs the check on each input that is kept for this target: `seeds` were written for it, `corpus` was found.
fn replay(target: &str, check: fn(&[u8])) {
    for kind in ["seeds", "corpus"] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(kind).join(target);
        let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
        assert!(!paths.is_empty(), "{} holds nothing", dir.display());
        paths.sort();
        for path in paths {
            let input = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if std::panic::catch_unwind(|| check(&input)).is_err() {
                panic!("{} does not hold, see above", path.display());
            }
        }
    }
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
