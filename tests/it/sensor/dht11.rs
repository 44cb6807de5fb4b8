//! The dht11 driver: its cache, its clones, and what comes between two tries.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{only, reading_of};
use crate::machine::{DHT11, HTU21, fifo, replace_by_link};
use iio_focus::clock::{Clock, Deadline};
use iio_focus::failure::Failure;
use iio_focus::reading::Reading;
use iio_focus::retry::{self, Policy, Stop};
use iio_focus::sensor::Sensor;
use nix::sys::signal::Signal;

#[test]
fn a_dht11_reading_that_comes_at_once_is_not_fresh() {
    let machine = only(&DHT11);
    // Plain files answer in microseconds; only a test machine that stalls for 18 ms makes one look fresh.
    let try_once = || machine.run(&["--retry-delay", "3s", "--attempts", "1", "--deadline", "2s"]);
    let outcomes: Vec<_> = (0..5).map(|_| try_once()).collect();
    let stale = outcomes.iter().find(|outcome| outcome.status == 74);
    let stale = stale.unwrap_or_else(|| panic!("{outcomes:#?}"));
    stale.fails(74, &["in 1 try: not fresh 1 time", "cache", "another program reads the same sensor"]);
}

#[test]
fn a_sensor_without_a_cache_may_answer_at_once() {
    for compatible in ["meas,htu21\0", "vendor,dht11\0", "dht11x\0"] {
        let mut device = DHT11;
        device[3].1 = compatible;
        assert_eq!(reading_of(&only(&device)), "{\"temperature\":20.6,\"humidity\":24.4}\n");
    }
}

#[test]
fn dht11_needs_a_pause_longer_than_its_cache() {
    let mut machine = only(&DHT11);
    for delay in ["0s", "2s", "1999ms"] {
        machine.set("sensor.retry-delay", &format!("{delay:?}"));
        machine.run(&[]).fails(78, &["retry-delay", "2s", "dht11@4"]);
    }
    machine.unset("sensor.retry-delay");
    machine.run(&["--retry-delay", "2s"]).fails(78, &["retry-delay"]);
    // The default is long enough.
    assert_ne!(machine.run(&["--attempts", "1"]).status, 78);
}

/// Virtual time: what it says at each look, and what happens in a pause.
struct Script<F> {
    times: RefCell<VecDeque<u64>>,
    last: Cell<u64>,
    pauses: Cell<usize>,
    in_pause: F,
}

impl<F: Fn(usize)> Script<F> {
    fn new(times_ms: &[u64], in_pause: F) -> Script<F> {
        let times = RefCell::new(times_ms.iter().copied().collect());
        Script { times, last: Cell::new(0), pauses: Cell::new(0), in_pause }
    }
}

impl<F: Fn(usize)> Clock for Script<F> {
    fn now(&self) -> Duration {
        self.last.set(self.times.borrow_mut().pop_front().unwrap_or(self.last.get()));
        Duration::from_millis(self.last.get())
    }

    fn pause(&self, _: Duration) -> Result<(), Signal> {
        self.pauses.set(self.pauses.get() + 1);
        (self.in_pause)(self.pauses.get());
        Ok(())
    }
}

fn read_at(device: &[(&str, &str)], times_ms: &[u64]) -> Result<Reading, Failure> {
    let machine = only(device);
    let sensor = Sensor::find(&machine.path("sys"), None).unwrap();
    sensor.read(&Script::new(times_ms, |_| ()))
}

#[test]
fn a_dht11_pair_is_fresh_when_it_took_one_start_pulse_and_no_more() {
    // Before the temperature, between the two, after the humidity.
    for times in [[100, 118, 118], [0, 24, 24], [0, 24, 41], [0, 1100, 1100]] {
        let reading = read_at(&DHT11, &times).unwrap();
        assert_eq!((reading.temperature_mdegc, reading.humidity_mpercent), (20_600, 24_400), "{times:?}");
    }
    for (times, what) in [
        ([0, 17, 17], "cache"),
        ([0, 0, 24], "cache"),
        ([0, 24, 42], "two samples"),
        ([0, 24, 1100], "two samples"),
    ] {
        let failure = read_at(&DHT11, &times).unwrap_err();
        assert_eq!(failure.name(), "not fresh", "{times:?}");
        assert!(failure.to_string().contains(what), "{times:?}: {failure}");
        assert!(!failure.is_futile());
        assert!(read_at(&HTU21, &times).is_ok(), "a driver without a cache: {times:?}");
    }
}

#[test]
fn a_cached_answer_is_asked_for_again_until_the_sensor_was_asked() {
    let machine = only(&DHT11);
    let sensor = Sensor::find(&machine.path("sys"), None).unwrap();
    // When it began, then at each try: before and after the temperature, and at the end or after the humidity.
    for (until_s, times, fresh, pauses) in [
        (33, vec![0, 0, 22, 22], true, 0),
        (33, vec![0, 0, 0, 0, 5, 5, 5, 10, 32, 32], true, 2),
        (33, vec![0, 0, 22, 44, 44, 50, 50, 50, 60, 82, 82], true, 2),
        // The cache lasts for 2 s.
        (33, vec![0, 0, 0, 0, 1999, 1999, 1999, 2000, 2000, 2000], false, 2),
        // A read that began after 0.8 s could end after this deadline.
        (2, vec![0, 0, 0, 0, 799, 799, 799, 800, 800, 800], false, 2),
        (1, vec![0, 0, 0, 0], false, 0),
    ] {
        let clock = Script::new(&times, |_| ());
        let result = sensor.measure(&clock, Deadline(Duration::from_secs(until_s)));
        assert_eq!(result.is_ok(), fresh, "{times:?}: {result:?}");
        assert_eq!(clock.pauses.get(), pauses, "{times:?}");
    }
}

#[test]
fn a_frame_of_zeros_is_a_failed_try_for_ever() {
    let shown = |temperature, humidity| {
        let mut device = DHT11;
        (device[1].1, device[2].1) = (temperature, humidity);
        read_at(&device, &[0, 22, 22]).map(|reading| (reading.temperature_mdegc, reading.humidity_mpercent))
    };
    assert_eq!(shown("0", "0").unwrap_err().name(), "frame of zeros");
    assert_eq!(shown("0", "100").unwrap(), (0, 100));
    assert_eq!(shown("100", "0").unwrap(), (100, 0));
    assert_eq!(shown("-100", "0").unwrap(), (-100, 0));
    // The same pair from a driver whose sensors never send this is only small.
    let mut device = HTU21;
    (device[1].1, device[2].1) = ("0", "0");
    assert!(read_at(&device, &[0, 22, 22]).is_ok());
}

#[test]
fn sub_zero_values_of_clones_are_mended_for_dht11_alone() {
    let mut dht11 = DHT11;
    dht11[1].1 = "-3274500\n";
    assert_eq!(read_at(&dht11, &[0, 22, 22]).unwrap().temperature_mdegc, -2_300);
    dht11[1].1 = "-2300\n";
    assert_eq!(read_at(&dht11, &[0, 22, 22]).unwrap().temperature_mdegc, -2_300);
    dht11[1].1 = "408800\n";
    assert_eq!(read_at(&dht11, &[0, 22, 22]).unwrap().temperature_mdegc, -800);
    dht11[1].1 = "-3274500\n";
    assert_eq!(read_at(&dht11[..3], &[0, 22, 22]).unwrap().temperature_mdegc, -3_274_500);
}

#[test]
fn a_sensor_that_recovers_between_two_tries_gives_its_new_values() {
    let machine = only(&HTU21);
    let device = machine.path("sys/bus/iio/devices/iio:device0");
    let temperature = device.join("in_temp_input");
    replace_by_link(&temperature, "/proc/self/mem");
    let sensor = Sensor::find(&machine.path("sys"), None).unwrap();
    let clock = Script::new(&[], |pause| {
        if pause == 2 {
            fs::remove_file(&temperature).unwrap();
            fs::write(&temperature, "-100\n").unwrap();
            fs::write(device.join("in_humidityrelative_input"), "99900\n").unwrap();
        }
    });
    let policy = Policy {
        attempts: 10,
        delay: Duration::from_millis(2100),
        confirm_delay: Duration::from_millis(2100),
        until: Deadline(Duration::from_secs(50)),
        longest_try: Duration::from_millis(1200),
    };
    let taken = retry::run(&policy, &clock, || sensor.read(&clock).map(Some)).unwrap();
    assert_eq!(taken.value, Reading { temperature_mdegc: -100, humidity_mpercent: 99_900 });
    assert_eq!((taken.failures.total(), taken.attempts, clock.pauses.get()), (2, 3, 2));
}

#[test]
fn a_sensor_that_is_unbound_between_two_tries_ends_them() {
    let machine = only(&HTU21);
    let device = machine.path("sys/devices/platform/x0/iio:device0");
    replace_by_link(&device.join("in_temp_input"), "/proc/self/mem");
    let sensor = Sensor::find(&machine.path("sys"), None).unwrap();
    let clock = Script::new(&[], |_| fs::remove_dir_all(&device).unwrap());
    let policy = Policy {
        attempts: 10,
        delay: Duration::ZERO,
        confirm_delay: Duration::ZERO,
        until: Deadline(Duration::from_secs(50)),
        longest_try: Duration::from_millis(1200),
    };
    match retry::run(&policy, &clock, || sensor.read(&clock).map(Some)).unwrap_err() {
        Stop::GaveUp(tries) => {
            assert_eq!(tries.failures.iter().collect::<Vec<_>>(), [("EIO", 1), ("ENOENT", 1)]);
            assert!(!tries.out_of_time);
        }
        Stop::Signal(signal) => panic!("{signal}"),
    }
}

#[test]
fn temperature_is_read_before_humidity_and_each_once() {
    let machine = only(&HTU21);
    let device = machine.path("sys/bus/iio/devices/iio:device0");
    fifo(&device.join("in_temp_input"));
    fifo(&device.join("in_humidityrelative_input"));
    let child = machine.command(&["--dry-run", "--attempts", "1"]).spawn().unwrap();
    // Opening a named pipe waits for its reader, so this hangs if the order is another.
    let answer =
        |path: &Path, value: &str| File::options().write(true).open(path)?.write_all(value.as_bytes());
    let writer = thread::spawn(move || {
        answer(&device.join("in_temp_input"), "1500\n").unwrap();
        answer(&device.join("in_humidityrelative_input"), "2500\n").unwrap();
    });
    let outcome = machine.finish(child);
    writer.join().unwrap();
    assert_eq!(outcome.stdout, "{\"temperature\":1.5,\"humidity\":2.5}\n", "{outcome:#?}");
}
