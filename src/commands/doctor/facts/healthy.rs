//! For tests: the facts of a Pi on which all is well.

use std::path::{Path, PathBuf};

use super::Facts;
use super::arrival::Arrival;
use super::board::Board;
use super::boot::Boot;
use super::config_txt::parse_text;
use super::configuration::{Configuration, Credential};
use super::delivery::Program;
use super::folder::{Folder, Space};
use super::kernel::{Device, Driver, Kernel, SensorFacts};
use super::rights::{Needed, Role, Starter};
use super::sandbox::Sandbox;
use super::schedule::{Daemon, Schedule, Service, Timer};
use super::store::{Content, Store};
use super::time::Time;
use super::tries::Tried;
use super::unit::{Load, Unit};
use super::users::Users;
use super::way::{End, Step, Want, Way};
use crate::cli;
use crate::config::Config;
use crate::failure::{Bus, Tally};
use crate::reading::Reading;
use crate::store::Verdict;
use crate::store::{PassedOver, PastRun};

impl Facts {
    /// When all is looked at: 2026-11-01T08:00:00Z.
    pub(crate) const NOW_MS: i64 = 1_793_520_000_000;

    /// A Pi on which all is well.
    pub(crate) fn healthy() -> Facts {
        let root = PathBuf::from("/pi");
        Facts {
            configuration: configuration(&root),
            credential: None,
            boot: Some(boot_partition()),
            kernel: kernel(),
            sensors: vec![SensorFacts {
                title: "kitchen".into(),
                names: "kitchen (dht11@4, iio:device0)".into(),
                has_label: true,
                is_asked: true,
                hwmon_bridge: None,
                retry_problem: None,
                name_that_stays: None,
            }],
            sensor_problem: None,
            tried: Some(Tried::good_times("kitchen", 5)),
            focus_version: None,
            program: Some(Program::File("/pi/bin/focus".into(), 0o755, Ok(b"#!/bin/sh".to_vec()))),
            path_has_empty_part: false,
            server: Some(Ok(())),
            now_ms: Facts::NOW_MS,
            store: Store::Open(Content {
                damage: Ok(None),
                waiting: Some(0),
                passed_over: PassedOver::default(),
                shrinks: Some(false),
                runs: Some(runs_that_ended(&[(10, Some(0), None)])),
            }),
            time: Some(time()),
            folder: folder(),
            is_run_under_way: false,
            schedule: Schedule {
                timers: vec![Timer::good("iio-focus")],
                cron: Vec::new(),
                daemon: Daemon::Enabled,
            },
            starters: vec![Starter::good("iio-focus.service")],
            users: Users::of(PASSWD, GROUP),
            arrival: arrival(),
            root,
        }
    }
}

fn time() -> Time {
    Time {
        is_synchronised: true,
        since_boot_ms: 3_600_000,
        services: vec!["systemd-timesyncd.service".into()],
    }
}

fn arrival() -> Arrival {
    Arrival::Asked { verdict: Verdict::Ok, why: "all of 50 readings arrived".into(), next: None }
}

/// All that has no default is in the environment.
fn configuration(root: &Path) -> Configuration {
    let environment = |name: &str| match name {
        "WHATAP_LICENSE" => Some("x0000-test-0000".into()),
        "WHATAP_PCODE" => Some("7000".into()),
        "WHATAP_HOST" => Some("whatap.example".into()),
        _ => None,
    };
    let config = Config::load_under(root, &cli::Args::default(), &environment, true).unwrap();
    Configuration {
        default_file: config.file.clone(),
        config,
        problem: None,
        is_file_usable: true,
        has_default_file: true,
        file_of_one_sensor: None,
    }
}

fn kernel() -> Kernel {
    Kernel {
        release: "6.12.0".into(),
        machine: "aarch64".into(),
        board: Board::of("Raspberry Pi Zero 2 W Rev 1.0"),
        driver: Driver::Loaded,
        devices: vec![Device { name: "dht11@4".into(), pin: Some(4), is_bound: true, holder: None }],
        known_readers: Vec::new(),
    }
}

fn folder() -> Folder {
    Folder {
        path: "/pi/var/lib/iio-focus".into(),
        mode: Some(0o750),
        is_own: true,
        space: Some(Space {
            free_bytes: 20 << 30,
            all_bytes: 28 << 30,
            free_files: Some(1_000_000),
            is_read_only: false,
        }),
        lock_mode: Some(0o600),
        set_aside: Vec::new(),
    }
}

fn boot_partition() -> Boot {
    Boot {
        config_file: "/pi/boot/firmware/config.txt".into(),
        overlays: Ok(parse_text("dtoverlay=iio-focus-dht22")),
        unread: Vec::new(),
        overlay_file: "/pi/boot/firmware/overlays/iio-focus-dht22.dtbo".into(),
        is_device_tree: Ok(true),
    }
}

impl Tried {
    /// So many good tries, and nothing in the kernel's log.
    pub(crate) fn good_times(title: &str, times: usize) -> Tried {
        let reading = Reading { temperature_mdegc: 20_600, humidity_mpercent: 24_400 };
        let results = std::iter::repeat_with(|| Ok(reading)).take(times).collect();
        Tried { title: title.to_owned(), bus: Bus::Gpio, results, kernel_log: Ok(Tally::default()) }
    }
}

/// Runs that ended so many seconds ago, with this status and error; and when the last one was.
pub(crate) fn runs_that_ended(runs: &[(i64, Option<u8>, Option<&str>)]) -> (Vec<PastRun>, Option<i64>) {
    let run = |(seconds, status, error): &(i64, Option<u8>, Option<&str>)| PastRun {
        at_ms: Facts::NOW_MS - seconds * 1000,
        attempts: 1,
        failures: Tally::default(),
        status: *status,
        error: error.map(str::to_owned),
    };
    let runs: Vec<PastRun> = runs.iter().map(run).collect();
    let newest_ms = runs.last().map(|run| run.at_ms);
    (runs, newest_ms)
}

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\niio-focus:x:994:991::/:\npi:x:1000:1000::/home/pi:/bin/sh\n";
const GROUP: &str = "root:x:0:\niio-focus:x:991:\npi:x:1000:\n";

impl Timer {
    /// One that is enabled, with what it starts.
    pub(crate) fn good(stem: &str) -> Timer {
        Timer {
            name: format!("{stem}.timer"),
            load: Load::Loaded(Unit::of("[Timer]\nOnCalendar=minutely\n")),
            unmet: Vec::new(),
            state: None,
            service: Service {
                name: format!("{stem}.service"),
                load: Load::Loaded(Unit::of("[Service]\nExecStart=iio-focus\n")),
                unmet: Vec::new(),
                missing_program: None,
            },
        }
    }
}

impl Starter {
    /// One whose user can use all files, which are as the packages and README put them.
    pub(crate) fn good(name: &str) -> Starter {
        let users = Users::of(PASSWD, GROUP);
        let settings =
            "[Service]\nProtectHome=true\nProtectSystem=strict\nStateDirectory=iio-focus\nPrivateTmp=true\n";
        Starter {
            by: "iio-focus.timer".into(),
            name: name.to_owned(),
            user_name: "iio-focus".into(),
            user: users.find("iio-focus"),
            sandbox: Sandbox::of(&Unit::of(settings)),
            search: "/usr/local/bin:/usr/bin".into(),
            files: vec![
                Needed::at(Role::Configuration, "/etc/iio-focus.toml", Want::Read, (0, 991, 0o640)),
                Needed::at(Role::StoreFolder, "/var/lib/iio-focus", Want::ChangeFolder, (994, 991, 0o40750)),
                Needed::at(
                    Role::Store,
                    "/var/lib/iio-focus/readings.db",
                    Want::ReadAndWrite,
                    (994, 991, 0o600),
                ),
                Needed::at(Role::Focus, "/usr/local/bin/focus", Want::Execute, (0, 0, 0o755)),
            ],
        }
    }
}

impl Needed {
    /// A file with owner, group and mode, in folders of root's.
    pub(crate) fn at(role: Role, path: &str, want: Want, (uid, gid, mode): (u32, u32, u32)) -> Needed {
        let path = PathBuf::from(path);
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.reverse();
        let mut steps: Vec<Step> = folders
            .into_iter()
            .map(|dir| Step {
                path: dir.to_owned(),
                uid: 0,
                gid: 0,
                mode: nix::libc::S_IFDIR | 0o755,
                acl: Vec::new(),
            })
            .collect();
        if let (Role::Store, Some(folder)) = (role, steps.last_mut()) {
            (folder.uid, folder.gid) = (994, 991);
        }
        let kind = if want == Want::ChangeFolder { nix::libc::S_IFDIR } else { nix::libc::S_IFREG };
        steps.push(Step { path: path.clone(), uid, gid, mode: mode & 0o7777 | kind, acl: Vec::new() });
        Needed { role, way: Way { steps, end: End::There(path.clone()) }, path, want }
    }
}

impl Credential {
    /// One with this mode, which holds nothing.
    pub(crate) fn at(path: &str, mode: u32) -> Credential {
        Credential { path: path.into(), mode, license: None }
    }
}
