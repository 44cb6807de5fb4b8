//! Where the licence comes from, and that it is never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{argument, keys::KEYS, with_file};
use crate::machine::{LICENSE, Machine};

#[test]
fn the_licence_comes_from_the_environment_the_credential_or_a_file_in_this_order() {
    let mut machine = Machine::with_fault("silent");
    machine.set("focus.confirm", "\"exit-status\"");
    let license = |machine: &Machine| {
        let _ = fs::remove_file(machine.path("record"));
        let outcome = machine.run(&[]);
        outcome.delivered();
        assert_eq!(outcome.stderr.lines().count(), 1, "no warning: {outcome:#?}");
        argument(&outcome, "-license")
    };
    assert_eq!(license(&machine), LICENSE);

    machine.unset("focus.license");
    let file = machine.private_file("license.txt", "x0000-from-file\n");
    machine.set("focus.license-file", &format!("{:?}", file.display().to_string()));
    assert_eq!(license(&machine), "x0000-from-file");

    fs::create_dir(machine.path("credentials")).unwrap();
    machine.env("CREDENTIALS_DIRECTORY", &machine.path("credentials").display().to_string());
    assert_eq!(license(&machine), "x0000-from-file", "a folder without this credential");
    machine.private_file("credentials/license", " x0000-credential \n");
    assert_eq!(license(&machine), "x0000-credential");

    machine.env("WHATAP_LICENSE", "x0000-from-env");
    assert_eq!(license(&machine), "x0000-from-env");
}

#[test]
fn two_licences_in_the_file_are_one_too_many() {
    let mut machine = Machine::with_sensor();
    machine.set("focus.license-file", "\"/no/such/file\"");
    machine.run(&[]).fails(78, &["both license and license-file", "keep one"]);
}

#[test]
fn a_licence_file_that_holds_no_licence_is_told_without_its_content() {
    let mut machine = Machine::with_sensor();
    machine.unset("focus.license");
    let file = machine.path("license.txt");
    machine.set("focus.license-file", &format!("{:?}", file.display().to_string()));
    machine.run(&[]).fails(78, &[&format!("cannot read {}: ENOENT", file.display())]);
    for content in
        ["", "\n", "x0000-test-0042\nx0000-test-0042\n", "license = x0000-test-0042", "x0000-test-0042\0"]
    {
        machine.private_file("license.txt", content);
        machine.run(&[]).fails(78, &[&format!("{}: must hold a licence", file.display()), "nothing else"]);
    }
    machine.private_file("license.txt", b"x0000-test-0042\xff");
    machine.run(&[]).fails(78, &[&format!("{}:1: is not UTF-8", file.display())]);
    machine.private_file("license.txt", vec![b'x'; (1 << 20) + 1]);
    machine.run(&[]).fails(78, &["is larger than 1 MiB"]);
}

#[test]
fn a_licence_that_everybody_can_read_is_warned_about() {
    let machine = Machine::with_sensor();
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true), (0o606, true)] {
        let file = machine.private_file("public.toml", machine.config_text());
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let file = file.to_str().unwrap();
        let outcome = machine.outcome(&mut with_file(&machine, file, &[]));
        outcome.delivered();
        let warning = format!("iio-focus: warning: {file} holds the licence");
        assert_eq!(outcome.stderr.contains(&warning), warned, "{mode:o}: {outcome:#?}");
        assert_eq!(outcome.stderr.contains(&format!("chmod o= {file}\n")), warned, "{mode:o}");
    }
    // Without a licence in it, everybody may.
    let mut machine = Machine::with_sensor();
    machine.unset("focus.license");
    let license = machine.private_file("license.txt", LICENSE);
    fs::set_permissions(&license, fs::Permissions::from_mode(0o644)).unwrap();
    machine.set("focus.license-file", &format!("{:?}", license.display().to_string()));
    let file = machine.private_file("public.toml", machine.config_text());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = machine.outcome(&mut with_file(&machine, file.to_str().unwrap(), &[]));
    outcome.delivered();
    assert_eq!(outcome.stderr.matches("warning").count(), 1, "{outcome:#?}");
    assert!(outcome.stderr.contains(&format!("warning: {} holds the licence", license.display())));
}

#[test]
fn a_licence_in_the_wrong_place_is_not_shown() {
    let forms = [
        r#""x0000-test-0042""#,
        "x0000-test-0042",
        r#"["x0000-test-0042"]"#,
        r#"{ a = "x0000-test-0042" }"#,
        r#""x0000-test-0042"#,
        r#""x0000-test-0042" x0000-test-0042"#,
        r#""x0000-test-0042\q""#,
        r#""x0000-test-0042\u0007""#,
        "\"\"\"\nx0000-test-0042\n\"\"\"",
        "'x0000-test-0042' = 1",
    ];
    let unknown =
        ["focus.licence", "focus.server", "sensor.license", "license", "licence", "focus.license.key"];
    // The values of the others are told: what is not found must be named.
    let told = ["sensor.device", "focus.program"];
    let keys = KEYS.iter().map(|key| key.name).filter(|name| !told.contains(name)).chain(unknown);
    let machine = Machine::with_sensor();
    for key in keys {
        for form in forms {
            // `fails` and `run` look for the licence in all that is printed.
            let text = format!("{key} = {form}\n");
            let file = machine.private_file("my.toml", &text);
            let outcome = machine.outcome(&mut with_file(&machine, file.to_str().unwrap(), &[]));
            assert_eq!(outcome.status, 78, "{text}{outcome:#?}");
        }
    }
}

#[test]
fn a_licence_is_letters_digits_and_dashes() {
    for license in ["a\"b", "a\\b", "a_b", "a/b", "a$b"] {
        let mut machine = Machine::with_sensor();
        machine.env("WHATAP_LICENSE", license);
        machine.run(&[]).fails(78, &["environment variable WHATAP_LICENSE: must be a licence"]);
    }
}

#[test]
fn a_licence_in_place_of_its_file_is_not_shown() {
    let mut machine = Machine::with_sensor();
    machine.unset("focus.license");
    machine.set("focus.license-file", &format!("{LICENSE:?}"));
    machine.run(&[]).fails(78, &["license-file"]);
}
