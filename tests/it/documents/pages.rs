//! The documents among each other: links, and the Korean pages against the English ones.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Words, file};

/// The documents that are there in Korean too.
pub(super) fn documents() -> Vec<String> {
    let pages = |folder: &str| -> Words {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".md")).collect()
    };
    let english = pages("docs");
    assert_eq!(pages("docs/ko"), english);
    assert!(english.contains("reference.md"), "{english:?}");
    english.iter().map(|name| format!("docs/{name}")).chain(["README.md".to_owned()]).collect()
}

/// A document's name in Korean.
fn in_korean(name: &str) -> String {
    name.strip_prefix("docs/").map_or("README.ko.md".to_owned(), |page| format!("docs/ko/{page}"))
}

/// The lines of all code, without the comments and the blanks around them.
pub(super) fn code(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let fence = line.starts_with("```");
        fenced ^= fence;
        if fenced && !fence || line.starts_with("    ") {
            found.push(line.split("  #").next().unwrap().trim());
        }
    }
    found
}

/// Headings by their level, and tables by their rows.
fn shape(text: &str) -> Vec<String> {
    let mut shape = Vec::new();
    for line in text.lines() {
        match line.split(' ').next() {
            Some(level) if level.starts_with('#') => shape.push(level.to_owned()),
            Some("|") => shape.push("row".to_owned()),
            _ => (),
        }
    }
    shape
}

/// The links to other places in the repository: the file from its root, and the heading.
fn links(name: &str, text: &str) -> Vec<(String, String)> {
    let folder = Path::new(name).parent().unwrap();
    let targets = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let mut found = Vec::new();
    for target in targets.filter(|target| !target.starts_with("http")) {
        let (page, heading) = target.split_once('#').unwrap_or((target, ""));
        let mut path = if page.is_empty() { PathBuf::from(name) } else { folder.to_owned() };
        for part in page.split('/').filter(|part| !part.is_empty()) {
            if part == ".." {
                assert!(path.pop(), "{name}: {target}");
            } else {
                path.push(part);
            }
        }
        found.push((path.to_str().unwrap().to_owned(), heading.to_owned()));
    }
    found
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// What stands in `backquotes`, outside code.
pub(super) fn quoted(text: &str) -> Words {
    let prose: String =
        text.lines().filter(|line| !line.starts_with("    ")).map(|line| format!("{line} ")).collect();
    prose.replace("```", "").split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A document's name in the other language; of one that is in English alone, its own.
fn in_the_other(name: &str) -> String {
    let pairs = documents().into_iter().map(|english| (in_korean(&english), english));
    let mut both = pairs.flat_map(|(korean, english)| [(korean.clone(), english.clone()), (english, korean)]);
    both.find(|(this, _)| this == name).map_or(name.to_owned(), |(_, other)| other)
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let alone =
        ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "tests/kernel/README.md"].map(str::to_owned);
    let pairs = documents().into_iter().flat_map(|name| [in_korean(&name), name]);
    let mut all = 0;
    for name in pairs.chain(alone) {
        for (page, heading) in links(&name, &file(&name)) {
            let text = file(&page);
            let there = text.lines().filter(|line| line.starts_with('#')).map(anchor);
            let found = heading.is_empty() || there.collect::<Vec<_>>().contains(&heading);
            assert!(found, "{name}: {page} has no heading {heading}");
            all += 1;
        }
    }
    assert!(all > 50, "{all}");
}

#[test]
fn the_korean_documents_have_the_commands_and_the_shape_of_the_english_ones() {
    let mut all = (0, 0);
    for name in documents() {
        let (english, korean) = (file(&name), file(&in_korean(&name)));
        assert!(!shape(&english).is_empty() && !code(&english).is_empty(), "{name}");
        assert_eq!(code(&korean), code(&english), "{name}");
        assert_eq!(shape(&korean), shape(&english), "{name}");
        assert_eq!(quoted(&korean), quoted(&english), "{name}");
        let there: Words = links(&name, &english).into_iter().map(|(page, _)| in_the_other(&page)).collect();
        let here: Words = links(&in_korean(&name), &korean).into_iter().map(|(page, _)| page).collect();
        assert!(here.contains(&name), "{name}: no link to the English one");
        assert_eq!(here, there, "{name}: links");
        all = (all.0 + code(&english).len(), all.1 + quoted(&english).len());
    }
    assert!(all.0 > 150 && all.1 > 200, "{all:?}");
}
