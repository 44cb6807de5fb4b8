#!/usr/bin/env python3
"""Long times on the rig, in virtual time: what the simulated sensor played is compared with what arrived.

    week    a run a minute over seventy boots, half of the frames bad: with the server down for two days, the card full
            for one, a wrong clock in every tenth boot, and a SIGKILL in every hundredth run
    power   a day with a hundred power cuts; the store is on ext4, on a disk that keeps what was written to it. And some
            hours of it on FAT
    setup   iio-focus setup on a card, with the power cut off in the middle of each write
    noise   ten thousand runs with a new store now and then, and what a reader that retries at once makes of
            the same frames

Everything is drawn from SEED, so a failure can be repeated. All that was seen of each boot stays in WORK.
"""

import argparse
import collections
import concurrent.futures
import datetime
import itertools
import json
import math
import os
import pathlib
import queue
import random
import re
import shutil
import sqlite3
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SEED = int(os.environ.get("SEED", "1"))
EPOCH = 1_700_000_000
PARTS = ("week", "power", "setup", "noise")
MINUTE, DAY = 60, 86_400
NOT_DELIVERED = 69
LONG_BACKLOG = 64
AT_ONCE_AFTER_A_CRASH = 64
BY_SIGKILL, BY_SIGTERM = 137, 143

# Of the program: how long a reading waits for a synchronised clock after the boot, and how long a run is. In s.
WAIT_FOR_CLOCK = 600
LONGEST_RUN = 50

# A run that finds no reading makes at least so many tries.
FEWEST_TRIES = 7

# To the disk, of the program and ext4, on average.
WRITES_PER_RUN = 18

# With a reading that is younger, one try is enough; else two must agree. In s.
RECENT = 600

# From the answer of the sensor to the end of the frame of one that answers late.
LONGEST_ANSWER = 1.2


class Frame:
    """What the sensor is told to play; value is (0.1 °C, 0.1 %RH), or None where no reading may come of it."""

    def __init__(self, kind, line, value=None):
        self.kind, self.line, self.value = kind, line, value

    def looks_good(self):
        """Whether nothing but its value can tell that it is not good."""
        if self.value or "badsum" in self.line:
            return bool(self.value)
        if self.kind == "noise":
            raw = int(self.line.removeprefix("raw="), 16)
            t, h = raw & 0x7fff, raw >> 16
            t = -t if raw & 0x8000 else t
        elif self.kind in ("wild", "doubled"):
            t, h = map(int, re.findall(r"[th]=(-?\d+)", self.line))
        else:
            return False
        return -400 <= t <= 800 and 0 <= h <= 1000


class Sensor:
    """Draws frames that it could send. Two wild or doubled values with the right checksum are far more often here than the
    one in 256 that chance would give. Two of them that agree, or three that go one way, cannot be told from a true change
    by anybody, so there are none."""

    def __init__(self, rng):
        self.rng = rng
        self.last_wild = 0, 0
        self.doubled = False

    def good(self, value):
        rng = self.rng
        t, h = value
        plain = f"t={t} h={h}"
        kind, line = rng.choice([
            ("good", plain), ("good", plain), ("good", plain),
            ("good, slow", plain + " n0=30 n1=75"), ("good, fast", plain + " n0=22 n1=68"),
            ("good, late", plain + " late:60"), ("good, late", plain + " late:900"),
            ("good, last edge lost", plain + " short:83"),
            ("good, clone", f"raw={h << 16 | t & 0xffff:08x}"),
            ("good, clone of 12 bits", f"raw={h << 16 | t & 0xfff:08x}"),
        ])
        self.doubled = False
        return Frame(kind, line, value)

    def bad(self, value):
        rng = self.rng
        t, h = value
        plain = f"t={t} h={h}"
        random_bytes = f"raw={rng.randrange(1 << 32):08x}"
        wild = rng.choice([-1, 1]) * rng.randint(60, 300)
        while is_like_a_change(*self.last_wild, wild):
            wild = rng.choice([-1, 1]) * rng.randint(60, 300)
        kinds = [] if self.doubled else [("doubled", f"t={2 * t} h={2 * h}")]
        kind, line = rng.choice(kinds + [
            ("checksum", plain + " badsum"),
            ("zeros", "raw=00000000"),
            ("lost pulse", f"{plain} drop:{rng.randint(3, 80)}"),
            ("undecodable", "weird"),
            ("silent", "silent"),
            ("stuck", "stuck"),
            ("short", f"{plain} short:{rng.randint(2, 82)}"),
            ("too late", plain + " late:1100"),
            ("spike", plain + " glitch"),
            ("out of range", f"t={rng.randint(801, 3000)} h={h}"),
            ("wild", f"t={max(-400, min(800, t + wild))} h={h}"),
            # One in 256 has the right checksum by chance.
            ("noise", random_bytes + (" badsum" if rng.randrange(256) else "")),
        ])
        if kind == "wild":
            self.last_wild = self.last_wild[1], wild
        self.doubled |= kind == "doubled"
        return Frame(kind, line)


def is_like_a_change(first, second, third):
    steps = second - first, third - second
    return abs(steps[1]) <= 15 or (steps[0] * steps[1] > 0 and max(map(abs, steps)) <= 60)


def frames(rng, count, start, share_bad=0.5):
    """The values follow the day, and no two neighbours are the same."""
    sensor, played = Sensor(rng), []
    for i in range(count):
        day = 2 * math.pi * (start + i * MINUTE / 2.2) / DAY
        value = (round(40 + 90 * math.sin(day)), round(600 - 150 * math.sin(day)) + i * 7 % 50)
        bad = rng.random() < share_bad
        played.append(sensor.bad(value) if bad else sensor.good(value))
    return played


class Reading:
    """A good frame that was played to a run."""

    def __init__(self, run, at, frame, is_sure):
        """It is sure if it had to be believed: else its run may have ended before another try agreed with it."""
        self.run, self.frame, self.value, self.at, self.is_sure = run, frame, frame.value, at, is_sure
        self.true = run.boot.true + at
        self.wall = run.boot.wall_clock(at)
        self.arrivals = []              # in which run, with which -now, and whether that was a wrong time
        # As far as it can be seen from outside. On a full card, only the store shows it later.
        self.committed = not run.card_full and (is_sure and run.came_to_its_end() or run.started_focus)

    def may_be_sent_as(self, now, in_run):
        """Whether it may go out with this wrong time: what the clock said, or another guess."""
        is_guess = self.fits(self.wall, now) or now <= in_run.boot.true + in_run.started
        return is_guess and self.may_be_wrong(in_run)

    def may_be_wrong(self, in_run):
        """Whether the store says that the time of its boot is uncertain, or the clock was waited for long enough."""
        boot = self.run.boot
        if in_run.boot is boot:
            return in_run.has_waited_for_clock()
        return boot.id in in_run.boot.certain and not in_run.boot.certain[boot.id]

    def is_in(self, rows):
        """Whether the store has it: rows are boot clocks in s, by boot and value."""
        return any(self.at - 1 < boot_s <= self.at + LONGEST_ANSWER for boot_s in rows[self.run.boot.id, self.value])

    @staticmethod
    def fits(time, now):
        return time - 1 < now <= time + LONGEST_ANSWER

    def __str__(self):
        t, h = self.value
        return (f"{t / 10} °C {h / 10} % ({self.frame.line!r}), taken at {self.true:.3f} "
                f"in run {self.run.number} of {self.run.boot.name}")


class Run:
    def __init__(self, boot, number, started):
        self.boot, self.number, self.started = boot, number, started
        self.ended = self.sent = None   # when; None: the power went off, nothing was sent
        self.status = None
        self.card_full = boot.card_full     # at any time of it
        self.server_up = boot.server_up     # all the time
        self.started_focus = False          # for its own reading
        self.frames, self.reading = [], None

    def was_cut_off(self):
        """By the power or SIGKILL."""
        return self.status in (None, BY_SIGKILL)

    def came_to_its_end(self):
        return not self.was_cut_off()

    def has_waited_for_clock(self):
        return self.started + LONGEST_RUN >= WAIT_FOR_CLOCK and self.started < self.boot.synchronised_at


def boot_guest(name, share, cpu, disks, power_cut=None, **more):
    """Boots the rig with what is in guest/NAME, and returns what is on its console."""
    env = dict(os.environ, SHARE=str(share), CPU=str(cpu), LIMIT="7200", DISKS=" ".join(map(str, disks)), **more)
    if power_cut is not None:
        env["POWER_CUT"] = str(power_cut)
    log = share / "log"
    subprocess.run([HERE / "run.sh", HERE / "guest" / name, log], env=env, stdout=subprocess.DEVNULL)
    return log.read_text(errors="replace")


class Boot:
    """One boot of the guest: what it is given, and what was seen."""

    def __init__(self, work, name, played, events, true=EPOCH, wall=None, target="program", store="",
                 fault="slow-and-sure", pause_ms=3000, unsynced="", file_system="ext4"):
        self.name, self.played, self.true = name, played, true
        self.wall_start = true if wall is None else wall
        self.is_clock_wrong = wall is not None
        self.clock_set, self.synchronised_at = None, math.inf
        self.server_up = self.card_full = False
        self.id, self.certain = None, {}    # of the boots that its store knows: whether their time is certain
        self.share = work / name
        self.share.mkdir(parents=True)
        write = lambda file, lines: (self.share / file).write_text("".join(line + "\n" for line in lines))
        write("frames", [frame.line for frame in played])
        write("events", [f"{at:.3f} {what}" for at, what in sorted(events)])
        write("settings", [f"TARGET={target}", f"STORE={store}", f"FAULT={fault}", f"FOCUS_PAUSE_MS={pause_ms}",
                           f"UNSYNCED={unsynced}", f"FILE_SYSTEM={file_system}"])

    def wall_clock(self, at):
        is_set = self.clock_set is not None and at >= self.clock_set
        return (self.true if is_set else self.wall_start) + at

    def boot(self, cpu, disk=None, power_cut=None):
        log = boot_guest("soak", self.share, cpu, [disk] if disk else [], power_cut, START=str(self.wall_start))
        self.read(log)
        if power_cut is None and not self.end:
            raise RuntimeError(f"no boot: see {self.share}/log")
        return self

    def read(self, log):
        self.runs, self.skipped, self.seen, self.sent, self.asked = [], 0, [], [], 0
        self.end, recorded = 0.0, 0
        record = self.share / "focus"
        records = record.read_bytes() if record.exists() else b""
        for at, text in re.findall(r"^(?:@(\d+\.\d+) )?(.*?)\r*$", log, re.M):
            word, _, rest = text.partition(" ")
            if word.startswith("{"):
                self.seen.append((self.runs[-1], json.loads(text)))
            elif word == "boot":
                self.id = rest
            if not at:
                continue
            at = self.end = float(at)
            if word == "start":
                self.runs.append(Run(self, int(rest), at))
            elif word == "end":
                _, status, size = map(int, rest.split())
                self.runs[-1].ended, self.runs[-1].status = at, status
                self.runs[-1].started_focus = has_own(records[recorded:size])
                recorded = size
            elif word == "skip":
                self.skipped += 1
            elif word == "answer:":
                frame = self.played[self.asked]
                assert frame.line == rest, f"{self.name}: played {rest}, expected {frame.line}"
                self.asked += 1
                self.runs[-1].frames.append((at, frame))
            elif word == "sends":
                self.runs[-1].sent = self.runs[-1].sent or at
                self.sent.append((self.runs[-1], tuple(map(int, rest.split()))))
            else:
                self.happened(at, word, rest)
        if self.runs and self.runs[-1].status is None:
            self.runs[-1].started_focus = has_own(records[recorded:])

    def happened(self, at, word, rest):
        """An event, which may be in the middle of a run."""
        if word in ("up", "down"):
            self.server_up = word == "up"
        elif word in ("fill", "free"):
            self.card_full = word == "fill"
        elif word in ("sync", "clock"):
            self.synchronised_at = min(at, self.synchronised_at)
        if word == "clock":
            # Set to a whole second, at a time that is near the one that was asked for.
            self.clock_set, self.true = at, int(rest) - at
        for run in self.runs[-1:]:
            if run.ended is None:
                run.server_up &= self.server_up
                run.card_full |= self.card_full


def has_own(records):
    """Whether focus was given a reading of that same run."""
    return any(json.loads(line)["now"] is None for line in records.splitlines())


def confirmed(frames):
    """The first good frame with one before it that is good, too, and none between them that could be good."""
    before = None
    for at, frame in frames:
        if frame.value and before and before.value:
            return at, frame
        if frame.looks_good():
            before = frame
    return None


class Audit:
    """What arrived against what was played, over one or more boots with one store."""

    def __init__(self):
        self.readings, self.violations = [], []     # in the order they were taken
        self.again = collections.Counter()          # how many arrived again, by the run in which they did before
        self.pending, self.longest = [], 0
        self.by_value = collections.defaultdict(list)
        self.count = collections.Counter()

    def violation(self, text):
        self.violations.append(text)

    def add(self, boot, in_order=True):
        """With in_order, what is committed must arrive before what was taken after it."""
        for run in boot.runs:
            for _, frame in run.frames:
                self.count[frame.kind] += 1
            good = [one for one in run.frames if one[1].value]
            if not good:
                continue
            first, second = good[0], confirmed(run.frames)
            if self.needs_two(run) and not second:
                if run.sent or run.status == 0:
                    self.violation(f"one try was believed: {first[1].line!r} in run {run.number} of {boot.name}")
                continue
            needs_two = self.needs_two(run) or self.may_need_two(run) and first != run.frames[-1]
            if needs_two and not second:
                continue
            at, frame = second if needs_two else first
            is_sure = second or not self.may_need_two(run) or len(run.frames) < FEWEST_TRIES
            run.reading = Reading(run, at, frame, is_sure)
            self.readings.append(run.reading)
            self.by_value[frame.value].append(run.reading)
            if (at, frame) != run.frames[-1]:
                self.violation(f"refused although it was good: {run.reading}")
        by_run = collections.defaultdict(list)
        for run, record in boot.seen:
            by_run[run].append(record)
        before = None
        for run in boot.runs:
            if run.reading:
                self.pending.append(run.reading)
            last = -1
            # Of a long backlog, four go out at the same time, and any of them may arrive first. It is as long as it was
            # before a run that could not mark what it delivered.
            is_long = len(self.pending) > LONG_BACKLOG or before is None or before.was_cut_off() or before.card_full
            self.at_once = 4 if is_long else 1
            for record in by_run[run]:
                last = self.arrived(run, record, last, in_order)
            self.longest = max(self.longest, len(self.pending))
            before = run

    def needs_two(self, run):
        """Whether the store can have no reading that is recent."""
        return not self.readings or run.boot.true + run.started - self.readings[-1].true > RECENT

    def may_need_two(self, run):
        """Whether it may have none: those that are recent may not be kept, or another boot's clock says that they are of
        another time."""
        last = next((reading for reading in reversed(self.readings) if reading.committed), None)
        return not last or run.boot.true + run.started - last.true > RECENT or last.run.boot is not run.boot

    def arrived(self, run, record, last, in_order):
        payload, now = json.loads(record["stdin"]), record["now"]
        value = (round(payload["temperature"] * 10), round(payload["humidity"] * 10))
        what = f"{value[0] / 10} °C {value[1] / 10} % with now={now} in run {run.number} of {run.boot.name}"
        if now is None:
            reading = run.reading if run.reading and run.reading.value == value else None
            reason = f"that run's reading was {run.reading}"
        else:
            same = self.by_value[value]
            right = (one for one in same if one.fits(one.true, now))
            again = (one for one in same if one.arrivals and one.arrivals[-1][1] == now)
            guessed = (one for one in same if not one.arrivals and one.may_be_sent_as(now, run))
            reading = next(itertools.chain(right, again, guessed), None)
            reason = f"it was read in {[str(one) for one in same]}" if same else "no good frame had these values"
        if reading is None:
            self.violation(f"wrong: {what}; {reason}")
            return last
        if now is None:
            is_wrong = not -1 < record["time"] - reading.true < LONGEST_RUN
            # What cannot be kept cannot wait either.
            if is_wrong and not run.has_waited_for_clock() and not run.card_full:
                self.violation(f"wrong time, not waited for: {what} at {record['time']}; {reason}")
        else:
            is_wrong = not reading.fits(reading.true, now)
            last = self.check_order(reading, what, last, in_order)
        if reading.arrivals:
            self.arrived_again(reading, what)
        reading.arrivals.append((run, now, is_wrong))
        if reading in self.pending:
            self.pending.remove(reading)
        return last

    def arrived_again(self, reading, what):
        """After a run that could not mark it. Or one whose focus said "Connect error" before it was connected: that is
        no delivery, by the rule."""
        before = reading.arrivals[-1][0]
        if before.was_cut_off() or before.card_full:
            self.again[before] += 1
            if self.again[before] > AT_ONCE_AFTER_A_CRASH:
                self.violation(f"twice, as the {self.again[before]}th after run {before.number} of {before.boot.name}: {what}")
        elif before.status != NOT_DELIVERED:
            self.violation(f"twice: {what}")

    def check_order(self, reading, what, last, in_order):
        order = self.readings.index(reading)
        skipped = (one for one in self.readings[order + 1:last + 1] if one.committed or one.arrivals)
        if len(list(skipped)) >= self.at_once:
            self.violation(f"out of order: {what} came after {self.readings[last]}")
        if in_order and not reading.arrivals:
            sure = (one for one in self.pending if one.committed or one is reading)
            first = list(itertools.islice(sure, self.at_once))
            if reading not in first:
                self.violation(f"out of order: {what} came before {first[0]}")
        return max(last, order)

    def look_at_store(self, boot):
        """Whether the store that this boot found is whole and has all that is committed. Returns whether there was one."""
        copy = boot.share / "readings.db"
        if not copy.exists():
            for reading in self.readings:
                if reading.committed:
                    self.violation(f"lost, as there is no store in {boot.name}: {reading}")
            return False
        db = sqlite3.connect(copy)
        verdict = db.execute("PRAGMA integrity_check").fetchall()
        if verdict != [("ok",)]:
            self.violation(f"damaged: {boot.name} found {verdict}")
            return True
        boot.certain = dict(db.execute("SELECT boot_id, certain FROM boot"))
        rows = collections.defaultdict(list)
        for id, t, h, boot_ms in db.execute("SELECT boot_id, temperature_mdegc, humidity_mpercent, boot_ms FROM reading"):
            rows[id, (t // 100, h // 100)].append(boot_ms / 1000)
        db.close()
        for reading in self.readings:
            is_kept = reading.is_in(rows)
            if reading.committed and not is_kept:
                self.violation(f"lost from the store that {boot.name} found: {reading}")
            reading.committed |= is_kept
        return True

    def close(self):
        for reading in self.readings:
            if reading.arrivals:
                continue
            run = reading.run
            if reading.committed:
                self.violation(f"lost: {reading}")
            elif run.server_up and run.came_to_its_end() and run.status != BY_SIGTERM and reading.is_sure:
                self.violation(f"lost, although the server was up: {reading}")

    def check_export(self, store):
        """What `iio-focus export` says of each reading is its time, or marked as uncertain. Returns how often it is certain."""
        (store.parent / "config").write_text(f"[store]\npath = '{store}'\n")
        command = [os.environ["PROGRAM"], "--config", store.parent / "config", "export", "--json"]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        certain = collections.Counter()
        for line in map(json.loads, lines):
            certain[line["time_certain"]] += 1
            value = round(line["temperature_celsius"] * 10), round(line["humidity_percent"] * 10)
            time = datetime.datetime.fromisoformat(line["time"]).timestamp()
            if line["time_certain"] and not any(one.fits(one.true, time) for one in self.by_value[value]):
                self.violation(f"wrong time in the export: {line}")
        return certain

    def wrong_times(self):
        wrong = collections.Counter()
        for one in self.readings:
            for run, now, _ in (times for times in one.arrivals[:1] if times[2]):
                waited = run.boot is one.run.boot and run.has_waited_for_clock()
                wrong["waited" if waited else "full" if now is None else "uncertain"] += 1
        row("arrived with a wrong time", wrong.total(),
            f"{wrong['waited']} after {WAIT_FOR_CLOCK // 60} min without the time, {wrong['full']} that a full card could not keep, "
            f"{wrong['uncertain']} of boots whose time the store calls uncertain")

    def figures(self, title, boots):
        runs = [run for boot in boots for run in boot.runs]
        arrived = [reading.arrivals for reading in self.readings if reading.arrivals]
        starts = lambda what: sum(text.startswith(what) for text in self.violations)
        print(f"{title}:")
        row("runs", len(runs), f"{sum(boot.skipped for boot in boots)} left out, as one was under way")
        row("runs with a reading", sum(run.reading is not None for run in runs))
        row("frames played", self.count.total())
        for good in (True, False):
            kinds = sorted((kind, n) for kind, n in self.count.items() if kind.startswith("good") == good)
            row("  good" if good else "  bad", sum(n for _, n in kinds),
                ", ".join(f"{kind.removeprefix('good, ')} {n}" for kind, n in kinds))
        row("delivered at once", sum(times[0][1] is None for times in arrived))
        row("delivered from the backlog", sum(times[0][1] is not None for times in arrived))
        row("longest backlog", self.longest)
        row("arrived twice", sum(len(times) > 1 for times in arrived),
            f"at most {max(self.again.values())} after one run" if self.again else "")
        row("lost", starts("lost"))
        row("wrong values or times", starts("wrong"))
        row("out of order", starts("out of order"))


def row(name, value, note=""):
    print(f"  {name:<28} {value:>7}  {note}".rstrip())


MKFS = {
    # Blocks as large as the pages that a write is torn between: ext4 counts on a whole commit block.
    "ext4": ["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-m", "0"],
    "vfat": ["mkdosfs"],
}


def make_disk(folder, file_system):
    folder.mkdir()
    disk = folder / "disk"
    subprocess.run(["truncate", "-s", "16M", disk], check=True)
    subprocess.run([*MKFS[file_system], disk], check=True, stdout=subprocess.DEVNULL)
    return disk


class Week:
    """What happens in the week, and when, in minutes from its beginning."""

    def __init__(self, rng, boots, minutes):
        self.rng, self.minutes = rng, minutes
        day = boots * minutes / 7
        self.down, self.up = 2 * day, 4 * day
        # For half of that day, the server is down.
        self.fill, self.free = 3.5 * day, 4.5 * day
        # A few of them meet no run that takes so long.
        kills = rng.sample(range(boots * minutes), max(4, boots * minutes // 90))
        self.kills = {minute: self.when_to_kill() for minute in kills}
        # And while the backlog is delivered, in the first runs that can.
        self.kills.update({int(self.free) + 1 + 2 * i: rng.uniform(4, 25) for i in range(5)})

    def when_to_kill(self):
        """While the sensor is read, while focus is at work, or later. In s after a run's begin."""
        return self.rng.choice([self.rng.uniform(0, 0.04), self.rng.uniform(0, 3.2), self.rng.uniform(0, 10)])

    def boot(self, number, true):
        """Its events, its wall clock at the beginning, and how long focus takes, in ms."""
        rng = self.rng
        begin = number * self.minutes
        length = self.minutes * MINUTE + rng.choice([0.5, rng.uniform(1, 6)])
        local = lambda minute: (minute - begin) * MINUTE
        events = [(length, "shutdown")]
        if begin <= self.down or begin > self.up:
            events.append((0.5, "up"))
        events += [(local(at), what) for at, what in [(self.down, "down"), (self.up, "up"), (self.free, "free")]]
        if self.fill < begin + self.minutes and begin < self.free:
            first, last = max(local(self.fill), 0.3), min(local(self.free), length)
            events += [(at, f"fill {rng.choice([0, 0, 1, 2, 3])}") for at in [first] + [rng.uniform(first, last) for _ in range(3)]]
        events += [(1 + local(minute) - 0.1, f"kill {after:.3f}") for minute, after in self.kills.items()]
        clock, wall = self.clock(number, true)
        events = [event for event in events + clock if 0 <= event[0] <= length]
        is_long_backlog = begin <= self.free < begin + self.minutes
        return events, wall, 1000 if is_long_backlog else rng.choice([400, 3000])

    def clock(self, number, true):
        """In every tenth boot it is wrong by hours. Then it is set while readings wait for it, or later, or never."""
        if number % 10 != 1:
            return [(0.2, "sync")], None
        wall = true + self.rng.choice([-1, 1]) * self.rng.randint(2 * 3600, 9 * 3600)
        at = [self.rng.uniform(11, 20) * MINUTE, self.rng.uniform(1, 8) * MINUTE, None][number // 10 % 3]
        return [(at, f"clock {int(true + at)}")] if at else [], wall


def week(work, cpu, number, minutes):
    """So many boots of so many minutes, and two more for what is left to deliver and for a last look at the store."""
    rng = random.Random(f"{SEED} week")
    disk = make_disk(work / "week", "ext4")
    plan, audit, boots, true, stores = Week(rng, number, minutes), Audit(), [], EPOCH, 0
    for n in range(number + 2):
        if n < number:
            events, wall, pause_ms = plan.boot(n, true)
        else:
            events, wall, pause_ms = [(0.2, "sync"), (0.5, "up"), (15 * MINUTE, "shutdown")], None, 400
        if n > number:
            events = [(0.5, "shutdown")]
        boot = Boot(work, f"week/{n:03}", frames(rng, minutes * 5, true - EPOCH), events, true, wall,
                    store="/run/disk/readings.db", pause_ms=pause_ms).boot(cpu, disk)
        stores += audit.look_at_store(boot)
        audit.add(boot)
        boots.append(boot)
        true = int(boot.true + boot.end) + rng.randint(20, 300)
    audit.close()
    exported = audit.check_export(boots[-1].share / "readings.db")

    def report():
        runs = [run for boot in boots for run in boot.runs]
        full = [run for run in runs if run.card_full]
        lost = [one for one in audit.readings if not one.arrivals and one.is_sure]
        audit.figures(f"week ({number} boots of {minutes} minutes)", boots)
        row("boots with a wrong clock", sum(boot.is_clock_wrong for boot in boots))
        row("stores found and checked", stores)
        row("runs with the server down", sum(not run.server_up for run in runs))
        row("runs on a full card", len(full), f"{sum(run.server_up for run in full)} of them with the server up")
        row("killed", sum(run.status == BY_SIGKILL for run in runs),
            f"{sum(run.status == BY_SIGKILL and run.started_focus for run in runs)} of them after focus was started")
        row("killed before it was kept", sum(one.run.status == BY_SIGKILL for one in lost))
        row("neither kept nor delivered", sum(one.run.status != BY_SIGKILL for one in lost),
            "the card was full and the server down")
        audit.wrong_times()
        row("exported", exported.total(), f"{exported[False]} of them with a time that is marked as uncertain")
        return audit.violations
    return report


def power(work, cpu, minutes, cuts, file_system):
    rng = random.Random(f"{SEED} power")
    name = f"power-{file_system}"
    disk = make_disk(work / name, file_system)
    audit, boots, true = Audit(), [], EPOCH
    lines_before = unsynced_lost = torn = clock_wrong = stores = 0

    def count_unsynced(boot):
        nonlocal lines_before, unsynced_lost
        if (boot.share / "unsynced").exists():
            lines = (boot.share / "unsynced").read_bytes().count(b"\n")
            unsynced_lost += max(0, lines_before - lines)
            lines_before = lines

    for number in range(cuts + 2):
        share = rng.uniform(0.2, 1.8) * minutes / cuts
        length = share * MINUTE
        if number % 2 == 0:             # in the middle of a run, or soon after it
            length = round(share) * MINUTE + rng.uniform(1, 15)
        events, wall, power_cut = [(0.2, "sync")], None, None
        if number == cuts:              # the last one goes on until all is delivered
            length = 40 * MINUTE
        if number > cuts:               # and this one only shows what is left
            length = 0.5
        if number % 4 == 3:             # no battery clock: it is set once there is a network
            clock_wrong += 1
            events = []
            wall = rng.choice([EPOCH - 3 * DAY, true - 7 * 3600, 946_684_800])
            at = rng.uniform(1, 6) * MINUTE
            events += [(at, f"clock {int(true + at)}"), (at + 20.3, "up")]
        elif number >= cuts:
            events += [(0.4, "up")]
        elif rng.random() < 0.4:
            events += [(rng.uniform(0, length), "up")]
        else:
            down = rng.uniform(0, length)
            events += [(0.4, "up"), (down, "down"), (down + rng.uniform(1, 8) * MINUTE, "up")]
        if number < cuts and number % 2:
            torn += 1
            power_cut = rng.randint(0, round(share * WRITES_PER_RUN))
        events = [event for event in events if event[0] < length] + [(length, "off")]
        boot = Boot(work, f"{name}/{number:03}", frames(rng, 400, true - EPOCH), events, true, wall,
                    store="/run/disk/readings.db", unsynced="/run/disk/unsynced",
                    file_system=file_system).boot(cpu, disk, power_cut)
        if boot.end:                    # else the power went off before the file system was there
            count_unsynced(boot)
            stores += audit.look_at_store(boot)
        audit.add(boot, in_order=False)
        lines_before += sum(run.status is not None for run in boot.runs)
        boots.append(boot)
        true = int(boot.true + boot.end) + 30
    audit.close()
    if unsynced_lost == 0:
        audit.violation("nothing unsynced was lost: these were no power cuts")

    def report():
        audit.figures(f"power ({cuts} power cuts in {minutes} minutes, the store on {file_system})", boots)
        row("cut in the middle of a run", sum(boot.runs[-1].status is None for boot in boots if boot.runs))
        row("cut in the middle of a write", torn)
        row("boots with a wrong clock", clock_wrong)
        row("stores found and checked", stores)
        row("unsynced lines lost", unsynced_lost, "of a file beside the store, to show that the cuts are true")
        row("not committed, not arrived", sum(not one.committed and not one.arrivals for one in audit.readings))
        audit.wrong_times()
        return audit.violations
    return report


# Raspberry Pi OS's, and what its owner wrote: together they take two of its clusters of 2 KiB.
CONFIG_TXT = (HERE / "config.txt").read_text() + "".join(f"# note {n} of the owner\n" for n in range(60))
CONFIG_TOML = "# mine\n[focus]\nserver-host = \"192.0.2.1\"\n"


class Card:
    """A boot partition and the rest of the card, and what a setup makes of them."""

    BOOT, OLD = "boot/firmware/config.txt", "boot/firmware/config.txt.iio-focus-old"
    TOML, LICENSE = "etc/iio-focus.toml", "etc/credstore/iio-focus.license"

    def __init__(self, work, cpu):
        self.work, self.cpu = work, cpu
        work.mkdir()
        self.former = {self.BOOT: CONFIG_TXT, self.OLD: None, self.TOML: CONFIG_TOML, self.LICENSE: None}
        self.disks = work / "boot", work / "root"
        for disk, size, mkfs in zip(self.disks, ("160M", "16M"), (
                # pi-gen's words (export-image/prerun.sh).
                ["mkdosfs", "-n", "BOOTFS", "-F", "32", "-s", "4"],
                ["mke2fs", "-q", "-t", "ext4", "-b", "4096"])):
            subprocess.run(["truncate", "-s", size, disk], check=True)
            subprocess.run([*mkfs, disk], check=True, stdout=subprocess.DEVNULL)
        files = {
            "usr/share/iio-focus/iio-focus-dht22.dtbo": "\xd0",
            "usr/lib/systemd/system/iio-focus.timer": "",
            "usr/local/bin/focus": "#!/bin/true\n",
            "etc/passwd": "root:x:0:0::/root:/bin/sh\niio-focus:x:990:991::/:/bin/false\n",
            "etc/group": "root:x:0:\niio-focus:x:991:\n",
            **{name: text for name, text in self.former.items() if text},
        }
        self.boot("prepare", self.disks, files=files)
        self.new = dict(self.boot("whole", self.copies("whole"), setup=True)[3], **{self.OLD: CONFIG_TXT})

    def copies(self, name):
        folder = self.work / f"{name}-disks"
        folder.mkdir()
        # It leaves out what is not written.
        subprocess.run(["cp", *self.disks, folder], check=True)
        return [folder / disk.name for disk in self.disks]

    def boot(self, name, disks, setup=False, power_cut=None, was_cut=False, files={}):
        """Returns the setup's exit status, and what the files hold: at first, after fsck, and after the setup."""
        share = self.work / name
        (share / "card/boot/firmware/overlays").mkdir(parents=True)
        for file, text in files.items():
            (share / "card" / file).parent.mkdir(parents=True, exist_ok=True)
            (share / "card" / file).write_text(text)
            (share / "card" / file).chmod(0o755 if text.startswith("#!") else 0o644)
        words = "--license-file /run/licence --pcode 7000 --server-host 192.0.2.1 --yes" if setup else ""
        (share / "settings").write_text(f"SETUP='{words}'\nWAS_CUT={'yes' if was_cut else ''}\n")
        log = boot_guest("setup", share, self.cpu, disks, power_cut)
        status = re.search(r"^setup (\d+)", log, re.M)
        self.was_cut = "guest time: " not in log
        read = lambda file: file.read_text() if file.exists() else None
        held = [{file: read(share / when / file) for file in self.former} for when in ("found", "checked", "after")]
        return status and int(status[1]), *held


def shorten(text):
    return f"{len(text)} characters, the last ones {text[-40:]!r}" if text else repr(text)


def setup(work, cpu, cuts):
    """iio-focus setup with the power cut off in the middle of each of its writes, or of some."""
    card = Card(work / "setup", cpu)
    violations, counts = [], collections.Counter()
    for write in cuts:
        disks = card.copies(f"{write:03}")
        card.boot(f"{write:03}-cut", disks, True, write)
        if not card.was_cut:
            break
        status, found, checked, after = card.boot(f"{write:03}-next", disks, True, was_cut=True)
        for when, held in (("", found), (" after fsck", checked)):
            for file, text in held.items():
                # FAT has a new name before it has what it leads to. The former file is not needed then.
                may_be_empty = file == card.OLD and held[card.BOOT] == CONFIG_TXT and text == ""
                if text not in (card.former[file], card.new[file]) and not may_be_empty:
                    violations.append(f"cut in write {write}: {file} was neither old nor new{when} but {shorten(text)}")
        counts["new" if found[card.BOOT] == card.new[card.BOOT] else "old"] += 1
        if status != 0 or after != card.new:
            left = {file: shorten(text) for file, text in after.items() if text != card.new[file]}
            violations.append(f"cut in write {write}: the next setup ended with {status} and left {left}")
        shutil.rmtree(disks[0].parent)

    def report():
        print(f"setup ({counts.total()} power cuts):")
        row("config.txt was the old one", counts["old"])
        row("config.txt was the new one", counts["new"])
        return violations
    return report


def noise(work, cpu, number, runs, target):
    """One boot of the program, or of the reader that retries at once, on the same frames."""
    rng = random.Random(f"{SEED} noise {number}")
    events = [(0.2, "sync"), (0.4, "up"), (runs * MINUTE + 0.5, "off")]
    name = f"noise/{number:03}-{target}"
    return Boot(work, name, frames(rng, runs * 5, (number * 7 + 15) * 3600), events, target=target).boot(cpu)


def report_noise(boots, naive_boots):
    total, violations = Audit(), []
    for boot in boots:
        audit = Audit()
        audit.add(boot)
        audit.close()
        violations += audit.violations
        total.readings += audit.readings
        total.violations += audit.violations
        total.count += audit.count
    total.figures("noise", boots)
    wrong = collections.Counter()
    for boot in naive_boots:
        for run, (t, h) in boot.sent:
            truth = {(100 * frame.value[0], 100 * frame.value[1]) for _, frame in run.frames if frame.value}
            last = run.frames[-1][1] if run.frames else None
            if (t, h) in truth:
                wrong["right"] += 1
            elif (t, h) == (0, 0):
                wrong["0 °C and 0 %RH"] += 1
            elif last and last.kind.startswith("good, clone"):
                wrong["two's complement as it is"] += 1
            elif last and last.kind in ("wild", "out of range", "noise"):
                wrong[f"a frame that was {last.kind}"] += 1
            else:
                wrong["an earlier frame's"] += 1
    sent = wrong.total()
    print("  a reader that retries at once, on the same frames:")
    row("  runs", sum(len(boot.runs) for boot in naive_boots))
    row("  sent", sent, f"{sent - wrong['right']} of them wrong")
    for kind, n in wrong.most_common():
        row(f"    {kind}", n)
    return violations


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path, help="a folder that is made anew")
    parser.add_argument("--short", action="store_true", help="a few hours, cuts and runs of each part")
    parser.add_argument("parts", nargs="*", metavar="part", help="week, power, setup or noise; all if none is named")
    options = parser.parse_intermixed_args()
    work, short, parts = options.work.resolve(), options.short, options.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    processors = queue.Queue()
    for cpu in os.sched_getaffinity(0):
        processors.put(cpu)

    def on_a_processor(job, *args):
        cpu = processors.get()
        try:
            return job(work, cpu, *args)
        finally:
            processors.put(cpu)

    boots, runs = (2, 50) if short else (20, 500)
    with concurrent.futures.ThreadPoolExecutor(processors.qsize()) as pool:
        submit = lambda part, *args: pool.submit(on_a_processor, *args) if part in parts else None
        reports = [
            submit("week", week, *((5, 24) if short else (70, 144))),
            submit("power", power, *((60, 6) if short else (1440, 100)), "ext4"),
            submit("power", power, 240, 24, "vfat") if not short else None,
            submit("setup", setup, (16, 30) if short else range(1000)),
        ]
        pairs = [[submit("noise", noise, n, runs, target) for target in ("program", "retry-at-once")]
                 for n in range(boots)]
        violations = [text for report in reports if report for text in report.result()()]
        if "noise" in parts:
            violations += report_noise(*zip(*[[job.result() for job in pair] for pair in pairs]))
    for text in violations[:50]:
        print(f"FAILED: {text}")
    print(f"soak: {len(violations)} violations; seed {SEED}, all that was seen is in {work}")
    sys.exit(bool(violations))


if __name__ == "__main__":
    main()
