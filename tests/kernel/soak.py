#!/usr/bin/env python3
"""Long times on the rig, in virtual time: what the simulated sensor played is compared with what arrived.

    week    a run a minute, half of the frames bad, and the server down for two days
    power   a day with a hundred power cuts; the store is on ext4, on a disk that keeps what was written to it
    noise   ten thousand runs with a new store now and then, and what a reader that retries at once makes of
            the same frames

Everything is drawn from SEED, so a failure can be repeated. All that was seen of each boot stays in WORK.
"""

import argparse
import collections
import concurrent.futures
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
PARTS = ("week", "power", "noise")
MINUTE, DAY = 60, 86_400
NOT_DELIVERED = 69
LONG_BACKLOG = 64

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


def good_frame(rng, value):
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
    bad_frame.doubled = False
    return Frame(kind, line, value)


def bad_frame(rng, value):
    t, h = value
    plain = f"t={t} h={h}"
    random_bytes = f"raw={rng.randrange(1 << 32):08x}"
    wild = rng.choice([-1, 1]) * rng.randint(60, 300)
    while is_like_a_change(*bad_frame.last_wild, wild):
        wild = rng.choice([-1, 1]) * rng.randint(60, 300)
    kinds = [] if bad_frame.doubled else [("doubled", f"t={2 * t} h={2 * h}")]
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
        bad_frame.last_wild = bad_frame.last_wild[1], wild
    bad_frame.doubled |= kind == "doubled"
    return Frame(kind, line)


def is_like_a_change(first, second, third):
    steps = second - first, third - second
    return abs(steps[1]) <= 15 or (steps[0] * steps[1] > 0 and max(map(abs, steps)) <= 60)


# Wild and doubled values have the right checksum, far more often than the one in 256 that chance would give them. Two of
# them that agree, or three that go one way, cannot be told from a true change by anybody, so there are none.
bad_frame.last_wild = 0, 0
bad_frame.doubled = False


def frames(rng, count, start, share_bad=0.5):
    """The values follow the day, and no two neighbours are the same."""
    played = []
    for i in range(count):
        day = 2 * math.pi * (start + i * MINUTE / 2.2) / DAY
        value = (round(40 + 90 * math.sin(day)), round(600 - 150 * math.sin(day)) + i * 7 % 50)
        bad = rng.random() < share_bad
        played.append(bad_frame(rng, value) if bad else good_frame(rng, value))
    return played


class Reading:
    """A good frame that was played to a run."""

    def __init__(self, run, at, frame):
        self.run, self.frame, self.value = run, frame, frame.value
        self.true = run.boot.true + at
        self.wall = run.boot.wall_clock(at)
        self.arrivals = []              # in which run, and with which -now
        self.committed = False          # as far as it can be seen from outside

    def was_taken_at(self, now, in_run):
        """Whether this is its time. What a wrong clock said counts once the boot is over that could have told."""
        if self.fits(self.true, now):
            return True
        if in_run.boot is self.run.boot:
            return False
        return self.fits(self.wall, now) or self.was_guessed(now, in_run)

    def was_guessed(self, now, in_run):
        """Whether nothing told the time in that boot, the store says so, and the guess is not of the future."""
        if self.run.boot.clock_set is not None or self.run.boot.wall_start == self.run.boot.true:
            return False
        db = sqlite3.connect(in_run.boot.share / "readings.db")
        t, h = self.value
        rows = db.execute("""SELECT certain FROM reading JOIN boot USING (boot_id)
            WHERE abs(temperature_mdegc - ?) < 100 AND abs(humidity_mpercent - ?) < 100""", (t * 100, h * 100))
        is_marked = (0,) in rows.fetchall()
        db.close()
        return is_marked and now <= in_run.boot.true + in_run.started

    def has_wrong_time(self):
        now = self.arrivals[0][1]
        return now is not None and not self.fits(self.true, now)

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
        self.frames, self.reading = [], None


class Boot:
    """One boot of the guest: what it is given, and what was seen."""

    def __init__(self, work, name, played, events, true=EPOCH, wall=None, target="program", store="",
                 fault="slow-and-sure"):
        self.name, self.played, self.true = name, played, true
        self.wall_start = true if wall is None else wall
        self.clock_set = None
        self.share = work / name
        self.share.mkdir(parents=True)
        write = lambda file, lines: (self.share / file).write_text("".join(line + "\n" for line in lines))
        write("frames", [frame.line for frame in played])
        write("events", [f"{at:.3f} {what}" for at, what in sorted(events)])
        write("settings", [f"TARGET={target}", f"STORE={store}", f"FAULT={fault}"])

    def wall_clock(self, at):
        is_set = self.clock_set is not None and at >= self.clock_set
        return (self.true if is_set else self.wall_start) + at

    def boot(self, cpu, disk=None, power_cut=None):
        log = self.share / "log"
        env = dict(os.environ, SHARE=str(self.share), START=str(self.wall_start), CPU=str(cpu), LIMIT="7200")
        if disk:
            env["DISK"] = str(disk)
        if power_cut is not None:
            env["POWER_CUT"] = str(power_cut)
        subprocess.run([HERE / "run.sh", HERE / "guest/soak", log], env=env, stdout=subprocess.DEVNULL)
        self.read(log.read_text(errors="replace"))
        if power_cut is None and not self.end:
            raise RuntimeError(f"no boot: see {log}")
        return self

    def read(self, log):
        self.runs, self.skipped, self.seen, self.sent, self.asked = [], 0, [], [], 0
        self.end = 0.0
        for at, text in re.findall(r"^(?:@(\d+\.\d+) )?(.*?)\r*$", log, re.M):
            word, _, rest = text.partition(" ")
            if word.startswith("{"):
                self.seen.append((self.runs[-1], json.loads(text)))
            if not at:
                continue
            at = self.end = float(at)
            if word == "start":
                self.runs.append(Run(self, int(rest), at))
            elif word == "end":
                self.runs[-1].ended, self.runs[-1].status = at, int(rest.split()[1])
            elif word == "skip":
                self.skipped += 1
            elif word == "clock":
                # Set to a whole second, at a time that is near the one that was asked for.
                self.clock_set, self.true = at, int(rest) - at
            elif word == "answer:":
                frame = self.played[self.asked]
                assert frame.line == rest, f"{self.name}: played {rest}, expected {frame.line}"
                self.asked += 1
                self.runs[-1].frames.append((at, frame))
            elif word == "sends":
                self.runs[-1].sent = self.runs[-1].sent or at
                self.sent.append((self.runs[-1], tuple(map(int, rest.split()))))


class Audit:
    """What arrived against what was played, over one or more boots with one store."""

    def __init__(self):
        self.readings, self.violations = [], []     # in the order they were taken
        self.pending, self.longest = [], 0
        self.by_value = collections.defaultdict(list)
        self.count = collections.Counter()

    def violation(self, text):
        self.violations.append(text)

    def add(self, boot, may_repeat):
        for run in boot.runs:
            good = [(at, frame) for at, frame in run.frames if frame.value]
            for at, frame in run.frames:
                self.count[frame.kind] += 1
            if not good:
                continue
            at, frame = good[0]
            if self.needs_two(run):
                if len(good) == 1:
                    if run.sent or run.status == 0:
                        self.violation(f"one try was believed: {frame.line!r} in run {run.number} of {run.boot.name}")
                    continue
                at, frame = good[-1]
            elif (at, frame) != run.frames[-1] and self.may_need_two(run):
                at, frame = good[-1]
            run.reading = Reading(run, at, frame)
            run.reading.committed = run.status is not None
            self.readings.append(run.reading)
            self.by_value[frame.value].append(run.reading)
            if (at, frame) != run.frames[-1]:
                self.violation(f"refused although it was good: {run.reading}")
        by_run = collections.defaultdict(list)
        for run, record in boot.seen:
            by_run[run].append(record)
        for run in boot.runs:
            if run.reading:
                self.pending.append(run.reading)
            last = -1
            # Of a long backlog, four go out at the same time, and any of them may arrive first.
            self.at_once = 4 if len(self.pending) > LONG_BACKLOG else 1
            for record in by_run[run]:
                last = self.arrived(run, record, last, may_repeat)
            self.longest = max(self.longest, len(self.pending))

    def needs_two(self, run):
        """Whether the store can have no reading that is recent."""
        return not self.readings or run.boot.true + run.started - self.readings[-1].true > RECENT

    def may_need_two(self, run):
        """Whether it may have none: the last one was cut off, or another boot's clock says that it is of another time."""
        last = self.readings[-1].run
        return last.status is None or last.boot is not run.boot

    def arrived(self, run, record, last, may_repeat):
        payload, now = json.loads(record["stdin"]), record["now"]
        value = (round(payload["temperature"] * 10), round(payload["humidity"] * 10))
        what = f"{value[0] / 10} °C {value[1] / 10} % with now={now} in run {run.number} of {run.boot.name}"
        if now is None:
            reading = run.reading if run.reading and run.reading.value == value else None
            reason = f"that run's reading was {run.reading}"
        else:
            same = self.by_value[value]
            reading = next((one for one in same if one.was_taken_at(now, run)), None)
            reason = f"it was read in {[str(one) for one in same]}" if same else "no good frame had these values"
        if reading is None:
            self.violation(f"wrong: {what}; {reason}")
            return last
        # After a power cut, or after a focus that said "Connect error" before it was connected: no delivery, by the rule.
        if reading.arrivals and not ((may_repeat and reading.arrivals[-1][0].status is None)
                                     or reading.arrivals[-1][0].status == NOT_DELIVERED):
            self.violation(f"twice: {what}")
        if now is not None:
            order = self.readings.index(reading)
            if order <= last - self.at_once:
                self.violation(f"out of order: {what} came after {self.readings[last]}")
            if not may_repeat and self.pending and reading not in self.pending[:self.at_once]:
                self.violation(f"out of order: {what} came before {self.pending[0]}")
            last = max(last, order)
        reading.arrivals.append((run, now))
        if reading in self.pending:
            self.pending.remove(reading)
        return last

    def close(self):
        for reading in self.readings:
            if reading.committed and not reading.arrivals:
                self.violation(f"lost: {reading}")

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
        row("arrived twice", sum(len(times) > 1 for times in arrived))
        row("lost", starts("lost"))
        row("wrong values or times", starts("wrong"))
        row("out of order", starts("out of order"))


def row(name, value, note=""):
    print(f"  {name:<28} {value:>7}  {note}".rstrip())


def week(work, cpu, minutes):
    rng = random.Random(f"{SEED} week")
    down, up = minutes * 2 / 7 * MINUTE + 7.3, minutes * 4 / 7 * MINUTE + 41.9
    events = [(0.2, "sync"), (0.5, "up"), (down, "down"), (up, "up"), (minutes * MINUTE + 0.5, "off")]
    boot = Boot(work, "week", frames(rng, minutes * 4, 0), events).boot(cpu)
    audit = Audit()
    audit.add(boot, may_repeat=False)
    audit.close()

    def report():
        audit.figures(f"week ({minutes} minutes, the server down for {(up - down) / 3600:.1f} h of them)", [boot])
        return audit.violations
    return report


def power(work, cpu, minutes, cuts):
    rng = random.Random(f"{SEED} power")
    (work / "power").mkdir()
    disk = work / "power/disk"
    # Blocks as large as the pages that a write is torn between: ext4 counts on a whole commit block.
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", disk, "16M"], check=True,
                   stdout=subprocess.DEVNULL)
    audit, boots, true = Audit(), [], EPOCH
    lines_before = unsynced_lost = torn = clock_wrong = stores = 0

    def look_at_store(boot):
        nonlocal lines_before, unsynced_lost, stores
        copy = boot.share / "readings.db"
        if (boot.share / "unsynced").exists():
            lines = (boot.share / "unsynced").read_bytes().count(b"\n")
            unsynced_lost += max(0, lines_before - lines)
            lines_before = lines
        if not copy.exists():
            for reading in audit.readings:
                if reading.committed:
                    audit.violation(f"lost, as there is no store in {boot.name}: {reading}")
            return
        stores += 1
        db = sqlite3.connect(copy)
        verdict = db.execute("PRAGMA integrity_check").fetchall()
        if verdict != [("ok",)]:
            audit.violation(f"damaged: {boot.name} found {verdict}")
            return
        rows = collections.defaultdict(list)
        for t, h, taken in db.execute("SELECT temperature_mdegc, humidity_mpercent, taken_ms FROM reading"):
            rows[t // 100, h // 100].append(taken / 1000)
        db.close()
        for reading in audit.readings:
            kept = any(reading.fits(time, taken)
                       for taken in rows[reading.value] for time in (reading.true, reading.wall))
            if reading.committed and not kept:
                audit.violation(f"lost from the store that {boot.name} found: {reading}")

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
        boot = Boot(work, f"power/{number:03}", frames(rng, 400, true - EPOCH), events, true, wall,
                    store="/run/disk/readings.db").boot(cpu, disk, power_cut)
        if boot.end:                    # else the power went off before the file system was there
            look_at_store(boot)
        audit.add(boot, may_repeat=True)
        lines_before += sum(run.status is not None for run in boot.runs)
        started = boot.share / "focus"
        own = [json.loads(line) for line in started.read_text().splitlines()] if started.exists() else []
        own = [record for record in own if record["now"] is None]
        for _, run in zip(own, (run for run in boot.runs if run.reading)):
            run.reading.committed = True
        boots.append(boot)
        true = int(boot.true + boot.end) + 30
    audit.close()
    if unsynced_lost == 0:
        audit.violation("nothing unsynced was lost: these were no power cuts")

    def report():
        audit.figures(f"power ({cuts} power cuts in {minutes} minutes)", boots)
        row("cut in the middle of a run", sum(boot.runs[-1].status is None for boot in boots if boot.runs))
        row("cut in the middle of a write", torn)
        row("boots with a wrong clock", clock_wrong)
        row("stores found and checked", stores)
        row("unsynced lines lost", unsynced_lost, "of a file beside the store, to show that the cuts are true")
        row("not committed, not arrived", sum(not one.committed and not one.arrivals for one in audit.readings))
        wrong = [one for one in audit.readings if one.arrivals and one.has_wrong_time()]
        late = sum(one.run.boot.clock_set is not None for one in wrong)
        row("arrived with a wrong time", len(wrong), f"{late} of them from boots whose clock was set before their end")
        return audit.violations
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
        audit.add(boot, may_repeat=False)
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
    parser.add_argument("parts", nargs="*", metavar="part", help="week, power or noise; all if none is named")
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
            submit("week", week, 150 if short else 7 * 1440),
            submit("power", power, *((60, 6) if short else (1440, 100))),
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
