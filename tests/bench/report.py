"""RESULTS.md and its pictures, from what was measured."""

import collections
import math
import pathlib

from measure import FLOOR, OURS

# What was found by hand: what was taken out, what was dropped, who is not in the field.
NOTES = pathlib.Path(__file__).with_name("notes.md")

WORDS = {
    "dry wall / C": ("dry: wall time, to the least there is in C", 1.5, "most"),
    "dry instructions / std": ("dry: instructions, to Rust's standard library alone", 2.0, "most"),
    "kept wall / sh": ("kept and delivered: wall time, to `sh`, which keeps nothing", 1.0, "most"),
    "Python / kept wall": ("kept and delivered: how many times faster than Python, which keeps nothing", 15.0, "least"),
    "kept memory / Python": ("kept and delivered: peak memory, to Python's", 1 / 3, "most"),
    "a million / none": ("a million readings in the store: wall time, to none", 1.1, "most"),
    "backlog / own": ("10,000 readings delivered: wall time, to the stand-in's own", 1.05, "most"),
    "share": ("half of the frames bad: share of runs with a reading", 0.999, "least"),
    "time / bound": ("half of the frames bad: time to a good reading, to the bound of the 2 s rule", 1.05, "most"),
    "dry instructions": ("dry: instructions on x86_64", 330_000, "most"),
    "kept instructions": ("kept and delivered: instructions on x86_64", 1_000_000, "most"),
    "arm64 / C": ("the packaged arm64 program, kept and delivered: instructions, to the least in C with SQLite", 2.5, "most"),
    "wear": ("kept and delivered: bytes written to the card, half of the 139,465 of before", 69_732, "most"),
    "wrong": ("half of the frames bad: wrong values sent", 0, "most"),
}

# Four at the same time, for 47 of 50 s.
DEADLINE_BOUND = 4 * 47

# Why not, where it is known; shown only for what is not reached.
REASONS = {
    "dry wall / C": "the C program is static, and the dynamic loader takes 220,000 of the {dry:,} instructions; how long that is to the rest "
                    "differs from processor to processor (1.25 on an Intel Xeon)",
    "Python / kept wall": "a run waits for the storage (`fsync`) {syncs} times, and has a process and the stand-in to start; Python's keeps "
                          "nothing. Beside the Python that keeps it is {python:.1f} times",
    "kept wall / sh": "a run waits for the storage (`fsync`) {syncs} times, and `sh` keeps nothing. Beside the `sh` that keeps it is {sh:.2f}",
    "kept instructions": "{floor:.0f} % of them are what C needs for the same two commits with SQLite, in a store of the same tables",
    "backlog / own": "the stand-in takes no time but that to be started; beside one that takes 10 ms it is {slow:.3f}",
    "share": "ten tries with half of the frames bad all fail in one of 1,024 runs: 99.90 %, so that chance decides",
}

# What stands around the ratios.
READMES = {
    "README.md": {
        "head": ["times ours", "arm64: dry", "kept and delivered", "memory", "ARMv6: dry", "kept and delivered", "memory"],
        "frames": "With half of all frames bad, on the kernel's own driver, {share} % of {runs} runs have a reading and {wrong} of them "
                  "sent a wrong\nvalue. The published script's policy sends {other} wrong values in 1,000 runs.",
    },
    "README.ko.md": {
        "head": ["iio-focus의 몇 배", "arm64: dry run", "저장과 전달", "메모리", "ARMv6: dry run", "저장과 전달", "메모리"],
        "frames": "커널의 실제 드라이버에서 프레임 절반이 불량일 때, {runs}회 실행의 {share} %가 측정값을 얻었고 잘못된 값을 보낸 것은 {wrong}회입니다.\n"
                  "공개된 스크립트의 방식은 1,000회에 잘못된 값을 {other}개 보냅니다.",
    },
}


class Report:
    def __init__(self, results):
        self.results = results

    def write(self, folder):
        parts = [self.head(), self.dry(), self.delivered(), self.growth(folder)]
        if "rig" in self.results:
            parts.insert(1, self.reach())
            parts.append(self.frames(folder))
        parts += [self.packaged(), self.wear(), self.drain(), self.ours(), NOTES.read_text()]
        (folder / "RESULTS.md").write_text("\n".join(part.strip() + "\n" for part in parts))

    def readme(self, path):
        """Puts the ratios between the two marks in a README."""
        rows = []
        for name in self.results["packaged"]["arm64"]["dry"]:
            cells = []
            for jobs in self.results["packaged"].values():
                cells += [times(jobs[job][name][key] / jobs[job][OURS][key])
                          for job, key in (("dry", "instructions"), ("keep", "instructions"), ("keep", "memory"))]
            rows.append([name, *cells])
        half = {row["policy"]: row for row in self.results["rig"]["rows"] if row["bad"] == 50}
        ours, script = half[OURS], half["the published script's"]
        words = READMES[path.name]
        sentence = words["frames"].format(share=f"{100 * ours['with'] / ours['runs']:.2f}", runs=f"{ours['runs']:,}",
                                          wrong=ours["wrong"], other=f"{1000 * script['wrong'] / script['runs']:.0f}")
        head, mark, rest = path.read_text().partition("<!-- measured -->\n")
        _, end, tail = rest.partition("<!-- end -->\n")
        if not (mark and end):
            raise SystemExit(f"bench: no place for the ratios in {path}")
        path.write_text(f"{head}{mark}{table(words['head'], rows, 'lrrrrrr')}\n\n{sentence}\n{end}{tail}")

    def head(self):
        versions = ", ".join(f"{name} {version}" for name, version in self.results["versions"].items())
        return f"""
# Measured against what people use today

Written by `make bench`. Times are those of this machine, and say nothing of another; the ratios are what to look at.

* Machine: {self.results["machine"]}
* Versions: {versions}
* The same for all: one device in a fake tree over `/sys/bus` in a private mount namespace, a stand-in for focus that
  takes the JSON and says at once that it was connected, a log socket. Each contender is seen to print or hand over the
  same JSON and to log one line before anything is measured.
* Runs are interleaved (A B C A B C …), {self.results["rounds"]} of each where nothing else is said, started by a small C program
  (`stopwatch.c`). Wall time is the median, with the quarter and the three-quarter point; a ratio is the median of the ratios of
  neighbours. CPU and peak memory are the kernel's, with all children. Instructions are `callgrind`'s, without the stand-in's;
  system calls `strace`'s, likewise.
* Bytes on disk are those of all files that a run opens or executes: program, loader, libraries, modules, caches.
"""

    def reach(self):
        results = self.results
        ratios = dict(results["ratios"])
        ratios["Python / kept wall"] = 1 / ratios.pop("kept wall / Python")
        full = next((row for row in results["backlog"] if row["backlog"] == 10_000), None)
        if full:
            ratios["backlog / own"] = full["ratio"]
        if "rig" in results:
            half = next(row for row in results["rig"]["rows"] if row["policy"] == OURS and row["bad"] == 50)
            ratios |= {"share": half["with"] / half["runs"], "time / bound": half["bound_ratio"], "wrong": half["wrong"]}
        keep = results["keep"]
        ratios |= {"dry instructions": results["dry"][OURS]["instructions"], "kept instructions": keep[OURS]["instructions"]}
        if "packaged" in results:
            arm64 = results["packaged"]["arm64"]["keep"]
            ratios["arm64 / C"] = arm64[OURS]["instructions"] / arm64[FLOOR]["instructions"]
        if "wear" in results:
            ratios["wear"] = results["wear"]["figures"][OURS]["bytes"]
        known = {"dry": round(results["dry"][OURS]["instructions"]), "floor": 100 * keep[FLOOR]["instructions"] / keep[OURS]["instructions"],
                 "syncs": round(keep[OURS]["syncs"], 1), "python": keep["Python"]["wall"] / keep[OURS]["wall"],
                 "sh": keep[OURS]["wall"] / keep["sh, cat, bc, logger"]["wall"], "slow": results["backlog"][-1]["ratio"]}
        rows = []
        for key, (words, limit, kind) in WORDS.items():
            if key not in ratios:
                continue
            value = ratios[key]
            reached = value <= limit if kind == "most" else value >= limit
            reason = REASONS.get(key, "the reason is not known").format(**known)
            verdict = "reached" if reached else f"**not reached**: {reason}"
            rows.append([words, number(value), f"at {kind} {number(limit)}", verdict])
        return "## What it must reach\n\n" + table(["what", "measured", "limit", ""], rows, "lrrl")

    def field(self, figures, more=()):
        rows = []
        base = figures[OURS]["wall"] if OURS in figures else None
        for name, row in figures.items():
            rows.append([f"**{name}**" if name == OURS else name, spread(row), f"{row['wall'] / base:.2f}" if base else "",
                         thousands(row["cpu"]), thousands(row["memory"]), thousands(row["instructions"]),
                         thousands(row["calls"]), thousands(row["opened"]),
                         *[thousands(row[key]) for key in more], f"{row['disk'] / 1e6:.1f}"])
        head = ["", "wall, µs", "to ours", "CPU, µs", "memory, KiB", "instructions", "calls", "files opened",
                *[{"syncs": "fsyncs", "written": "bytes written"}[key] for key in more], "MB on disk"]
        return table(head, rows, "l" + "r" * (len(head) - 1))

    def dry(self):
        text = "## 1. One reading, dry\n\nThe reading is printed, and one line logged.\n\n" + self.field(self.results["dry"])
        if "daemons" in self.results:
            rows = [[name, thousands(row["cpu"]), thousands(row["memory"]), f"{row['disk'] / 1e6:.1f}"]
                    for name, row in self.results["daemons"].items()]
            text += ("\n\nTwo that run all the time, for a sample of both values (a scrape; an interval of collectd), with all "
                     "else turned off. They deliver nothing to WhaTap, and memory is theirs as long as the machine is on.\n\n"
                     + table(["", "CPU of a sample, µs", "memory, KiB", "MB on disk"], rows, "lrrr"))
        return text

    def delivered(self):
        return ("## 2. One reading, delivered and kept\n\nKept: the reading is committed to SQLite before focus is started, and "
                "marked when it arrived.\n\n" + self.field(self.results["keep"], ("syncs", "written"))
                + "\n\nDelivered alone, as the published script does it; iio-focus has no such way.\n\n"
                + self.field(dict(self.results["deliver"], **{OURS: self.results["keep"][OURS]}),
                             ("syncs", "written")))

    def growth(self, folder):
        sensors, kept, backlog = (self.results[key] for key in ("sensors", "kept", "backlog"))
        plain = [row for row in backlog if not row["nap"]]
        picture(folder / "growth.svg", [
            ("dry run, by sensors", "ms", [("wall", [(row["sensors"], row["wall"] / 1000) for row in sensors])]),
            ("kept and delivered, by readings kept", "ms",
             [("wall", [(max(row["readings"], 1), row["wall"] / 1000) for row in kept])]),
            ("backlog delivered, by its length", "ms for each", [
                (OURS, [(row["backlog"], row["wall"] / 1000 / (row["backlog"] + 1)) for row in plain]),
                ("the stand-in alone", [(row["backlog"], row["own"] / 1000 / (row["backlog"] + 1)) for row in plain])]),
        ])
        return "\n\n".join([
            "## 3. Growth\n\n![Growth](growth.svg)",
            "A dry run of one of many sensors:",
            table(["sensors", "wall, µs", "instructions", "memory, KiB"],
                  [[row["sensors"], spread(row), thousands(row["instructions"]), thousands(row["memory"])] for row in sensors], "rrrr"),
            "A reading kept and delivered, with that many in the store:",
            table(["readings kept", "wall, µs", "instructions", "memory, KiB"],
                  [[thousands(row["readings"]), spread(row), thousands(row["instructions"]), thousands(row["memory"])] for row in kept],
                  "rrrr"),
            "A run that delivers nothing, because focus fails. What waits is counted in each run, and each page of the list of it is "
            "checked; while 64 or more wait, four are tried at once:",
            table(["sensors", "readings kept", "of them wait", "instructions", "memory, KiB"],
                  [[row["sensors"], thousands(row["readings"] + row["waiting"]), thousands(row["waiting"]),
                    thousands(row["instructions"]), thousands(row["memory"])] for row in self.results["waiting"]], "rrrrr"),
            "A backlog delivered in one run (`--deadline 1h`), and as many starts of the stand-in from a small C program. The real "
            "focus takes about a second:",
            table(["backlog", "the stand-in takes", "wall, ms", "the stand-in alone, ms", "ratio", "memory, KiB"],
                  [[thousands(row["backlog"]), f"{row['nap'] // 1000} ms" if row["nap"] else "no time", f"{row['wall'] / 1000:.1f}",
                    f"{row['own'] / 1000:.1f}", f"{row['ratio']:.3f}", thousands(row["memory"])] for row in backlog], "rrrrrr"),
        ])

    def frames(self, folder):
        rig = self.results["rig"]
        names = list(dict.fromkeys(row["policy"] for row in rig["rows"]))
        curves = lambda value: [(name, [(row["bad"], value(row)) for row in rig["rows"] if row["policy"] == name]) for name in names]
        picture(folder / "frames.svg", [
            ("runs with a right reading", "%", curves(lambda row: 100 * row["right"] / row["runs"])),
            ("median time to the reading", "s", curves(lambda row: row["median"])),
            ("wrong values sent, of 1,000 runs", "", curves(lambda row: 1000 * row["wrong"] / row["runs"])),
        ], logarithmic=False, across="bad frames, %")
        rows = [[f"{row['bad']} %", f"**{row['policy']}**" if row["policy"] == OURS else row["policy"], thousands(row["runs"]),
                 f"{100 * row['with'] / row['runs']:.2f} %", seconds(row["median"]), seconds(row["p95"]), thousands(row["wrong"]),
                 f"{row['bound_ratio']:.3f}" if row["bound_ratio"] else ""] for row in rig["rows"]]
        return f"""
## 4. Bad frames

The kernel's own dht11 driver in the rig (`tests/kernel`), with bad frames of eleven kinds, in virtual time: a run each minute, from
its start until the reading arrived. All policies read through that driver; the published script's (ten tries, a pause of 2 s), the one
that retries at once and the single try take the first pair of values that they get. The bound is what the tries of a run take, by
kind of frame as a single try shows it, and 2 s between two of them.

![Bad frames](frames.svg)

{table(["bad", "policy", "runs", "with a reading", "median", "95 %", "wrong values sent", "time to the bound"], rows, "rlrrrrrr")}
"""

    def packaged(self):
        """Ratios only: an instruction of one architecture is not one of another."""
        if "packaged" not in self.results:
            return "## 5. The packaged programs\n\nLeft out: there were no packages for arm64 and ARMv6 (`make deb`), or no QEMU \
that takes plugins (Debian 12 has one)."
        text = """## 5. The packaged programs

What `apt install` brings, out of the packages for arm64 and armhf: static programs with musl. QEMU's emulation of a user program has a
plugin (`count.c`) that counts every instruction in user space, and every system call but the clock, for which a Pi's kernel needs none.
Memory is the kernel's count of the emulated program's own pages, where it is highest. The processors are those of the Pi Zero 2 W
(Cortex-A53) and the Pi Zero W (ARM1176).

* The least in C is static, with the same musl and compiler. To keep a reading, it has the same SQLite (the library that the program was
  linked with), a store that iio-focus made, and the same two commits with the statements of one reading.
* `sh`, its commands and Python are Debian's for that architecture, in the same emulation; those of armhf need an ARMv7 (Cortex-A7).
* focus's stand-in is not counted. A run of iio-focus or C that keeps is the mean of 16, because a longer write-ahead log takes longer to read.
* Each number is that program's divided by iio-focus's.
"""
        keys = ("instructions", "calls", "memory", "disk")
        for name, jobs in self.results["packaged"].items():
            ours = {job: jobs[job].get(OURS) for job in ("dry", "keep")}
            rows = []
            for contender, dry in jobs["dry"].items():
                keep, alone = jobs["keep"][contender], jobs["deliver"].get(contender)
                rows.append([f"**{contender}**" if contender == OURS else contender,
                             *[times(dry[key] / ours["dry"][key]) for key in keys],
                             *[times(keep[key] / ours["keep"][key]) for key in keys],
                             times(alone["instructions"] / ours["keep"]["instructions"]) if alone else "-"])
            text += f"\n### {name}\n\n" + table(
                ["times ours", "dry: instructions", "system calls", "memory", "disk", "kept and delivered: instructions", "system calls",
                 "memory", "disk", "delivered alone: instructions"], rows, "l" + "r" * 9) + "\n"
        rows = []
        for name, jobs in self.results["packaged"].items():
            ours, floor, alone = (figures["instructions"] for figures in
                                  (jobs["keep"][OURS], jobs["keep"][FLOOR], jobs["deliver"][FLOOR]))
            rows.append([name, *[f"{100 * part / ours:.1f} %" for part in (alone, floor - alone, ours - floor)], f"{ours / floor:.2f}"])
        return text + "\nOf the instructions of a run of iio-focus that keeps and delivers:\n\n" + table(
            ["", "what C needs to read and deliver", "SQLite's own: what C needs more to keep", "all else", "to C with SQLite"], rows, "lrrrr")

    def wear(self):
        if "wear" not in self.results:
            return "## 6. Wear of the card\n\nLeft out: it needs root, loop devices and the kernel's tracing."
        figures, ways = self.results["wear"]["figures"], self.results["wear"]["ways"]
        rows = [[f"**{name}**" if name == OURS else name, thousands(row["runs"]), thousands(row["bytes"]), f"{row['writes']:.1f}",
                 f"{row['flushes']:.1f}", f"{row['bytes'] * 525_600 / 1e9:.1f}", f"{row['flushes'] * 0.5256:.1f}"]
                for name, row in figures.items()]
        parts = collections.defaultdict(dict)
        for name, row in figures.items():
            for what, count in row["parts"].items():
                parts[part(what)][name] = parts[part(what)].get(name, 0) + count
        parts = sorted(parts.items(), key=lambda one: -one[1].get(OURS, 0))
        return f"""## 6. Wear of the card

What one reading writes at the block level (`wear.py`): ext4 with blocks of 4 KiB and the mount options of Raspberry Pi OS
(`defaults,noatime`) on a loop device. The kernel's tracepoint `block_rq_issue` tells each write and each flush that the device is given.
Each run is followed by what the kernel would write back in the rest of its minute (`syncfs`). A year is one run a minute.

{table(["", "runs", "bytes a run", "writes", "flushes", "GB a year", "million flushes a year"], rows, "lrrrrrr")}

Where the bytes go, of a run; `debugfs` and `dumpe2fs` tell what each block belongs to at the end, so that one which was freed meanwhile counts
for the file that has it then:

{table(["", *[name.split(",")[0] for name in figures]],
       [[what, *[thousands(by[name]) if by.get(name) else "" for name in figures]] for what, by in parts], "l" + "r" * len(figures))}
""" + (f"""
What other ways write, in a C program that makes two commits with SQLite (`contenders/variants.c` says what each word means), {ways[0]["runs"]}
runs each. Without words it is SQLite as it is, with a write-ahead log of 64 pages:

{table(["way", "bytes a run", "writes", "flushes"],
       [[row["way"].replace(" ", ", ") or "SQLite as it is", thousands(row["bytes"]), f"{row['writes']:.1f}", f"{row['flushes']:.1f}"]
        for row in ways], "lrrr")}
""" if ways else "")

    def drain(self):
        if "drain" not in self.results:
            return ""
        rows = []
        for row in self.results["drain"]:
            each = sum(row["delivered"]) / len(row["delivered"])
            rows.append([thousands(row["waiting"]), ", ".join(map(str, row["delivered"])), max(row["seconds"]),
                         f"{100 * each / DEADLINE_BOUND:.0f} %", math.ceil(row["waiting"] / (each - 1))])
        return f"""## 7. A long backlog, with a focus that takes 1 s and 30 MB

`drain.sh`: runs that follow each other at once, with the deadline of 50 s. In the real world there is one a minute, and its own reading
is one of those that it delivers. The bound: of the 50 s, 3 are kept for ending focus and the run, and in each of the other 47 four
readings can be delivered at the same time, which is {DEADLINE_BOUND}. The last column is reckoned from the runs that were measured.

{table(["readings that wait", "delivered by each run", "longest run, s", "of the bound", "runs until it is gone, about as many minutes"],
       rows, "rrrrr")}
"""

    def ours(self):
        profile = self.results["profile"]
        text = "## 8. Where ours go\n\n"
        for what, key in (("instructions", "instructions"), ("system calls", "calls")):
            names = list(dict.fromkeys(name for job in profile.values() for name in job[key]))
            rows = [[name, *[thousands(profile[job][key].get(name, 0)) for job in ("dry", "keep")]] for name in names]
            rows.append(["all", *[thousands(sum(profile[job][key].values())) for job in ("dry", "keep")]])
            text += table([what, "dry", "kept and delivered"], rows, "lrr") + "\n\n"
        return text


def part(what):
    """What a block belongs to, the same for all of them."""
    for end, name in (("-wal", "write-ahead log"), ("-shm", "its index (`-shm`)")):
        if what.endswith(end):
            return name
    return "the file" if what in ("readings.db", "script.db", "readings.log", "in-place") else what


def table(head, rows, sides):
    lines = [head, [{"l": "---", "r": "---:"}[side] for side in sides], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def spread(row):
    return f"{thousands(row['wall'])} ({thousands(row['wall_low'])}–{thousands(row['wall_high'])})"


def thousands(value):
    return f"{value:,.0f}"


def number(value):
    return thousands(value) if value >= 1000 else f"{value:.4f}" if 0.9 < value < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def times(value):
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def seconds(value):
    return "" if value is None else f"{value:.2f} s"


COLOURS = ["#0b6e4f", "#c1292e", "#235789", "#e08e00"]
WIDTH, HEIGHT, MARGIN = 320, 220, 48


def picture(path, panels, logarithmic=True, across=""):
    """Panels side by side, each with a title, a unit and curves of (x, y)."""
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(panels)}" height="{HEIGHT + 24}" '
           'font-family="sans-serif" font-size="11">', '<rect width="100%" height="100%" fill="#fff"/>']
    for n, (title, unit, curves) in enumerate(panels):
        points = [point for _, curve in curves for point in curve if point[1] is not None]
        low, high = min(x for x, _ in points), max(x for x, _ in points)
        top = nice(max(y for _, y in points))
        scale = (lambda x: math.log10(x / low) / math.log10(high / low)) if logarithmic else (lambda x: (x - low) / (high - low))
        at = lambda x, y: (n * WIDTH + MARGIN + scale(x) * (WIDTH - MARGIN - 20), HEIGHT - 24 - y / top * (HEIGHT - 70))
        left, bottom = at(low, 0)
        right, _ = at(high, top)
        name_at = left
        out.append(f'<text x="{left}" y="18" font-weight="bold">{title}{", " + unit if unit else ""}</text>')
        for i in range(5):
            x, y = at(low, top * i / 4)
            out.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                       f'<text x="{left - 4}" y="{y + 4:.1f}" text-anchor="end">{top * i / 4:g}</text>')
        for x in sorted({x for x, _ in points}):
            if not logarithmic or math.log2(x).is_integer() or math.log10(x).is_integer():
                out.append(f'<text x="{at(x, 0)[0]:.1f}" y="{bottom + 14}" text-anchor="middle">{short(x)}</text>')
        if across:
            out.append(f'<text x="{(left + right) / 2}" y="{bottom + 28}" text-anchor="middle" fill="#555">{across}</text>')
        for i, (name, curve) in enumerate(curves):
            line = [at(x, y) for x, y in curve if y is not None]
            colour = COLOURS[i % len(COLOURS)]
            out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                       + " ".join(f"{x:.1f},{y:.1f}" for x, y in line) + '"/>')
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in line]
            if len(curves) > 1:
                out.append(f'<text x="{name_at}" y="33" fill="{colour}" font-size="9">{name}</text>')
                name_at += 5 * len(name) + 6
    out.append("</svg>")
    path.write_text("\n".join(out) + "\n")


def nice(value):
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if value <= step * power)


def short(value):
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1000 else f"{value:g}"
