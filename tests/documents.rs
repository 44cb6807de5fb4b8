//! What is written about the program, and what the shells complete, against the program itself.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Bench, HTU21, PATH, PROGRAM};
use iio_focus::cli::Args;
use iio_focus::config::Config;
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
    let bench = Bench::new();
    let mut all = vec![PROGRAM];
    all.extend(words);
    let help = bench.outcome(&mut bench.bare(&all)).stdout;
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
    let bench = Bench::new();
    let header = table.map(|name| format!("[{name}]\n")).unwrap_or_default();
    let config = bench.private_file("config.toml", format!("{header}no-such-key = 1\n"));
    let outcome =
        bench.outcome(&mut bench.bare(&[PROGRAM, "--log", "stderr", "--config", config.to_str().unwrap()]));
    let error = outcome.error(78);
    let (_, list) = error.split_once("expected one of ").unwrap();
    list.split(", ").map(|key| key.trim_matches('`').to_owned()).collect()
}

// ---- iio-focus(1), docs/reference.md, completion: the options

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
    let bench = Bench::new();
    let help = bench.outcome(&mut bench.bare(&[PROGRAM, "--help"])).stdout;
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

/// What bash offers for a line, the cursor at its end.
fn bash(line: &str, bench: &Bench) -> Words {
    // As bash splits it for completion: at its own word breaks, which stand as words of their own.
    let script = r#"
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=() word=
        for ((i = 0; i < ${#COMP_LINE}; i++)); do
            c=${COMP_LINE:i:1}
            case $c in
            ' ') [[ $word ]] && COMP_WORDS+=("$word"); word= ;;
            [=:@]) [[ $word ]] && COMP_WORDS+=("$word"); COMP_WORDS+=("$c"); word= ;;
            *) word+=$c ;;
            esac
        done
        [[ $word || $COMP_LINE == *' ' ]] && COMP_WORDS+=("$word")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _iio_focus
        ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
    "#;
    shell(&["bash", "--norc", "-c", script, "bash"], "iio-focus.bash", line, bench)
}

/// What fish offers for a line, the cursor at its end.
fn fish(line: &str, bench: &Bench) -> Words {
    let script = "source $argv[1]; complete -C $argv[2] | string replace -r '\\t.*' ''; true";
    shell(&["fish", "--no-config", "-c", script], "iio-focus.fish", line, bench)
}

/// What zsh offers for a line, the cursor at its end: a real one, on a terminal, since only its line editor completes.
fn zsh(line: &str, bench: &Bench) -> Words {
    let settings = r#"
        fpath=($completion:h $fpath)
        autoload -Uz compinit && compinit -D -u
        offered=()
        compadd() {
            local -a hits
            if [[ " ${@[1,(i)(-|--)]} " != *" -"[a-zA-Z]#[OAD]" "* ]]; then
                builtin compadd -A hits "$@"
                offered+=($hits)
            fi
            builtin compadd "$@"
        }
        zle -C capture complete-word _main_complete
        zle-line-init() {
            BUFFER=$line CURSOR=$#line
            zle capture
            print -rl -- $offered >offered
            exit
        }
        zle -N zle-line-init
    "#;
    fs::write(bench.path(".zshrc"), settings).unwrap();
    let _ = fs::remove_file(bench.path("offered"));
    let script = "completion=$1 line=$2 script -qec 'zsh -d -i' /dev/null >/dev/null";
    shell(&["sh", "-c", script, "sh"], "_iio-focus", line, bench);
    let offered = fs::read_to_string(bench.path("offered")).expect("zsh");
    offered.lines().filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn shell(words: &[&str], completion: &str, line: &str, bench: &Bench) -> Words {
    let completion = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions").join(completion);
    let programs = Path::new(PROGRAM).parent().unwrap().display();
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg(completion)
        .arg(line)
        .env_clear()
        .env("PATH", format!("{programs}:{PATH}"))
        .env("HOME", bench.path(""))
        .current_dir(bench.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", words[0]));
    assert!(output.status.success() && output.stderr.is_empty(), "{line:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

type Shell = fn(&str, &Bench) -> Words;
const SHELLS: [(&str, Shell); 3] = [("bash", bash), ("fish", fish), ("zsh", zsh)];

#[test]
fn shells_complete_what_help_has_and_nothing_else() {
    let bench = Bench::new();
    for (name, shell) in SHELLS {
        let offered = shell("iio-focus --", &bench);
        assert_eq!(offered, options_of(None), "{name}");
        for command in commands() {
            assert!(shell("iio-focus ", &bench).contains(&command), "{name}: {command}");
            let offered = shell(&format!("iio-focus {command} --"), &bench);
            assert_eq!(offered, options_of(Some(&command)), "{name}: {command}");
        }
        assert_eq!(shell("iio-focus --log ", &bench), ["auto", "syslog", "stderr"].map(str::to_owned).into());
        assert_eq!(shell("iio-focus --attempts ", &bench), Words::new(), "{name}");
    }
}

#[test]
fn shells_complete_the_sensors_that_are_there() {
    let bench = Bench::new();
    bench.device(0, &[&HTU21[1..], &[("name", "dht11@4\n"), ("label", "kitchen\n")]].concat());
    bench.device(1, &[&HTU21[1..], &[("name", "dht11@11\n"), ("label", "wine cellar\n")]].concat());
    let sysfs = bench.path("sys").display().to_string();
    for (name, shell) in SHELLS {
        let spelled = if name == "fish" { "wine cellar" } else { "wine\\ cellar" };
        let all =
            ["iio:device0", "dht11@4", "kitchen", "iio:device1", "dht11@11", spelled].map(str::to_owned);
        assert_eq!(shell(&format!("iio-focus --sysfs {sysfs} --device "), &bench), all.into(), "{name}");
        for line in ["--sysfs {} --device ki", "--sysfs={} --verbose --device ki"] {
            let line = format!("iio-focus {}", line.replace("{}", &sysfs));
            assert_eq!(shell(&line, &bench), ["kitchen".to_owned()].into(), "{name}: {line}");
        }
    }
    // bash puts in what is behind its own last word break.
    for (typed, offered) in [
        ("--device=ki", ["kitchen"].as_slice()),
        ("--device iio:dev", &["device0", "device1"]),
        ("--device=iio:device1", &["device1"]),
        ("--device dht11@", &["4", "11"]),
        ("--device dht11@1", &["11"]),
        ("--device nothing", &[]),
    ] {
        let offered: Words = offered.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(bash(&format!("iio-focus --sysfs {sysfs} {typed}"), &bench), offered, "{typed}");
    }
}

#[test]
fn shells_complete_files_and_folders() {
    let bench = Bench::new();
    fs::write(bench.path("configuration.toml"), "").unwrap();
    for (name, shell) in SHELLS {
        assert!(shell("iio-focus --config conf", &bench).contains("configuration.toml"), "{name}");
        let folder = shell("iio-focus list --sysfs sy", &bench);
        assert!(folder.contains("sys") || folder.contains("sys/"), "{name}: {folder:?}");
    }
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
    let bench = Bench::with_sensor();
    bench.run(&[]).delivered();
    bench.run(&["--device", "nothing"]).error(66);
    let db = Connection::open(bench.store()).unwrap();
    db.execute(r#"UPDATE reading SET attempts = 2, failures = '{"EIO":1}'"#, []).unwrap();
    let config = bench.private_file("config.toml", bench.config_text()).display().to_string();
    let said = |words: &[&str]| bench.outcome(&mut bench.bare(&[&[PROGRAM], words].concat())).stdout;
    let sysfs = bench.path("sys").display().to_string();
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

fn load(bench: &Bench, text: &str) -> Config {
    let path = bench.private_file("config.toml", text).display().to_string();
    let args = Args { config: Some(path), ..Args::default() };
    Config::load(&args, &|_| None).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_example_shows_the_defaults() {
    let bench = Bench::new();
    let as_installed = file("packaging/iio-focus.toml");
    let all = example();
    assert_ne!(settings(&all), settings(&as_installed));
    let config = load(&bench, &all);
    assert_eq!(config.device.as_deref(), Some("kitchen"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);

    let examples = ["device", "oname", "tags"];
    let defaults: String = all
        .lines()
        .filter(|line| !examples.contains(&line.split(' ').next().unwrap()))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(all.lines().count() - defaults.lines().count(), examples.len());
    assert_eq!(format!("{:?}", load(&bench, &defaults)), format!("{:?}", load(&bench, &as_installed)));
}

#[test]
fn the_man_page_shows_the_defaults() {
    let bench = Bench::new();
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
    assert_eq!(format!("{:?}", load(&bench, &page)), format!("{:?}", load(&bench, &installed)));
}

// ---- the pages themselves

#[test]
fn the_man_pages_are_without_mistakes() {
    for name in ["iio-focus.1", "iio-focus.toml.5"] {
        let bench = Bench::new();
        let source =
            fs::File::open(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("packaging/{name}.scd")));
        let page = Command::new("scdoc").stdin(source.unwrap()).output().expect("scdoc");
        assert!(page.status.success(), "{name}: {page:?}");
        fs::write(bench.path(name), page.stdout).unwrap();
        let shown = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(bench.path(name))
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("man");
        assert!(shown.status.success() && shown.stderr.is_empty(), "{name}: {shown:?}");
        assert!(String::from_utf8(shown.stdout).unwrap().contains("SEE ALSO"), "{name}");
    }
}

// ---- the documents, and those in Korean

/// The documents that are there in Korean too.
fn documents() -> Vec<String> {
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
fn code(text: &str) -> Vec<&str> {
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
fn quoted(text: &str) -> Words {
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
