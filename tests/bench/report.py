"""RESULTS.md and its pictures, from what was measured."""

import math
import pathlib

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
    "wrong": ("half of the frames bad: wrong values sent", 0, "most"),
}

# Why not, where it is known; shown only for what is not reached.
REASONS = {
    "Python / kept wall": "a run waits for the storage (`fsync`) {syncs} times, and has a process and the stand-in to start; Python's keeps "
                          "nothing. Beside the Python that keeps it is {python:.1f} times",
    "kept wall / sh": "a run waits for the storage (`fsync`) {syncs} times, and `sh` keeps nothing. Beside the `sh` that keeps it is {sh:.2f}",
    "backlog / own": "the stand-in takes no time but that to be started; beside one that takes 10 ms it is {slow:.3f}",
    "share": "ten tries with half of the frames bad all fail in one of 1,024 runs: 99.90 %, so that chance decides",
}

# What stands around the ratios.
READMES = {
    "README.md": {
        "head": ["times ours", "dry: time", "memory", "kept and delivered: time", "memory", "delivered alone: time"],
        "frames": "With half of all frames bad, on the kernel's own driver, {share} % of {runs} runs have a reading and {wrong} of them "
                  "sent a wrong\nvalue. The published script's policy sends {other} wrong values in 1,000 runs.",
    },
    "README.ko.md": {
        "head": ["iio-focus의 몇 배", "dry run: 시간", "메모리", "저장과 전달: 시간", "메모리", "전달만: 시간"],
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
        parts += [self.ours(), NOTES.read_text()]
        (folder / "RESULTS.md").write_text("\n".join(part.strip() + "\n" for part in parts))

    def readme(self, path):
        """Puts the ratios between the two marks in a README."""
        dry, kept, deliver = (self.results[job] for job in ("dry", "keep", "deliver"))
        rows = []
        for name, row in dry.items():
            full = kept.get(name)
            cells = [(row, dry, "wall"), (row, dry, "memory"), (full, kept, "wall"), (full, kept, "memory"),
                     (deliver.get(name), kept, "wall")]
            rows.append([name, *[times(one[key] / among["iio-focus"][key]) if one else "-" for one, among, key in cells]])
        half = {row["policy"]: row for row in self.results["rig"]["rows"] if row["bad"] == 50}
        ours, script = half["iio-focus"], half["the published script's"]
        words = READMES[path.name]
        sentence = words["frames"].format(share=f"{100 * ours['with'] / ours['runs']:.2f}", runs=f"{ours['runs']:,}",
                                          wrong=ours["wrong"], other=f"{1000 * script['wrong'] / script['runs']:.0f}")
        head, mark, rest = path.read_text().partition("<!-- measured -->\n")
        _, end, tail = rest.partition("<!-- end -->\n")
        if not (mark and end):
            raise SystemExit(f"bench: no place for the ratios in {path}")
        path.write_text(f"{head}{mark}{table(words['head'], rows, 'lrrrrr')}\n\n{sentence}\n{end}{tail}")

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
            half = next(row for row in results["rig"]["rows"] if row["policy"] == "iio-focus" and row["bad"] == 50)
            ratios |= {"share": half["with"] / half["runs"], "time / bound": half["bound_ratio"], "wrong": half["wrong"]}
        keep = results["keep"]
        known = {"syncs": keep["iio-focus"]["syncs"], "python": keep["Python"]["wall"] / keep["iio-focus"]["wall"],
                 "sh": keep["iio-focus"]["wall"] / keep["sh, cat, bc, logger"]["wall"], "slow": results["backlog"][-1]["ratio"]}
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
        base = figures["iio-focus"]["wall"] if "iio-focus" in figures else None
        for name, row in figures.items():
            rows.append([f"**{name}**" if name == "iio-focus" else name, spread(row), f"{row['wall'] / base:.2f}" if base else "",
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
                + self.field(dict(self.results["deliver"], **{"iio-focus": self.results["keep"]["iio-focus"]}),
                             ("syncs", "written")))

    def growth(self, folder):
        sensors, kept, backlog = (self.results[key] for key in ("sensors", "kept", "backlog"))
        plain = [row for row in backlog if not row["nap"]]
        picture(folder / "growth.svg", [
            ("dry run, by sensors", "ms", [("wall", [(row["sensors"], row["wall"] / 1000) for row in sensors])]),
            ("kept and delivered, by readings kept", "ms",
             [("wall", [(max(row["readings"], 1), row["wall"] / 1000) for row in kept])]),
            ("backlog delivered, by its length", "ms for each", [
                ("iio-focus", [(row["backlog"], row["wall"] / 1000 / (row["backlog"] + 1)) for row in plain]),
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
        rows = [[f"{row['bad']} %", f"**{row['policy']}**" if row["policy"] == "iio-focus" else row["policy"], thousands(row["runs"]),
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

    def ours(self):
        profile = self.results["profile"]
        text = "## 5. Where ours go\n\n"
        for what, key in (("instructions", "instructions"), ("system calls", "calls")):
            names = list(dict.fromkeys(name for job in profile.values() for name in job[key]))
            rows = [[name, *[thousands(profile[job][key].get(name, 0)) for job in ("dry", "keep")]] for name in names]
            rows.append(["all", *[thousands(sum(profile[job][key].values())) for job in ("dry", "keep")]])
            text += table([what, "dry", "kept and delivered"], rows, "lrr") + "\n\n"
        return text


def table(head, rows, sides):
    lines = [head, [{"l": "---", "r": "---:"}[side] for side in sides], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def spread(row):
    return f"{thousands(row['wall'])} ({thousands(row['wall_low'])}–{thousands(row['wall_high'])})"


def thousands(value):
    return f"{value:,.0f}"


def number(value):
    return f"{value:.4f}" if 0.9 < value < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


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
