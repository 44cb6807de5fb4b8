//! Setup of a running Pi, asked and answered on a terminal. Its folders are put over those of this machine, in a mount
//! namespace of its own; `dtoverlay`, `systemctl` and `journalctl` are scripts. Real ones are in `tests/debian`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::card::{Card, LINE};
use super::terminal::Terminal;
use crate::machine::{HTU21, LICENSE, Machine, PATH, PROGRAM, eventually};

const RUN: &str = "temperature=20.6 humidity=24.4 device=kitchen attempts=1 delivered=1 backlog=0";

/// A Pi with the package and focus. `dtoverlay` makes the sensor appear.
fn pi() -> Card {
    let mut card = Card::new();
    let machine = &mut card.machine;
    let device = machine.device(0, &HTU21);
    fs::write(device.join("label"), "kitchen\n").unwrap();
    let node = machine.path("sys/bus/platform/devices/dht11@4/of_node");
    fs::create_dir_all(&node).unwrap();
    fs::write(node.join("compatible"), "dht11\0").unwrap();
    fs::write(node.join("gpios"), [0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0]).unwrap();
    fs::rename(machine.path("sys"), machine.path("with-sensor")).unwrap();
    fs::create_dir_all(machine.path("sys/bus/iio/devices")).unwrap();
    fs::create_dir_all(machine.path("sys/firmware/devicetree/base")).unwrap();
    fs::write(machine.path("sys/firmware/devicetree/base/model"), "Raspberry Pi Zero 2 W Rev 1.0\0").unwrap();
    fs::create_dir_all(machine.path("run/systemd/system")).unwrap();
    let (bin, dir) = (machine.path("bin"), machine.path("").display().to_string());
    machine.env("PATH", &format!("{}:{PATH}", bin.display()));
    machine.executable(
        "bin/dtoverlay",
        format!("#!/bin/sh\necho \"$@\" >{dir}/loaded\ncp -a {dir}/with-sensor/. /sys/\n"),
    );
    last_run(machine, r#"{"PRIORITY":"6"}"#);
    machine.executable(
        "bin/journalctl",
        format!("#!/bin/sh\ncase $* in *json) cat {dir}/last-run ;; *) cat {dir}/journal ;; esac\n"),
    );
    machine.executable(
        "bin/systemctl",
        format!(
            "#!/bin/sh\necho \"$@\" >>{dir}/systemctl\ncase $1 in\nstart) echo {RUN} >{dir}/journal ;;\n\
             is-active) test -e {dir}/active ;;\nenable) mkdir -p /etc/systemd/system/timers.target.wants\n\
             touch {dir}/active /etc/systemd/system/timers.target.wants/iio-focus.timer ;;\nesac\n"
        ),
    );
    fs::rename(card.path("usr/local/bin/focus"), card.machine.path("bin/focus")).unwrap();
    fs::create_dir_all(card.path("etc/systemd/system")).unwrap();
    card.write("etc/systemd/system/iio-focus.timer", "");
    let dtbo = "iio-focus-dht22.dtbo";
    fs::rename(card.path("usr/share/iio-focus").join(dtbo), card.path("boot/firmware/overlays").join(dtbo))
        .unwrap();
    card
}

/// What the last line in the log is from now on.
fn last_run(machine: &Machine, line: &str) {
    fs::write(machine.path("last-run"), line).unwrap();
}

/// Starts setup on the Pi's terminal.
fn start(card: &Card, words: &[&str]) -> Terminal {
    let [etc, boot] = ["etc", "boot"].map(|name| card.path(name));
    let [sys, run] = ["sys", "run"].map(|name| card.machine.path(name));
    let binds: [(&Path, &str); 4] = [(&etc, "/etc"), (&boot, "/boot"), (&sys, "/sys"), (&run, "/run")];
    let mut all = ["setsid", "-c"].map(str::to_owned).to_vec();
    all.extend(Machine::namespace(&binds));
    all.extend([PROGRAM, "setup"].map(str::to_owned));
    all.extend(words.iter().map(|word| (*word).to_owned()));
    Terminal::start(card.machine.bare(&all))
}

fn answer_project(terminal: &mut Terminal) {
    terminal.answer("Licence of the WhaTap project (not shown): ", &format!("{LICENSE}\n"));
    terminal.answer("Code of the project: ", "7000\n");
    terminal.answer("Server of the project: ", "127.0.0.1\n");
    terminal.answer("Enter for none (not shown): ", "\n");
}

#[test]
fn the_first_call_asks_and_the_second_one_asks_nothing_and_changes_nothing() {
    let card = pi();
    let mut terminal = start(&card, &[]);
    terminal.answer("GPIO of the sensor's data wire [4]: ", "x\n");
    terminal.answer("must be the number of a GPIO, from 0 to 53\nGPIO of the sensor's data wire [4]: ", "\n");
    terminal.answer(&format!("Add {LINE} to /boot/firmware/config.txt? [y/n] "), "what\n");
    terminal.answer("answer y or n\n", "y\n");
    terminal.expect(&format!("overlay    /boot/firmware/config.txt: added {LINE}"));
    terminal.expect(", loaded\n");
    terminal.expect("reading    temperature=20.6 humidity=24.4 device=kitchen attempts=1\n");
    terminal.expect("focus      ");
    terminal.answer("Licence of the WhaTap project (not shown): ", "x0000 test\n");
    terminal.expect("character 6 is U+0020, a space");
    answer_project(&mut terminal);
    terminal.expect(
        "project    wrote /etc/iio-focus.toml: pcode, server-host; licence into /etc/credstore/iio-focus",
    );
    terminal.expect(&format!("first run  {RUN}\n"));
    terminal.expect("           in WhaTap: Analysis > Metrics, category sensor\n");
    terminal.expect("timer      iio-focus.timer: enabled and started\n");
    let (status, text) = terminal.end();
    assert_eq!(status, 0, "{text}");
    assert!(text.ends_with("\nall is set up\n") && !text.contains(LICENSE), "{text}");
    assert_eq!(fs::read_to_string(card.machine.path("loaded")).unwrap(), "iio-focus-dht22 gpiopin=4\n");
    assert_eq!(card.text("etc/credstore/iio-focus.license"), format!("{LICENSE}\n"));
    assert!(!card.path("etc/credstore/iio-focus.api-token").exists());

    let before = card.state();
    let (status, text) = start(&card, &[]).end();
    assert_eq!(status, 0, "{text}");
    assert!(
        text.ends_with("\nall was set up already: nothing was changed\n") && !text.contains('?'),
        "{text}"
    );
    assert_eq!(card.state(), before);
    assert_eq!(runs(&card), 1);
}

/// How often the service was started.
fn runs(card: &Card) -> usize {
    let asked = fs::read_to_string(card.machine.path("systemctl")).unwrap_or_default();
    asked.matches("start iio-focus.service").count()
}

#[test]
fn what_was_missing_is_made_up_for_by_the_next_call() {
    let card = pi();
    let licence = card.machine.path("licence").display().to_string();
    let focus = card.machine.path("bin/focus");
    fs::rename(&focus, card.machine.path("focus")).unwrap();
    let words = ["--license-file", &licence, "--pcode", "7000", "--server-host", "127.0.0.1", "--yes"];
    let words = [&words[..], &["--category", "room"]].concat();
    let (status, text) = start(&card, &words).end();
    let commands = "focus      not there\n           fetch it with these two commands, and call setup again:\n           \
                    sudo wget -O /usr/local/bin/focus https://repo.whatap.io/focus/linux_";
    assert!(status == 1 && text.contains(commands), "{text}");
    assert!(text.contains("/focus\n           sudo chmod 755 /usr/local/bin/focus\n"), "{text}");
    assert!(text.contains("first run  left out: there is no focus yet\n"), "{text}");
    assert_eq!(runs(&card), 0);

    fs::rename(card.machine.path("focus"), &focus).unwrap();
    // A run that failed, or none since the restart: there is something to show.
    for line in [r#"{"PRIORITY":"3"}"#, ""] {
        last_run(&card.machine, line);
        let before = runs(&card);
        let (status, text) = start(&card, &[]).end();
        let run = format!("first run  {RUN}\n           in WhaTap: Analysis > Metrics, category room\n");
        assert!(status == 0 && text.contains(&run), "{text}");
        assert_eq!(runs(&card), before + 1);
    }
}

#[test]
fn an_overlay_on_the_same_pin_becomes_a_comment_if_the_owner_says_so() {
    let card = pi();
    let former = "dtoverlay=w1-gpio\ndtparam=pullup=1\n";
    card.write("boot/firmware/config.txt", former);
    let question =
        "/boot/firmware/config.txt line 1 has w1-gpio on GPIO 4 already. Make that line a comment? [y/n] ";
    // --yes does not answer it.
    let before = card.state();
    let mut terminal = start(&card, &["--yes"]);
    terminal.answer(question, "n\n");
    let (status, text) = terminal.end();
    assert_eq!((status, card.state()), (1, before), "{text}");
    assert!(text.ends_with("--gpiopin takes another GPIO, --no-overlay leaves config.txt alone\n"), "{text}");

    let mut terminal = start(&card, &["--gpiopin", "4"]);
    terminal.answer(question, "y\n");
    terminal.answer("? [y/n] ", "y\n");
    terminal.expect("line 1 is a comment now (before: config.txt.iio-focus-old); a restart loads it\n");
    terminal.expect("reading    after the restart\n");
    answer_project(&mut terminal);
    terminal.expect("first run  after the restart\n");
    terminal.expect("timer      iio-focus.timer: enabled, and starts with the restart\n");
    let (status, text) = terminal.end();
    assert_eq!(status, 0, "{text}");
    assert!(text.ends_with("\nall is set up; the sensor is there after a restart: sudo reboot\n"), "{text}");
    assert_eq!(
        card.text("boot/firmware/config.txt"),
        format!("#{}#{}{LINE}\n", "dtoverlay=w1-gpio\n", "dtparam=pullup=1\n")
    );
    assert_eq!(card.text("boot/firmware/config.txt.iio-focus-old"), former);
    assert!(!card.machine.path("loaded").exists());
}

#[test]
fn an_overlay_that_cannot_be_loaded_waits_for_a_restart_and_says_why() {
    let card = pi();
    card.machine.executable("bin/dtoverlay", "#!/bin/sh\necho '* Failed to apply overlay' >&2\nexit 1\n");
    let licence = card.machine.path("licence").display().to_string();
    let words = ["--license-file", &licence, "--pcode", "7000", "--server-host", "127.0.0.1", "--yes"];
    let (status, text) = start(&card, &words).end();
    let wanted = "(before: config.txt.iio-focus-old); dtoverlay failed: * Failed to apply overlay; a restart loads it\n";
    assert!(status == 0 && text.contains(wanted), "{text}");
    assert!(text.contains("timer      iio-focus.timer: enabled, and starts with the restart\n"), "{text}");
}

#[test]
fn without_a_sensor_it_says_what_the_doctor_says_and_asks_whether_to_go_on() {
    let card = pi();
    fs::remove_dir_all(card.machine.path("with-sensor/bus/iio")).unwrap();
    for (answer, wanted, is_written) in [("n\n", 66, false), ("y\n", 1, true)] {
        let mut terminal = start(&card, &["--gpiopin", "4"]);
        if !is_written {
            terminal.answer("? [y/n] ", "y\n");
        }
        terminal.expect("reading    none: no ");
        terminal.expect(" -> ");
        terminal.answer("Go on without a reading? [y/n] ", answer);
        if is_written {
            answer_project(&mut terminal);
            terminal.expect("first run  left out: there is no reading yet");
        }
        let (status, text) = terminal.end();
        assert_eq!((status, card.path("etc/iio-focus.toml").exists()), (wanted, is_written), "{text}");
    }
}

#[test]
fn interrupted_at_the_licence_the_terminal_shows_again_what_is_typed() {
    let card = pi();
    for key in ["\x03", "\x04", "\x1c"] {
        let mut terminal = start(&card, &["--yes"]);
        terminal.answer("Licence of the WhaTap project (not shown): ", key);
        // `end` looks at the terminal.
        let (status, text) = terminal.end();
        let wanted = match key {
            "\x03" => 1002,
            "\x04" => 64,
            _ => 1003,
        };
        assert_eq!(status, wanted, "{text}");
        assert!(!card.path("etc/iio-focus.toml").exists(), "{text}");
    }
}

#[test]
fn with_a_token_it_waits_until_the_reading_has_arrived() {
    const TOKEN: &str = "QWERTYTOKEN1234";
    let card = pi();
    let _server = card.machine.serve();
    let path = |name: &str| card.machine.path(name).display().to_string();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand-in/open-api.py");
    let mut api = Command::new("python3");
    api.arg(program).args(["--token", TOKEN, "--pcode", "7000", "--record", &path("record")]);
    api.args(["--faults", &path("faults"), "--log", &path("api-log"), "--port-file", &path("api-port")]);
    let mut api = api.spawn().unwrap();
    let port = || fs::read_to_string(path("api-port")).unwrap_or_default();
    eventually("the stand-in listens", || !port().trim().is_empty());
    let config = format!(
        "[focus]\noname = \"pi\"\nserver-port = {}\n[store]\npath = {:?}\nwait-for-clock = \"0s\"\n\
         [verify]\nurl = \"http://127.0.0.1:{}\"\n",
        card.machine.port(),
        path("store/readings.db"),
        port().trim()
    );
    card.write("etc/iio-focus.toml", &config);
    let run = format!(
        "#!/bin/sh\n[ $1 = start ] || exit 0\nexport WHATAP_LICENSE=$(cat /etc/credstore/iio-focus.license)\n\
         '{PROGRAM}' --log stderr 2>{0}.raw; status=$?; sed 's/^iio-focus: //' {0}.raw >{0}; exit $status\n",
        path("journal")
    );
    card.machine.executable("bin/systemctl", run);

    let mut terminal = start(&card, &["--yes"]);
    terminal.answer("Licence of the WhaTap project (not shown): ", &format!("{LICENSE}\n"));
    terminal.answer("Code of the project: ", "7000\n");
    terminal.answer("Server of the project: ", "127.0.0.1\n");
    terminal.answer("Enter for none (not shown): ", &format!("{TOKEN}\n"));
    terminal.expect("token into /etc/credstore/iio-focus.api-token");
    terminal.expect("first run  temperature=20.6 humidity=24.4 device=kitchen attempts=");
    terminal.expect("arrived at WhaTap after ");
    let (status, text) = terminal.end();
    let _ = api.kill();
    let _ = api.wait();
    assert_eq!(status, 0, "{text}");
    assert!(!text.contains(TOKEN), "{text}");
    assert_eq!(card.text("etc/credstore/iio-focus.api-token"), format!("{TOKEN}\n"));
}
