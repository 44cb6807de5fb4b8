//! What three shells complete is what `--help` has.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Words, commands, options_of};
use crate::machine::{HTU21, Machine, PATH, PROGRAM};

/// What bash offers for a line, the cursor at its end.
fn bash(line: &str, machine: &Machine) -> Words {
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
    shell(&["bash", "--norc", "-c", script, "bash"], "iio-focus.bash", line, machine)
}

/// What fish offers for a line, the cursor at its end.
fn fish(line: &str, machine: &Machine) -> Words {
    let script = "source $argv[1]; complete -C $argv[2] | string replace -r '\\t.*' ''; true";
    shell(&["fish", "--no-config", "-c", script], "iio-focus.fish", line, machine)
}

/// What zsh offers for a line, the cursor at its end: a real one, on a terminal, since only its line editor completes.
fn zsh(line: &str, machine: &Machine) -> Words {
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
    fs::write(machine.path(".zshrc"), settings).unwrap();
    let _ = fs::remove_file(machine.path("offered"));
    let script = "completion=$1 line=$2 script -qec 'zsh -d -i' /dev/null >/dev/null";
    shell(&["sh", "-c", script, "sh"], "_iio-focus", line, machine);
    let offered = fs::read_to_string(machine.path("offered")).expect("zsh");
    offered.lines().filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn shell(words: &[&str], completion: &str, line: &str, machine: &Machine) -> Words {
    let completion = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions").join(completion);
    let programs = Path::new(PROGRAM).parent().unwrap().display();
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg(completion)
        .arg(line)
        .env_clear()
        .env("PATH", format!("{programs}:{PATH}"))
        .env("HOME", machine.path(""))
        .current_dir(machine.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", words[0]));
    assert!(output.status.success() && output.stderr.is_empty(), "{line:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

type Shell = fn(&str, &Machine) -> Words;
const SHELLS: [(&str, Shell); 3] = [("bash", bash), ("fish", fish), ("zsh", zsh)];

#[test]
fn shells_complete_what_help_has_and_nothing_else() {
    let machine = Machine::new();
    for (name, shell) in SHELLS {
        let offered = shell("iio-focus --", &machine);
        assert_eq!(offered, options_of(None), "{name}");
        for command in commands() {
            assert!(shell("iio-focus ", &machine).contains(&command), "{name}: {command}");
            let offered = shell(&format!("iio-focus {command} --"), &machine);
            assert_eq!(offered, options_of(Some(&command)), "{name}: {command}");
        }
        assert_eq!(
            shell("iio-focus --log ", &machine),
            ["auto", "syslog", "stderr"].map(str::to_owned).into()
        );
        assert_eq!(shell("iio-focus --attempts ", &machine), Words::new(), "{name}");
    }
}

#[test]
fn shells_complete_the_sensors_that_are_there() {
    let machine = Machine::new();
    machine.device(0, &[&HTU21[1..], &[("name", "dht11@4\n"), ("label", "kitchen\n")]].concat());
    machine.device(1, &[&HTU21[1..], &[("name", "dht11@11\n"), ("label", "wine cellar\n")]].concat());
    let sysfs = machine.path("sys").display().to_string();
    for (name, shell) in SHELLS {
        let spelled = if name == "fish" { "wine cellar" } else { "wine\\ cellar" };
        let all = ["iio:device0", "dht11@4", "kitchen", "x0", "iio:device1", "dht11@11", "x1", spelled]
            .map(str::to_owned);
        assert_eq!(shell(&format!("iio-focus --sysfs {sysfs} --device "), &machine), all.into(), "{name}");
        for line in ["--sysfs {} --device ki", "--sysfs={} --verbose --device ki"] {
            let line = format!("iio-focus {}", line.replace("{}", &sysfs));
            assert_eq!(shell(&line, &machine), ["kitchen".to_owned()].into(), "{name}: {line}");
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
        assert_eq!(bash(&format!("iio-focus --sysfs {sysfs} {typed}"), &machine), offered, "{typed}");
    }
}

#[test]
fn shells_complete_files_and_folders() {
    let machine = Machine::new();
    fs::write(machine.path("configuration.toml"), "").unwrap();
    for (name, shell) in SHELLS {
        assert!(shell("iio-focus --config conf", &machine).contains("configuration.toml"), "{name}");
        let folder = shell("iio-focus list --sysfs sy", &machine);
        assert!(folder.contains("sys") || folder.contains("sys/"), "{name}: {folder:?}");
    }
}
