//! What is written about the program, and what the shells complete, against the program itself.

mod completion;
mod map;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::{Machine, PROGRAM};
use iio_focus::cli::Args;
use iio_focus::config::Config;
use pages::{code, documents, quoted};
use rusqlite::Connection;
use serde_json::Value;

type Words = BTreeSet<String>;

/// Where options, keys, exit statuses and variables are documented, beside the man pages.
const REFERENCE: &str = "docs/reference.md";

/// A file of the repository.
fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands below a heading, up to the next one that is not below it.
#[track_caller]
fn section(text: &str, heading: &str) -> String {
    let level = heading.chars().take_while(|c| *c == '#').count();
    let mut lines = text.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "no {heading:?}");
    let mut code = false;
    lines
        .take_while(|line| {
            code ^= line.starts_with("```");
            code || !line.starts_with('#') || line.chars().take_while(|c| *c == '#').count() > level
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

/// All `--words`.
fn options(text: &str) -> Words {
    let mut found = Words::new();
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let begins = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let word: String =
            rest[at + 2..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        rest = &rest[at + 2 + word.len()..];
        if begins && word.starts_with(|c: char| c.is_ascii_lowercase()) {
            found.insert(format!("--{word}"));
        }
    }
    found
}

/// A part of `--help`: the first words of its entries, which are less indented than their explanations.
fn help_part(words: &[&str], title: &str) -> Vec<String> {
    let machine = Machine::new();
    let mut all = vec![PROGRAM];
    all.extend(words);
    let help = machine.outcome(&mut machine.bare(&all)).stdout;
    let lines = help.lines().skip_while(|line| *line != title).skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(str::to_owned)
        .collect()
}

/// The options of a command, or of none.
fn options_of(command: Option<&str>) -> Words {
    let words: Vec<&str> = command.into_iter().chain(["--help"]).collect();
    let found = options(&help_part(&words, "Options:").join("\n"));
    assert!(found.contains("--help"), "{command:?}: {found:?}");
    found
}

fn commands() -> Vec<String> {
    let found: Vec<String> = help_part(&["--help"], "Commands:")
        .iter()
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert!(found.contains(&"list".to_owned()), "{found:?}");
    found
}

/// The keys that a table of the configuration takes, as an error lists them; of the file itself, its tables.
fn keys(table: Option<&str>) -> Words {
    let machine = Machine::new();
    let header = table.map(|name| format!("[{name}]\n")).unwrap_or_default();
    let config = machine.private_file("config.toml", format!("{header}no-such-key = 1\n"));
    let outcome = machine.outcome(&mut machine.bare(&[
        PROGRAM,
        "--log",
        "stderr",
        "--config",
        config.to_str().unwrap(),
    ]));
    let error = outcome.error(78);
    let (_, list) = error.split_once("expected one of ").unwrap();
    list.split(", ").map(|key| key.trim_matches('`').to_owned()).collect()
}

// ---- iio-focus(1), docs/reference.md: the options

#[test]
fn the_man_page_has_the_options_of_help_and_no_others() {
    let page = file("packaging/iio-focus.1.scd");
    let entries: String = section(&page, "# OPTIONS").lines().filter(|line| line.starts_with('*')).collect();
    assert_eq!(options(&entries), options_of(None));

    // Each command begins a line, and what is said of it is indented.
    let text = section(&page, "# COMMANDS");
    let mut said = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if line.starts_with('*') {
            current = line.split('*').nth(1).unwrap().to_owned();
        }
        if current.is_empty() {
            continue;
        }
        *said.entry(current.clone()).or_insert_with(String::new) += &format!("{line}\n");
    }
    let said: BTreeMap<String, Words> =
        said.into_iter().map(|(command, text)| (command, options(&text))).collect();
    let there = commands().into_iter().map(|command| (command.clone(), options_of(Some(&command)))).collect();
    assert_eq!(said, there);

    let synopsis = section(&page, "# SYNOPSIS");
    for command in commands() {
        let line = synopsis.lines().find(|line| line.starts_with(&format!("*iio-focus {command}*")));
        let mut there = options_of(Some(&command));
        there.remove("--help");
        assert_eq!(options(line.unwrap_or_else(|| panic!("{command}: {synopsis}"))), there);
    }
}

#[test]
fn the_man_page_and_the_reference_have_the_exit_statuses_and_variables_of_help() {
    let page = file("packaging/iio-focus.1.scd");
    let reference = file(REFERENCE);
    let commands = commands();
    let helps = commands.iter().map(|command| vec![command, "--help"]).chain([vec!["--help"]]);
    let of_help: Words = helps
        .flat_map(|words| help_part(&words, "Error codes:"))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    let of_page: Words = section(&page, "# EXIT STATUS")
        .lines()
        .filter_map(|line| line.strip_prefix('*')?.split(['*', ' ']).next().map(str::to_owned))
        .collect();
    let of_reference: Words = section(&reference, "## Exit status")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next().map(str::to_owned))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(of_page, of_help);
    assert_eq!(of_reference, of_help);
    assert!(of_help.contains("128"), "{of_help:?}");

    let variables = |text: &str| -> Words {
        text.split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .filter(|word| word.starts_with("WHATAP_") || word.starts_with("IIO_FOCUS_"))
            .map(str::to_owned)
            .collect()
    };
    let machine = Machine::new();
    let help = machine.outcome(&mut machine.bare(&[PROGRAM, "--help"])).stdout;
    assert!(variables(&help).len() > 4, "{help}");
    assert_eq!(variables(&section(&page, "# ENVIRONMENT")), variables(&help));
    assert_eq!(variables(&section(&reference, "## Configuration")), variables(&help));
}

#[test]
fn the_reference_has_the_options_of_help_and_no_others() {
    let reference = file(REFERENCE);
    let table: String =
        section(&reference, "## Options").lines().filter(|line| line.starts_with("| `--")).collect();
    assert_eq!(options(&table), options_of(None));

    let mut all = options_of(None);
    for command in commands() {
        let row = format!("| `iio-focus {command} ");
        let row = reference.lines().find(|line| line.starts_with(&row)).expect(&command);
        let mut there = options_of(Some(&command));
        all.extend(there.clone());
        there.remove("--help");
        assert_eq!(options(row), there, "{REFERENCE}: {command}");
    }
    let said = options(&section(&reference, "## Options"));
    assert!(said.is_subset(&all), "{REFERENCE}: {:?}", said.difference(&all));
}

#[test]
fn the_commands_that_are_shown_have_the_options_of_help() {
    let commands = commands();
    let mut shown = Words::new();
    for name in documents() {
        let text = file(&name);
        for (_, line) in code(&text).iter().filter_map(|line| line.split_once("iio-focus ")) {
            let first = line.split(' ').next().unwrap();
            let command = commands.iter().find(|command| *command == first);
            if command.is_none() && !first.starts_with("--") {
                continue;
            }
            // What stands behind a pipe is another program.
            let used = options(line.split(['|', ';', '>']).next().unwrap());
            let there = options_of(command.map(String::as_str));
            assert!(used.is_subset(&there), "{name}: {line}");
            shown.extend(command.cloned());
        }
    }
    assert_eq!(shown, commands.into_iter().collect());
}

// ---- docs/reference.md: what other programs read

/// The names of all members of a JSON value, but not of the kernel's errors.
fn members(value: &Value) -> Words {
    let below = |values: &mut dyn Iterator<Item = &Value>| values.flat_map(members).collect::<Words>();
    match value {
        Value::Object(map) => {
            let names = map.keys().filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).cloned();
            names.chain(below(&mut map.values())).collect()
        }
        Value::Array(values) => below(&mut values.iter()),
        _ => Words::new(),
    }
}

#[test]
fn the_reference_has_the_members_metrics_and_columns_that_other_programs_read() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    machine.run(&["--device", "nothing"]).error(66);
    let db = Connection::open(machine.store()).unwrap();
    db.execute(r#"UPDATE reading SET attempts = 2, failures = '{"EIO":1}'"#, []).unwrap();
    db.execute(
        r#"INSERT INTO verification VALUES (1, '{"at_ms": 1000, "since_ms": 0, "until_ms": 1, "verdict": "ok", "taken": 1,
            "arrived": 1, "waiting": 0, "missing": 0, "twice": 0, "not_ours": 0, "requeued": 0, "why": "all arrived",
            "alerted": false}')"#,
        [],
    )
    .unwrap();
    let config = machine.private_file("config.toml", machine.config_text()).display().to_string();
    let said = |words: &[&str]| machine.outcome(&mut machine.bare(&[&[PROGRAM], words].concat())).stdout;
    let sysfs = machine.path("sys").display().to_string();
    let reference = file(REFERENCE);

    for (heading, words) in [
        ("## Status", ["status", "--json", "--config", &config]),
        ("## Export", ["export", "--json", "--config", &config]),
        ("## List", ["list", "--json", "--sysfs", &sysfs]),
    ] {
        let there = members(&serde_json::from_str(&said(&words)).unwrap());
        assert!(there.len() > 3, "{there:?}");
        let missing: Vec<_> = there.difference(&quoted(&section(&reference, heading))).cloned().collect();
        assert!(missing.is_empty(), "{heading}: {missing:?}");
    }

    let metrics = said(&["status", "--prometheus", "--config", &config]);
    let there: Words = metrics
        .lines()
        .filter_map(|line| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.into()))
        .collect();
    let mut here = quoted(&section(&reference, "## Status"));
    here.retain(|word| word.starts_with("iio_focus_"));
    assert_eq!(here, there);

    let select =
        "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p WHERE p.name != 'id'";
    let mut columns = db.prepare(select).unwrap();
    let columns = columns.query_map([], |row| Ok([row.get(0)?, row.get(1)?])).unwrap();
    let there: Words = columns.flat_map(|column| column.unwrap()).collect();
    let missing: Vec<_> = there.difference(&quoted(&section(&reference, "## Store"))).cloned().collect();
    assert!(there.len() > 15 && missing.is_empty(), "{missing:?}");
}

// ---- iio-focus.toml(5), docs/reference.md, README, the example: the configuration

/// The settings of a text in TOML, table by table. Comments are cut, values kept as they are written.
fn settings(text: &str) -> BTreeMap<(String, String), String> {
    let mut table = String::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap().trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            table = name.to_owned();
        } else if let Some((key, value)) = line.split_once(" = ") {
            assert!(found.insert((table.clone(), key.to_owned()), value.to_owned()).is_none(), "{line}");
        }
    }
    found
}

/// The example with nothing commented out.
fn example() -> String {
    let mut text = file("packaging/iio-focus.toml").replace("\n# ", "\n");
    // The head is about the file.
    text.drain(..text.find("[sensor]").unwrap());
    text
}

/// The man page's settings as TOML: `*key* = _value_` or `*key*, *key* = value`, below `# [TABLE]`.
fn man_page_as_toml() -> String {
    let page = file("packaging/iio-focus.toml.5.scd");
    let mut text = String::new();
    for table in keys(None) {
        text += &format!("[{table}]\n");
        for line in section(&page, &format!("# [{}]", table.to_uppercase())).lines() {
            if let Some((keys, value)) = line.split_once(" = ").filter(|_| line.starts_with('*')) {
                for key in keys.split(", ") {
                    text += &format!("{} = {}\n", key.trim_matches('*'), value.replace('_', ""));
                }
            }
        }
    }
    text
}

#[test]
fn the_man_page_of_the_configuration_has_the_keys_of_the_program_and_no_others() {
    let said = settings(&man_page_as_toml());
    let said: Words = said.keys().map(|(table, key)| format!("{table}.{key}")).collect();
    let mut there = Words::new();
    for table in keys(None) {
        there.extend(keys(Some(&table)).iter().map(|key| format!("{table}.{key}")));
    }
    assert_eq!(said, there);
}

#[test]
fn the_reference_and_the_example_mention_every_key_and_say_what_the_man_page_says() {
    let reference = section(&file(REFERENCE), "## Configuration");
    let page = settings(&man_page_as_toml());
    let block = toml(&reference);
    for (name, text, all) in [(REFERENCE, &block, &reference), ("the example", &example(), &example())] {
        let said = settings(text);
        assert!(said.len() > 20, "{name}: {said:?}");
        for (setting, value) in &said {
            assert_eq!(page.get(setting), Some(value), "{name}: {setting:?}");
        }
        for (table, key) in page.keys() {
            let words: Vec<&str> =
                all.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').collect();
            assert!(words.contains(&key.as_str()), "{name} does not mention {table}.{key}");
        }
    }

    // The README has what must be set, and nothing else.
    let readme = settings(&toml(&section(&file("README.md"), "## Configuration")));
    let mut needed = settings(&file("packaging/iio-focus.toml"));
    needed.retain(|(_, key), _| !key.starts_with('#'));
    assert!(readme.len() == 3 && readme == needed, "README.md: {readme:?}, {needed:?}");
}

/// The first block of TOML.
fn toml(text: &str) -> String {
    text.lines()
        .skip_while(|line| *line != "```toml")
        .skip(1)
        .take_while(|line| *line != "```")
        .map(|line| format!("{line}\n"))
        .collect()
}

fn load(machine: &Machine, text: &str) -> Config {
    let path = machine.private_file("config.toml", text).display().to_string();
    let args = Args { config: Some(path), ..Args::default() };
    Config::load(&args, &|_| None).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_example_shows_the_defaults() {
    let machine = Machine::new();
    let as_installed = file("packaging/iio-focus.toml");
    let all = example();
    assert_ne!(settings(&all), settings(&as_installed));
    let config = load(&machine, &all);
    assert_eq!(config.device.as_deref(), Some("kitchen"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);

    let examples = ["device", "oname", "tags"];
    let defaults: String = all
        .lines()
        .filter(|line| !examples.contains(&line.split(' ').next().unwrap()))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(all.lines().count() - defaults.lines().count(), examples.len());
    assert_eq!(format!("{:?}", load(&machine, &defaults)), format!("{:?}", load(&machine, &as_installed)));
}

#[test]
fn the_man_page_shows_the_defaults() {
    let machine = Machine::new();
    let (mut page, mut installed) = (String::new(), String::new());
    for line in man_page_as_toml().lines() {
        let key = line.split(' ').next().unwrap();
        if !["device", "license-file", "oname", "okind", "onode", "pk", "tags"].contains(&key) {
            page += &format!("{line}\n");
        }
        if line.starts_with('[') || ["license", "pcode", "server-host"].contains(&key) {
            installed += &format!("{line}\n");
        }
    }
    assert_eq!(format!("{:?}", load(&machine, &page)), format!("{:?}", load(&machine, &installed)));
}

// ---- the pages themselves

#[test]
fn the_man_pages_are_without_mistakes() {
    for name in ["iio-focus.1", "iio-focus.toml.5"] {
        let machine = Machine::new();
        let source =
            fs::File::open(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("packaging/{name}.scd")));
        let page = Command::new("scdoc").stdin(source.unwrap()).output().expect("scdoc");
        assert!(page.status.success(), "{name}: {page:?}");
        fs::write(machine.path(name), page.stdout).unwrap();
        let shown = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(machine.path(name))
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("man");
        assert!(shown.status.success() && shown.stderr.is_empty(), "{name}: {shown:?}");
        assert!(String::from_utf8(shown.stdout).unwrap().contains("SEE ALSO"), "{name}");
    }
}
