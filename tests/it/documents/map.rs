//! The map in CONTRIBUTING.md against the sources: dependencies run downwards, and there is no cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{Words, file};

/// The modules of the map, and how far down each stands.
fn tiers() -> BTreeMap<String, usize> {
    let text = file("CONTRIBUTING.md");
    let (_, map) = text.split_once("## Map of the source").unwrap();
    let block =
        map.lines().skip_while(|line| !line.starts_with("    ")).take_while(|line| line.starts_with("    "));
    let mut tiers = BTreeMap::new();
    let mut tier = 0;
    for line in block {
        tier += usize::from(line.trim() == "↓");
        let names = line.split(|c: char| !(c.is_ascii_lowercase() || "_./".contains(c)));
        let modules = names.filter_map(|name| {
            let name = name.strip_prefix("src/").unwrap_or(name);
            name.strip_suffix(".rs").or(name.strip_suffix('/'))
        });
        for module in modules.filter(|name| !name.is_empty() && !name.contains(['/', '.'])) {
            tiers.entry(module.to_owned()).or_insert(tier);
        }
    }
    tiers
}

/// What a module imports of the others, tests aside.
fn imports(module: &str) -> Words {
    fn text_of(path: &Path) -> String {
        if path.is_dir() {
            let entries = fs::read_dir(path).unwrap().map(|entry| text_of(&entry.unwrap().path()));
            return entries.collect();
        }
        let text = fs::read_to_string(path).unwrap();
        text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned()
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let one = src.join(format!("{module}.rs"));
    let text = text_of(&if one.exists() { one } else { src.join(module) });
    let names = text.split("crate::").skip(1);
    let names = names.map(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().unwrap());
    names.filter(|name| !name.is_empty() && *name != module).map(str::to_owned).collect()
}

#[test]
fn dependencies_run_down_the_map_and_never_in_a_circle() {
    let tiers = tiers();
    let modules: BTreeSet<String> = file("src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    assert!(modules.len() > 15, "{modules:?}");
    for module in &modules {
        let tier =
            tiers.get(module).unwrap_or_else(|| panic!("{module} is not in the map of CONTRIBUTING.md"));
        for import in imports(module) {
            let is_below = tiers.get(&import).is_some_and(|other| other >= tier);
            assert!(is_below, "src/{module} imports {import}, which is above it in the map or not in it");
        }
    }
    // What imports nothing that is left goes, again and again: what stays is in a circle.
    let mut left = modules;
    loop {
        let free: Vec<String> =
            left.iter().filter(|module| imports(module).is_disjoint(&left)).cloned().collect();
        if free.is_empty() {
            break;
        }
        left.retain(|module| !free.contains(module));
    }
    assert!(left.is_empty(), "these import each other: {left:?}");
}
