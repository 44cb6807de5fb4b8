//! Files that root can use, and what starts the runs cannot.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use super::{Pi, can_run, is_root};

const CHECK: &str = "rights";

/// The user is another than the one whose files they are, but in their group.
fn for_another_user(pi: &Pi) {
    pi.file("etc/passwd", "root:x:0:0::/root:/bin/sh\niio-focus:x:994:0::/:/bin/sh\n");
    let _ = pi.command(&[]);
    pi.mode("etc/iio-focus.toml", 0o640);
}

fn drop_in(pi: &Pi, folder: &str, text: &str) {
    pi.file(&format!("{folder}/systemd/system/iio-focus.service.d/override.conf"), text);
}

#[test]
fn files_that_the_services_user_cannot_use_are_found() {
    let pi = Pi::new();
    for_another_user(&pi);
    pi.says(CHECK, "ok", "iio-focus.service runs as iio-focus");
    pi.mode("etc/iio-focus.toml", 0o600);
    pi.has(&[(
        CHECK,
        "iio-focus of iio-focus.service cannot read the configuration /etc/iio-focus.toml",
        "chmod 640",
    )]);
    pi.mode("etc/iio-focus.toml", 0o640);
    pi.mode("usr/local/bin/focus", 0o700);
    pi.has(&[(CHECK, "cannot start focus, /usr/local/bin/focus", "sudo chmod 755 /usr/local/bin/focus")]);
    pi.mode("usr/local/bin/focus", 0o755);
    pi.mode("usr/local", 0o700);
    pi.has(&[(CHECK, "/usr/local has mode 700", "sudo chmod a+x /usr/local")]);
    pi.mode("usr/local", 0o755);
    // systemd makes the folder the user's; without that, the store that root made stays root's.
    drop_in(&pi, "etc", "[Service]\nStateDirectory=\nProtectSystem=no\n");
    pi.mode("var/lib/iio-focus", 0o755);
    let chown = "sudo chown -R iio-focus:root /var/lib/iio-focus";
    let findings = pi.has(&[(CHECK, "cannot make files in the store's folder /var/lib/iio-focus", chown)]);
    assert!(findings.iter().all(|finding| finding.state != "ok" || finding.check != CHECK), "{findings:#?}");
    pi.mode("var/lib/iio-focus", 0o770);
    pi.mode("var/lib/iio-focus/readings.db", 0o644);
    pi.has(&[(CHECK, "cannot write the store /var/lib/iio-focus/readings.db", chown)]);
}

#[test]
fn files_that_the_services_sandbox_hides_are_found() {
    let mut pi = Pi::new();
    pi.bench.set("focus.program", "\"/home/pi/focus\"");
    pi.program("home/pi/focus", "#!/bin/sh");
    pi.has(&[(
        CHECK,
        "iio-focus.service cannot see focus, /home/pi/focus: ProtectHome=true",
        "sudo install -m 755",
    )]);
    for (folder, text, is_good) in [
        ("etc", "[Service]\nProtectHome=no\n", true),
        ("run", "[Service]\nProtectHome=no\n", true),
        ("usr/lib", "[Service]\nBindReadOnlyPaths=/home/pi\n", true),
        ("etc", "[Service]\nProtectHome=tmpfs\n", false),
    ] {
        drop_in(&pi, folder, text);
        if is_good {
            pi.says(CHECK, "ok", "who can use all files");
        } else {
            pi.has(&[(CHECK, "ProtectHome=tmpfs hides it", "sudo install")]);
        }
        pi.remove(&format!("{folder}/systemd/system/iio-focus.service.d/override.conf"));
    }
    drop_in(
        &pi,
        "etc",
        "[Service]\nExecStart=\nExecStart=/root/iio-focus\nProtectHome=tmpfs\nBindPaths=/home/pi\n",
    );
    pi.program("root/iio-focus", "");
    pi.has(&[(
        CHECK,
        "cannot see iio-focus, /root/iio-focus: ProtectHome=tmpfs",
        "/usr/local/bin/iio-focus",
    )]);
    pi.remove("etc/systemd/system/iio-focus.service.d/override.conf");
    // A link from a good place leads there too.
    pi.remove("etc/iio-focus.toml");
    pi.bench.set("focus.program", "\"focus\"");
    pi.remove("usr/local/bin/focus");
    pi.link("usr/local/bin/focus", "/home/pi/focus");
    pi.has(&[(CHECK, "cannot see focus, /usr/local/bin/focus: ProtectHome=true", "sudo install")]);
}

#[test]
fn a_user_who_is_not_there_and_files_of_crons_user_are_found() {
    let pi = Pi::new();
    let _ = pi.command(&[]);
    drop_in(&pi, "etc", "[Service]\nUser=sensor\n");
    pi.has(&[(CHECK, "iio-focus.service runs as sensor, and there is no such user", "systemd-sysusers")]);
    pi.remove("etc/systemd/system/timers.target.wants/iio-focus.timer");
    for_another_user(&pi);
    pi.mode("etc/iio-focus.toml", 0o600);
    pi.mode("var/lib/iio-focus", 0o770);
    for file in fs::read_dir(pi.root("var/lib/iio-focus")).unwrap() {
        fs::set_permissions(file.unwrap().path(), fs::Permissions::from_mode(0o660)).unwrap();
    }
    pi.file("etc/cron.d/iio-focus", "PATH=/usr/local/bin:/usr/bin\n* * * * * iio-focus iio-focus\n");
    pi.has(&[(CHECK, "cron.d/iio-focus line 2 cannot read the configuration", "sudo chown root:root ")]);
    pi.file("etc/cron.d/iio-focus", "* * * * * root iio-focus\n");
    pi.has(&[(CHECK, "cron.d/iio-focus line 1 has no focus in its PATH=/usr/bin:/bin", "full path")]);
    pi.file("etc/cron.d/iio-focus", "PATH=/usr/local/bin:/usr/bin:\n* * * * * root iio-focus\n");
    pi.has(&[(CHECK, "line 2 has an empty part", "take the empty part out of PATH")]);
}

/// What the user can do, said by the kernel.
fn can(pi: &Pi, what: &str, path: &Path) -> bool {
    let program = ["--reuid", "994", "--regid", "991", "--groups", "44", "test", what];
    pi.bench.outcome(pi.bench.bare(&["setpriv"]).args(program).arg(path)).status == 0
}

#[test]
fn the_doctor_says_of_each_mode_what_the_kernel_says() {
    if !can_run(is_root(), "root") {
        return;
    }
    let pi = Pi::new();
    pi.file("etc/passwd", "root:x:0:0::/root:/bin/sh\niio-focus:x:994:991::/:/bin/sh\n");
    pi.file("etc/group", "iio-focus:x:991:\nvideo:x:44:iio-focus\n");
    let _ = pi.command(&[]);
    fs::set_permissions(pi.bench.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let (config, focus, folder) = ("etc/iio-focus.toml", "usr/local/bin/focus", "usr/local/bin");
    let mut verdicts = [0, 0];
    for (uid, gid) in [(0, 0), (994, 0), (0, 991), (0, 44), (1, 1)] {
        for bits in [0o000, 0o640, 0o600, 0o604, 0o040, 0o711, 0o755, 0o750, 0o701, 0o610] {
            for name in [config, focus, folder] {
                chown(pi.root(name), Some(uid), Some(gid)).unwrap();
                pi.mode(name, bits);
            }
            let findings = pi.findings(&[]);
            let refused = |words: &str| {
                findings.iter().any(|finding| finding.check == CHECK && finding.found.contains(words))
            };
            let wanted = [can(&pi, "-r", &pi.root(config)), can(&pi, "-x", &pi.root(focus))];
            // Of a focus that nobody can execute, its own check tells.
            let is_startable = bits & 0o111 != 0 && !refused("cannot start focus");
            let said = [!refused("cannot read the configuration"), is_startable];
            assert_eq!(said, wanted, "{uid}:{gid} {bits:o}: {findings:#?}");
            verdicts[usize::from(wanted[0])] += 1;
        }
    }
    assert!(verdicts.iter().all(|times| *times > 5), "{verdicts:?}");
}

#[test]
fn an_access_control_list_counts() {
    let pi = Pi::new();
    let _ = pi.command(&[]);
    let setfacl = |rule: &str, name: &str| {
        Command::new("setfacl")
            .args(["-m", rule])
            .arg(pi.root(name))
            .status()
            .is_ok_and(|status| status.success())
    };
    if !can_run(is_root() && setfacl("u:993:r", "etc/iio-focus.toml"), "root and setfacl (package acl)") {
        return;
    }
    pi.file("etc/passwd", "root:x:0:0::/root:/bin/sh\niio-focus:x:994:991::/:/bin/sh\n");
    pi.file("etc/group", "iio-focus:x:991:\n");
    fs::set_permissions(pi.bench.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    for (rule, can_read) in [
        ("u:993:r", false),
        ("u:994:r", true),
        ("m::-", false),
        ("m::r", true),
        ("u:994:-", false),
        ("g:991:r", false),
    ] {
        assert!(setfacl(rule, "etc/iio-focus.toml"));
        let findings = pi.findings(&[]);
        let refused = findings.iter().any(|finding| finding.found.contains("cannot read the configuration"));
        assert_eq!(
            (!refused, can(&pi, "-r", &pi.root("etc/iio-focus.toml"))),
            (can_read, can_read),
            "{rule}"
        );
    }
}
