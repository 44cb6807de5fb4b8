#!/usr/bin/env python3
"""wear.py PROGRAM BIN OUT [RUNS]: what one reading writes to a card, as root. On an ext4 with the mount options of Raspberry Pi OS
(defaults,noatime) on a loop device, the kernel tells each write and each flush that it gives to the device (its tracepoint
block_rq_issue). Each run is followed by what the kernel would write back in the rest of its minute (syncfs). At the end, debugfs
tells what each block belongs to. BIN has the stand-in for focus, the floor, and the
variants if they are to be measured too. The mounts are in a namespace of their own."""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

TRACING = pathlib.Path("/sys/kernel/tracing")
BLOCK = 4096
SETTLING = 70       # runs before it is measured: a write-ahead log has its size then
CONFIG = """[focus]
program = "{stand_in}"
license = "x0000-test-0000"
pcode = 7000
server-host = "127.0.0.1"
[store]
path = "{card}/readings.db"
wait-for-clock = "0s"
"""
INSERT = """CREATE TABLE IF NOT EXISTS reading (taken INTEGER, temperature REAL, humidity REAL);
    INSERT INTO reading VALUES (unixepoch(), 20.6, 24.4)"""
# What dumpe2fs calls the places of a file system.
PLACES = {r"superblock at (\d+)()": "superblock", r"Group descriptors at (\d+)-(\d+)": "group descriptors",
          r"Block bitmap at (\d+)()": "block bitmap", r"Inode bitmap at (\d+)()": "inode bitmap",
          r"Inode table at (\d+)-(\d+)": "inodes"}


def run(*words, **more):
    done = subprocess.run(list(map(str, words)), text=True, capture_output=True, check=False, **more)
    if done.returncode != 0:
        sys.exit(f"wear: {words[0]}: status {done.returncode}: {done.stderr}")
    return done.stdout


class Card:
    """A file system on a loop device, and what is written to it."""

    def __init__(self, work):
        self.folder, self.trace, self.loop = work / "card", TRACING / f"instances/iio-focus-wear-{os.getpid()}", None
        self.image = work / "image"

    def __enter__(self):
        with open(self.image, "wb") as file:
            file.truncate(512 << 20)
        run("mkfs.ext4", "-q", "-b", BLOCK, "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.folder.mkdir(exist_ok=True)
        self.loop = run("losetup", "--find", "--show", self.image).strip()
        run("mount", "-o", "defaults,noatime", self.loop, self.folder)
        self.trace.mkdir()
        return self

    def __exit__(self, *_):
        if self.trace.exists():
            (self.trace / "events/block/block_rq_issue/enable").write_text("0")
            self.trace.rmdir()
        run("umount", self.folder)
        run("losetup", "-d", self.loop)

    def watch(self):
        device = os.stat(self.loop).st_rdev
        (self.trace / "buffer_size_kb").write_text("16384")
        issued = self.trace / "events/block/block_rq_issue"
        (issued / "filter").write_text(f"dev == {os.major(device) << 20 | os.minor(device)}")
        (self.trace / "trace").write_text("")
        (issued / "enable").write_text("1")
        return issued / "enable"

    def measure(self, job, runs):
        """Of a run: bytes, writes, flushes, and bytes by what they are."""
        for _ in range(min(SETTLING, runs)):
            job()
        self.write_back()
        enable = self.watch()
        for _ in range(runs):
            job()
            self.write_back()
        enable.write_text("0")
        lines = (self.trace / "trace").read_text().splitlines()
        kept, written = next(map(int, found.groups()) for found in map(re.compile(
            r"# entries-in-buffer/entries-written: (\d+)/(\d+)").match, lines) if found)
        if kept != written:
            sys.exit(f"wear: {written - kept} lines of the trace were lost")
        return self.sum(lines, runs)

    def write_back(self):
        run("sync", "-f", self.folder)

    def sum(self, lines, runs):
        places = self.places()
        parts, count = collections.Counter(), collections.Counter()
        for line in lines:
            found = re.search(r"block_rq_issue: \S+ (\w+) \d+ \(.*?\) (\d+) \+ (\d+)", line)
            if not found:
                continue
            kind, sector, sectors = found[1], int(found[2]), int(found[3])
            count["flushes"] += kind.startswith("F")
            if "W" not in kind:
                continue
            count["writes"] += 1
            unknown = "other metadata" if "M" in kind else "files that were cut or removed since"
            for block in range(sector * 512 // BLOCK, -(-(sector + sectors) * 512 // BLOCK)):
                parts[places.get(block, unknown)] += BLOCK
        return {"runs": runs, "bytes": parts.total() / runs, "writes": count["writes"] / runs, "flushes": count["flushes"] / runs,
                "parts": {name: bytes / runs for name, bytes in parts.most_common()}}

    def places(self):
        """What each block is, as far as debugfs and dumpe2fs know."""
        blocks = {}
        for line in run("dumpe2fs", self.loop).splitlines():
            for pattern, name in PLACES.items():
                for found in re.finditer(pattern, line):
                    blocks |= dict.fromkeys(range(int(found[1]), int(found[2] or found[1]) + 1), name)
        named = {file.name: file.name for file in self.folder.iterdir() if file.is_file()}
        for name, file in {**named, "journal of the file system": "<8>", "folder": "/"}.items():
            for kind, first, last in re.findall(r"\((ETB\d+|[\d-]+)\):(\d+)(?:-(\d+))?", run("debugfs", "-R", f"stat {file}", self.loop)):
                what = "extents" if kind.startswith("ETB") else name
                blocks |= dict.fromkeys(range(int(first), int(last or first) + 1), what)
        return blocks


class Jobs:
    """One reading, as each of them keeps it on the card."""

    def __init__(self, program, folder, work):
        self.folder, self.card = folder, work / "card"
        device = work / "sys/bus/iio/devices/iio:device0"
        device.mkdir(parents=True, exist_ok=True)
        for name, text in (("name", "dht11@4"), ("in_temp_input", "20600"), ("in_humidityrelative_input", "24400")):
            (device / name).write_text(text + "\n")
        config = work / "iio-focus.toml"
        config.touch(0o600)
        config.write_text(CONFIG.format(stand_in=folder / "stand-in", card=self.card))
        self.words = [program, "--sysfs", work / "sys", "--config", config, "--log", "stderr"]

    def iio_focus(self):
        run(*self.words, env={})

    def log_line(self):
        with open(self.card / "readings.log", "a", encoding="utf-8") as log:
            log.write("2025-11-25 14:00:00 temperature=20.6 humidity=24.4\n")

    def insert(self):
        run("sqlite3", self.card / "script.db", INSERT)

    def in_place(self):
        run(self.folder / "in-place", self.card / "in-place")


NAMES = {Jobs.iio_focus: "iio-focus", Jobs.log_line: "a line in a log file, as the published script writes it",
         Jobs.insert: "an insert with `sqlite3`, as a shell script does it",
         Jobs.in_place: "C, the least there is: 80 bytes in place, one `fdatasync`"}


# Ways to keep a reading with SQLite: words of contenders/variants.c.
WAYS = ["", "fdatasync", "second-unsynced", "no-backlog", "page-1024", "index-zeroed", "index-zeroed fdatasync no-folder",
        "index-zeroed fdatasync no-folder second-unsynced", "index-zeroed fdatasync no-folder second-unsynced no-backlog",
        "index-zeroed fdatasync no-folder second-unsynced no-backlog page-1024", "index-kept", "index-kept fdatasync no-folder",
        "index-kept fdatasync no-folder second-unsynced", "index-kept fdatasync no-folder second-unsynced no-backlog",
        "index-kept fdatasync no-folder second-unsynced no-backlog page-1024", "exclusive",
        "exclusive fdatasync no-folder second-unsynced no-backlog", "persist", "persist fdatasync no-folder", "truncate", "delete"]


def measure_ways(folder, runs, work):
    """What each of them writes."""
    rows = []
    for way in WAYS:
        with Card(work) as card:
            command = [folder / "variants", card.folder / "variants.db", *way.split()]
            rows.append({"way": way, **card.measure(lambda: run(*command), runs)})
    return rows


def measure(program, folder, out, runs, work):
    """In a mount namespace of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not (TRACING / "instances").exists():
        run("mount", "-t", "tracefs", "tracefs", TRACING)
    figures = {}
    for job, name in NAMES.items():
        with Card(work) as card:
            jobs = Jobs(program, folder, work)
            figures[name] = card.measure(lambda: job(jobs), runs if job is Jobs.iio_focus else min(runs, 300))
    ways = measure_ways(folder, 200, work) if (folder / "variants").exists() else []
    out.write_text(json.dumps({"figures": figures, "ways": ways}, indent=1))


def main():
    program, folder, out = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 1440
    if len(sys.argv) > 5:
        measure(program, folder, out, runs, pathlib.Path(sys.argv[5]))
        return
    out.unlink(missing_ok=True)
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control") or not TRACING.is_dir():
        print("wear: left out: it needs root, loop devices and the kernel's tracing", file=sys.stderr)
        return
    # The folder goes when the namespace is gone, with its mounts.
    with tempfile.TemporaryDirectory() as work:
        here = [sys.executable, __file__, program, folder, out, runs, work]
        run("unshare", "-m", "--propagation", "private", *here)


if __name__ == "__main__":
    main()
