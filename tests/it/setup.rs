//! `iio-focus setup` on a folder that looks like the card of a Raspberry Pi, without a terminal and on one.

mod card;
mod interrupted;
mod odd;
mod pi;
mod terminal;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use crate::machine::LICENSE;
use card::{Card, GIVEN, LINE};

#[test]
fn without_a_terminal_what_is_missing_is_named_in_one_line_and_nothing_is_changed() {
    let card = Card::new();
    let before = card.state();
    for (words, missing) in [
        (&[][..], "--license-file, --pcode, --server-host, --yes"),
        (&["--yes"], "--license-file, --pcode, --server-host"),
        (&["--no-overlay", "--pcode", "7"], "--license-file, --server-host"),
        (&["--license-file", "LICENSE", "--pcode", "7", "--server-host", "h"], "--yes"),
    ] {
        let wanted = format!("missing, and there is no terminal to ask on: {missing}; nothing was changed");
        let outcome = card.setup(words);
        outcome.fails(64, &[&wanted]);
        assert_eq!(outcome.stdout, "");
        assert_eq!(card.state(), before, "{words:?}");
    }
}

#[test]
fn a_value_that_is_wrong_is_told_before_anything_is_changed() {
    let card = Card::new();
    let before = card.state();
    for (option, value, status, right) in [
        ("--gpiopin", "54", 64, "from 0 to 53"),
        ("--gpiopin", "D4", 64, "from 0 to 53"),
        ("--gpiopin", "-1", 64, "from 0 to 53"),
        ("--label", "a,pull=off", 64, "letters, digits"),
        ("--label", "two words", 64, "letters, digits"),
        ("--label", "a\n[none]", 64, "letters, digits"),
        ("--label", &"x".repeat(70), 64, "reads only 98 characters of a line"),
        ("--pull", "sideways", 64, "must be off, down or up"),
        ("--pcode", "0", 64, "the project's code"),
        ("--server-host", "", 64, "text in quotes, not empty"),
        ("--category", "a\tb", 64, "text in quotes, not empty"),
        ("--license-file", "/nonexistent/licence", 78, "ENOENT"),
        ("--license-file", "/dev/zero", 78, "is larger than 1 MiB"),
        ("--root", "/nonexistent", 64, "is not the root folder of a system"),
    ] {
        let mut words = GIVEN.to_vec();
        match words.iter().position(|word| *word == option) {
            Some(at) => words[at + 1] = value,
            None => words.extend([option, value]),
        }
        card.setup(&words).fails(status, &[option.trim_start_matches("--license-file"), right]);
        assert_eq!(card.state(), before, "{words:?}");
    }
    card.setup(&["--no-overlay", "--gpiopin", "4"]).fails(64, &["--no-overlay goes with none of"]);
}

#[test]
fn a_wrong_licence_file_is_told_by_its_character_and_not_shown() {
    let card = Card::new();
    let before = card.state();
    for (text, what) in [
        ("x0000 test", "character 6 is U+0020, a space"),
        ("", "must hold a licence"),
        ("x0000-t\u{2013}st", "character 8 is U+2013, a dash, but not -"),
        ("license=x0000", "character 8 is U+003D, a sign"),
    ] {
        card.machine.private_file("licence", text);
        card.setup(&GIVEN).fails(78, &["--license-file: ", "licence: ", what]);
        assert_eq!(card.state(), before, "{text:?}");
    }
}

#[test]
fn the_first_call_sets_up_and_the_second_one_changes_nothing() {
    let card = Card::new();
    let former = card.text("boot/firmware/config.txt");
    let outcome = card.setup(&GIVEN);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let steps: Vec<&str> = outcome.stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(steps, ["overlay", "focus", "project", "timer", "", "all"], "{outcome:#?}");
    assert!(outcome.stdout.ends_with("\nall is set up\n"), "{outcome:#?}");

    assert_eq!(card.text("boot/firmware/config.txt"), format!("{former}{LINE}\n"));
    assert_eq!(card.text("boot/firmware/config.txt.iio-focus-old"), former);
    let config = card.text("etc/iio-focus.toml");
    assert!(config.ends_with("[focus]\npcode = 7000\nserver-host = \"192.0.2.1\"\n"), "{config}");
    assert_eq!(card.text("etc/credstore/iio-focus.license"), format!("{LICENSE}\n"));
    for (path, mode, gid) in [
        ("etc/iio-focus.toml", 0o100_640, card.gid),
        ("etc/credstore", 0o040_700, 0),
        ("etc/credstore/iio-focus.license", 0o100_600, 0),
    ] {
        let meta = card.path(path).metadata().unwrap();
        assert_eq!((meta.mode(), meta.uid(), meta.gid()), (mode, 0, gid), "{path}");
    }
    let link = card.path("etc/systemd/system/timers.target.wants/iio-focus.timer");
    assert_eq!(fs::read_link(link).unwrap().to_str(), Some("/usr/lib/systemd/system/iio-focus.timer"));

    let before = card.state();
    for words in [&GIVEN[..], &[], &["--yes"], &["--gpiopin", "0x4"]] {
        let outcome = card.setup(words);
        assert_eq!(outcome.status, 0, "{outcome:#?}");
        assert!(outcome.stdout.ends_with("\nall was set up already: nothing was changed\n"), "{outcome:#?}");
        assert_eq!(card.state(), before, "{words:?}");
    }
}

#[test]
fn the_licence_can_come_from_standard_input() {
    let card = Card::new();
    let words = ["--license-file", "-", "--pcode", "7", "--server-host", "h", "--yes"];
    let outcome = card.setup_with_input(&words, &format!("\u{FEFF}\"{LICENSE}\"\r\n"));
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert_eq!(card.text("etc/credstore/iio-focus.license"), format!("{LICENSE}\n"));
}

#[test]
fn an_overlay_on_the_same_pin_is_a_question_and_so_an_error_without_a_terminal() {
    for (line, what) in [
        ("dtoverlay=dht11", "has dht11 on GPIO 4 already"),
        ("dtoverlay=w1-gpio", "has w1-gpio on GPIO 4 already"),
        ("dtoverlay=w1-gpio,gpiopin=4,pullup=1", "has w1-gpio on GPIO 4 already"),
        ("dtoverlay=gpio-ir,gpio_pin=4", "has gpio-ir on GPIO 4 already"),
        (
            "dtoverlay=iio-focus-dht22,gpiopin=17",
            "has iio-focus-dht22 on GPIO 17, and setup makes one sensor",
        ),
        ("[pi4]\ndtoverlay=iio-focus-dht22", "below [pi4] has iio-focus-dht22 on GPIO 4 already"),
    ] {
        let card = Card::new();
        card.write("boot/firmware/config.txt", &format!("{line}\n"));
        let before = card.state();
        let words = [&GIVEN[..], &["--gpiopin", "4"]].concat();
        card.setup(&words).fails(78, &["config.txt line ", what, "--gpiopin", "--no-overlay"]);
        assert_eq!(card.state(), before, "{line}");
    }
    for line in ["dtoverlay=w1-gpio,gpiopin=17", "#dtoverlay=dht11", "[none]\ndtoverlay=w1-gpio"] {
        let card = Card::new();
        card.write("boot/firmware/config.txt", &format!("{line}\n"));
        assert_eq!(card.setup(&GIVEN).status, 0, "{line}");
        assert!(card.text("boot/firmware/config.txt").ends_with(&format!("{LINE}\n")), "{line}");
    }
}

#[test]
fn an_existing_configuration_keeps_its_text_and_gets_the_keys_that_it_lacks() {
    let card = Card::new();
    let text = "# mine\n\n[focus] # WhaTap\nserver-host = \"192.0.2.1\"   # ours\n# oname = \"x\"\n\n[sensor]\nattempts = 5\n";
    card.write("etc/iio-focus.toml", text);
    let words = [&GIVEN[..], &["--category", "room", "--oname", "pi"]].concat();
    assert_eq!(card.setup(&words).status, 0);
    let host = "server-host = \"192.0.2.1\"   # ours\n";
    let wanted = text.replace(host, &format!("{host}pcode = 7000\ncategory = \"room\"\noname = \"pi\"\n"));
    assert_eq!(card.text("etc/iio-focus.toml"), wanted);

    let before = card.state();
    for (option, value) in
        [("--pcode", "7001"), ("--server-host", "192.0.2.2"), ("--category", "sensor"), ("--oname", "other")]
    {
        card.setup(&[option, value])
            .fails(78, &["iio-focus.toml has another", option, "keeps what is there"]);
    }
    card.machine.private_file("licence", "x0000-other");
    card.setup(&GIVEN).fails(78, &["iio-focus.license has another licence than --license-file"]);
    assert_eq!(card.state(), before);
}

#[test]
fn a_configuration_without_the_table_or_with_the_licence_is_enough_with_what_it_lacks() {
    for text in [
        "[store]\nkeep = \"7d\"\n".to_owned(),
        format!("focus.license = \"{LICENSE}\"\n"),
        format!("focus = {{ license = \"{LICENSE}\" }}\n"),
        format!("[focus]\nlicense = \"{LICENSE}\"\npcode = 7000\nserver-host = \"192.0.2.1\"\n"),
    ] {
        let card = Card::new();
        card.write("etc/iio-focus.toml", &text);
        let outcome = card.setup(&GIVEN);
        assert_eq!(outcome.status, 0, "{text:?}: {outcome:#?}");
        let has_credential = card.path("etc/credstore/iio-focus.license").exists();
        assert_eq!(has_credential, !text.contains(LICENSE), "{text:?}");
        let new: toml::Table = card.text("etc/iio-focus.toml").parse().unwrap();
        assert_eq!(new["focus"]["pcode"].as_integer(), Some(7000), "{text:?}");
        assert_eq!(new["focus"]["server-host"].as_str(), Some("192.0.2.1"), "{text:?}");
        // What could be read by others before can be read by the service alone now.
        assert_eq!(card.path("etc/iio-focus.toml").metadata().unwrap().mode() & 0o777, 0o640);
    }
}

#[test]
fn a_configuration_that_is_wrong_is_told_and_kept() {
    for (text, what) in [
        ("[focus]\npcode = \"x\"\n", "iio-focus.toml:2: focus.pcode: must be"),
        ("[focus\n", "iio-focus.toml:1: "),
        ("[focus]\nlicence = \"x\"\n", "unknown key `licence`"),
    ] {
        let card = Card::new();
        card.write("etc/iio-focus.toml", text);
        let before = card.state();
        card.setup(&GIVEN).fails(78, &[what]);
        assert_eq!(card.state(), before, "{text:?}");
    }
}

#[test]
fn a_link_on_the_card_leads_to_no_file_of_this_machine() {
    for path in [
        "etc/iio-focus.toml",
        "etc/credstore",
        "boot/firmware/config.txt",
        "boot/firmware/overlays",
        "etc/systemd",
        "usr/share/iio-focus/iio-focus-dht22.dtbo",
    ] {
        let card = Card::new();
        let outside = card.machine.path("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("config.txt"), "").unwrap();
        let target = if [".txt", ".toml", ".dtbo"].iter().any(|end| path.ends_with(end)) {
            outside.join("config.txt")
        } else {
            outside.clone()
        };
        let path = card.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        let _ = fs::remove_dir_all(&path);
        symlink(target, &path).unwrap();
        let before = card.state();
        card.setup(&GIVEN).fails(78, &["is a symbolic link"]);
        let left: Vec<_> = fs::read_dir(&outside).unwrap().flatten().map(|file| file.file_name()).collect();
        assert_eq!(left, ["config.txt"], "{path:?}");
        assert_eq!(fs::read(outside.join("config.txt")).unwrap(), b"", "{path:?}");
        assert_eq!(card.state(), before, "{path:?}");
    }
}

#[test]
fn what_is_not_installed_on_the_card_is_named() {
    for (path, what) in [
        ("usr/lib/systemd/system/iio-focus.timer", "iio-focus.timer is not installed in"),
        ("usr/share/iio-focus/iio-focus-dht22.dtbo", "iio-focus-dht22.dtbo is not there"),
        ("etc/group", "has no user and group iio-focus"),
        ("boot/firmware/config.txt", "no config.txt in"),
    ] {
        let card = Card::new();
        fs::remove_file(card.path(path)).unwrap();
        let before = card.state();
        card.setup(&GIVEN).fails(78, &[what]);
        assert_eq!(card.state(), before, "{path}");
    }
}

#[test]
fn without_focus_all_else_is_set_up_and_the_end_says_so() {
    let card = Card::new();
    fs::remove_file(card.path("usr/local/bin/focus")).unwrap();
    let outcome = card.setup(&GIVEN);
    assert_eq!(outcome.status, 1, "{outcome:#?}");
    assert!(outcome.stdout.contains("https://docs.whatap.io/focus/install-focus"), "{outcome:#?}");
    assert!(
        outcome.stdout.ends_with("\nnot all is set up: see above, and call setup again\n"),
        "{outcome:#?}"
    );
    assert!(card.path("etc/iio-focus.toml").exists());
}

#[test]
fn runs_that_cron_starts_are_not_started_twice() {
    let card = Card::new();
    fs::create_dir(card.path("etc/cron.d")).unwrap();
    card.write("etc/cron.d/iio-focus", "* * * * * root /usr/bin/iio-focus\n");
    for program in ["usr/sbin/cron", "usr/bin/iio-focus"] {
        fs::create_dir_all(card.path(program).parent().unwrap()).unwrap();
        card.write(program, "#!/bin/sh\n");
        fs::set_permissions(card.path(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let outcome = card.setup(&GIVEN);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert!(outcome.stdout.contains("etc/cron.d/iio-focus line 1 starts runs"), "{outcome:#?}");
    assert!(!card.path("etc/systemd").exists());
}
