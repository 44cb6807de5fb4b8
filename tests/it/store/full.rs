//! File systems that are full, at each block that a run could still use, and memory maps that the kernel ends.
//!
//! FAT and F2FS, which the kernel of a test machine may lack, are on the rig's: `tests/kernel/cases/full-vfat.sh`, and
//! `full-f2fs.sh` with `make check-kernels`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};

use super::{DELIVERED, count, database, says};
use crate::machine::{Machine, Outcome, is_root_with, pid_of};

/// A file system of its own where the store of a machine is, mounted in a mount namespace that a process keeps.
struct Card<'a> {
    machine: &'a Machine,
    holder: Child,
    block: u64,
}

impl<'a> Card<'a> {
    /// Makes it with this command on an image of this size, or mounts a tmpfs of it.
    fn new(machine: &'a Machine, mkfs: &[&str], block: u64, size: &str) -> Card<'a> {
        fs::create_dir_all(machine.store_dir()).unwrap();
        let image = machine.path("image").display().to_string();
        let kind = if let [program, arguments @ ..] = mkfs {
            Command::new("truncate").args(["-s", size, &image]).status().unwrap();
            let made = Command::new(program).args(arguments).arg(&image).output().unwrap();
            assert!(made.status.success(), "{mkfs:?}: {made:?}");
            "-o loop".to_owned()
        } else {
            format!("-t tmpfs -o size={size}")
        };
        let mount = format!(
            "mount {kind} {image} '{}' && echo mounted && exec sleep 3600",
            machine.store_dir().display()
        );
        let mut holder = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c", &mount])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said != "mounted\n" {
            panic!("{mkfs:?}: {:?}", holder.wait_with_output());
        }
        Card { machine, holder, block }
    }

    fn path(&self, name: &str) -> PathBuf {
        let root = format!("/proc/{}/root{}", self.holder.id(), self.machine.store_dir().display());
        PathBuf::from(root).join(name)
    }

    /// Fills it but for so many blocks.
    fn fill(&self, but: u64) {
        let blocks = self.write_filler(u64::MAX).saturating_sub(but);
        let Ok(filler) = File::options().write(true).open(self.path("filler")) else { return };
        // One that writes each block to another place needs some to free others.
        if filler.set_len(blocks * self.block).and_then(|()| filler.sync_all()).is_err() {
            let _ = fs::remove_file(self.path("filler"));
            self.write_filler(blocks);
        }
    }

    /// Returns how many blocks it has.
    fn write_filler(&self, most: u64) -> u64 {
        let Ok(mut filler) = File::create(self.path("filler")) else { return 0 };
        let block = vec![0x5a; usize::try_from(self.block).unwrap()];
        let mut blocks = 0;
        // What is not on the disk yet takes more than it will there.
        for _ in 0..4 {
            while blocks < most && filler.write_all(&block).is_ok() {
                blocks += 1;
            }
            let _ = filler.sync_all();
        }
        blocks
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let pid = self.holder.id().to_string();
        self.machine.run_under(&["nsenter", "-m", "-t", &pid, "--"], arguments)
    }
}

impl Drop for Card<'_> {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The reading arrives. Returns whether it could be kept; if not, one line says that there is no space, and what to do.
#[track_caller]
fn arrives(outcome: &Outcome, what: &str) -> bool {
    assert_eq!(outcome.status, 0, "{what}: {outcome:#?}");
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    let (last, warnings) = lines.split_last().unwrap();
    assert!(last.contains("delivered="), "{what}: {outcome:#?}");
    for warning in warnings {
        assert!(warning.contains("no space is left on its file system"), "{what}: {outcome:#?}");
        assert!(warning.contains("; delete what is not needed there: df "), "{what}: {outcome:#?}");
    }
    assert!(warnings.len() <= 1, "{what}: {outcome:#?}");
    assert_eq!(last.contains("backlog=unknown"), warnings.len() == 1, "{what}: {outcome:#?}");
    warnings.is_empty()
}

/// A run, and then those who only look, with each number of blocks free.
fn full_at_every_block(name: &str, mkfs: &[&str], block: u64, size: &str) {
    let machine = Machine::with_sensor();
    let _server = machine.serve();
    let card = Card::new(&machine, mkfs, block, size);
    let most = (160 << 10) / block;
    let mut not_kept = 0;
    for fresh in [true, false] {
        for free in (0..=most).step_by(if fresh { 7 } else { 3 }) {
            let what = format!("{name}, {free} blocks free, fresh: {fresh}");
            let _ = fs::remove_file(card.path("filler"));
            if fresh {
                for file in ["readings.db", "readings.db-wal", "readings.db-shm"] {
                    let _ = fs::remove_file(card.path(file));
                }
            }
            card.fill(free);
            not_kept += u32::from(!arrives(&card.run(&[]), &what));
            let status = card.run(&["status"]);
            assert!([0, 1, 74].contains(&status.status), "{what}: {status:#?}");
        }
    }
    assert!(not_kept > 0, "{name} was never full");
    card.fill(0);
    assert!([0, 1].contains(&card.run(&["doctor"]).status));
    let _ = fs::remove_file(card.path("filler"));
    let outcome = card.run(&[]);
    assert!(outcome.stderr.ends_with(" backlog=0\n"), "{name}: {outcome:#?}");
    let copy = machine.path("copy.db");
    for part in ["", "-wal"] {
        let to = format!("{}{part}", copy.display());
        fs::copy(card.path(&format!("readings.db{part}")), to).unwrap();
    }
    let db = rusqlite::Connection::open(copy).unwrap();
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!((check.as_str(), count(&db, "backlog")), ("ok", 0), "{name}");
}

#[test]
fn no_full_file_system_ends_a_run_by_a_signal() {
    let ext4 = |block| ["mke2fs", "-q", "-t", "ext4", "-m", "0", "-b", block];
    let ext3 = ["mke2fs", "-q", "-t", "ext3", "-m", "0", "-b", "1024"];
    let cases: [(&str, &[&str], u64, &str); 5] = [
        ("tmpfs", &[], 4096, "512k"),
        ("ext4 with 1 KiB blocks", &ext4("1024"), 1024, "4M"),
        ("ext4 with 2 KiB blocks", &ext4("2048"), 2048, "8M"),
        ("ext4 with 4 KiB blocks", &ext4("4096"), 4096, "8M"),
        // It cannot reserve blocks.
        ("ext3", &ext3, 1024, "4M"),
    ];
    for (name, mkfs, block, size) in cases {
        if is_root_with(mkfs.first().copied().unwrap_or("nsenter"), name) {
            full_at_every_block(name, mkfs, block, size);
        }
    }
}

/// A page of the index cannot be read, as on a bad card: the file was cut while focus was at work.
#[test]
fn a_map_that_the_kernel_ends_does_not_end_a_run() {
    let machine = Machine::with_fault("hang");
    let child = machine.start_until_focus_hangs(&mut machine.command(&[]));
    let index = machine.store_dir().join("readings.db-shm");
    File::options().write(true).open(index).unwrap().set_len(0).unwrap();
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    let outcome = machine.finish(child);
    assert_eq!(outcome.status, 143, "{outcome:#?}");
    assert!(
        outcome.stderr.contains("the index of its log could not be read or written (SIGBUS)"),
        "{outcome:#?}"
    );
    // What was committed before is there.
    let mut after = machine.command(&[]);
    let outcome = machine.outcome(after.env_remove("FOCUS_FAULT"));
    assert!(outcome.stderr.ends_with("delivered=2 backlog=0\n"), "{outcome:#?}");
    assert_eq!(count(&database(&machine), "reading WHERE delivered_ms IS NOT NULL"), 2);
}

#[test]
fn each_trouble_is_called_by_its_name_with_what_to_do() {
    let machine = Machine::with_sensor();
    machine.run(&[]).delivered();
    fs::remove_file(machine.path("record")).unwrap();
    let limited = machine.run_under(&["sh", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"], &[]);
    says(
        &limited,
        0,
        &["; the size of files is limited for this process (ulimit -f, LimitFSIZE=): lift that;", DELIVERED],
    );
}
