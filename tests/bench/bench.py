#!/usr/bin/env python3
"""Measures and writes RESULTS.md. Started by bench.sh, in a mount namespace of its own, where /sys/bus is a fake tree
and /dev/log the listener's."""

import argparse
import collections
import json
import math
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True      # into the repository

from measure import CYCLE, FLOOR, OURS, PATH, Contender, Samples, Trace  # noqa: E402
from packaged import MACHINES, Packaged  # noqa: E402
from report import READMES, Report  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
PROGRAM = RELEASE / "iio-focus"
LISTENER = RELEASE / "examples/listener"
DEVICE = "bus/iio/devices/iio:device0"
ATTRIBUTES = {"name": "dht11@4", "in_temp_input": "20600", "in_humidityrelative_input": "24400"}
READING = {"temperature": 20.6, "humidity": 24.4}
LICENSE = ["-license", "x0000-bench-0000", "-pcode", "7000", "-server.host", "127.0.0.1", "-server.port", "6600",
           "-category", "sensor", "-onetime"]


class Bench:
    def __init__(self, work, quick):
        self.work, self.quick, self.marks = work, quick, 0
        self.bin = work / "bin"
        self.run = work / "run"
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir()
        self.stand_in = str(self.bin / "stand-in")
        self.license = LICENSE
        self.tree(self.run / "sys", 1)
        self.config = self.configure("kept")
        self.mount()
        self.contenders = self.field()

    def rounds(self, full):
        return 2 if self.quick else full

    # The world that all of them see.

    @staticmethod
    def tree(sysfs, sensors):
        for n in range(sensors):
            device = sysfs / f"bus/iio/devices/iio:device{n}"
            device.mkdir(parents=True)
            for attribute, text in ATTRIBUTES.items():
                text = text.replace("@4", f"@{n + 4}")
                (device / attribute).write_text(text + "\n")

    def configure(self, name, focus=None):
        """A configuration with a store of its own."""
        store = self.run / name
        store.mkdir()
        config = self.run / f"{name}.toml"
        config.write_text(f"""
[focus]
program = "{focus or self.stand_in}"
license = "x0000-bench-0000"
pcode = 7000
server-host = "127.0.0.1"
[store]
path = "{store}/readings.db"
wait-for-clock = "0s"
""")
        config.chmod(0o600)
        return config

    def mount(self):
        def mount(*words):
            subprocess.run(["mount", *map(str, words)], check=True)

        mount("--bind", self.run / "sys/bus", "/sys/bus")
        dev = self.run / "dev"
        dev.mkdir()
        mount("-t", "tmpfs", "tmpfs", dev)
        for node in ("null", "zero", "full", "random", "urandom"):
            (dev / node).touch()
            mount("--bind", f"/dev/{node}", dev / node)
        (dev / "shm").mkdir(mode=0o1777)
        mount("--rbind", dev, "/dev")
        self.log = self.run / "log"
        self.listener = subprocess.Popen([
            LISTENER, "--tcp", "127.0.0.1:0", "--tcp-log", self.run / "tcp", "--syslog", "/dev/log",
            "--syslog-log", self.log, "--port-file", self.run / "port"])
        self.wait_for((self.run / "port").exists)

    @staticmethod
    def wait_for(condition):
        end = time.monotonic() + 30
        while not condition():
            if time.monotonic() > end:
                sys.exit("bench: waited in vain for 30 s")
            time.sleep(0.01)

    def field(self):
        focus = [self.stand_in, *LICENSE]
        both = {"dry": ["dry", *focus], "deliver": ["deliver", *focus]}
        scripts = dict(both, keep=["keep", *focus])
        ours = [PROGRAM, "--config", self.config, "--log", "syslog"]
        contenders = self.run / "contenders"
        shutil.copytree(HERE / "contenders", contenders)
        floor = {job: [self.bin / "floor", *words] for job, words in both.items()}
        floor["keep"] = [self.bin / "floor-keep", "keep", *focus]
        # A store that this program made: the same tables.
        subprocess.run([PROGRAM, "--config", self.configure("floor"), "--log", "stderr"], check=True, capture_output=True)
        field = [
            Contender(FLOOR, [], floor, [f"STORE={self.run}/floor/readings.db"]),
            Contender("Rust's standard library", [self.bin / "std"], both),
            Contender(OURS, ours, {"dry": ["--dry-run"], "keep": []}),
            Contender("sh, cat, bc, logger", ["/bin/sh", contenders / "reader.sh"], scripts,
                      [f"STORE={self.run}/sh.db"]),
            Contender("Python", ["/usr/bin/python3", contenders / "reader.py"], scripts,
                      [f"STORE={self.run}/py.db"]),
        ]
        if not self.quick:
            field += [
                Contender("Python, Adafruit's library",
                          [self.work / "venv/bin/python3", contenders / "reader-adafruit.py"], scripts,
                          [f"STORE={self.run}/ada.db"]),
                Contender("iio_attr, reading only", ["/bin/sh", contenders / "iio_attr.sh"], {"dry": []},
                          is_reading_only=True),
            ]
        return field

    def doing(self, job):
        return [contender for contender in self.contenders if job in contender.commands]

    # That they do the same.

    def check(self):
        for contender in self.contenders:
            for job, command in contender.commands.items():
                self.check_one(contender, job, command)

    def check_one(self, contender, job, command):
        def fail(why):
            sys.exit(f"bench: {contender.name}, {job}: {why}")

        record = self.run / "record"
        record.unlink(missing_ok=True)
        self.settle()
        before = self.lines_logged()
        environment = dict(word.split("=", 1) for word in contender.environment)
        done = subprocess.run(list(map(str, command)), env=dict(environment, RECORD=str(record)), text=True,
                              capture_output=True)
        if done.returncode != 0:
            fail(f"status {done.returncode}: {done.stderr}")
        if contender.is_reading_only:
            if done.stdout.split() != ["20600", "24400"]:
                fail(f"printed {done.stdout!r}")
            return
        given = done.stdout if job == "dry" else record.read_text()
        # Adafruit's library prints a warning of its own.
        lines = [line for line in given.splitlines() if line.startswith("{")]
        if len(lines) != 1 or json.loads(lines[0]) != READING:
            fail(f"gave {given!r}")
        self.wait_for(lambda: len(self.lines_logged()) > len(before))
        logged = self.lines_logged()[len(before):]
        if len(logged) != 1 or not re.search(r"^<30>.*temperature=20\.6 humidity=24\.4", logged[0]):
            fail(f"logged {logged}")

    def settle(self):
        """Until all that was logged so far is in the log."""
        self.marks += 1
        mark = f"bench: mark {self.marks}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.connect("/dev/log")
            log.send(mark.encode())
        self.wait_for(lambda: mark in self.lines_logged())

    def lines_logged(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    # Times and memory.

    def stopwatch(self, rounds, commands):
        """For each command, (environment, words): wall time and CPU time in us, peak memory in KiB, by round."""
        table = self.run / "commands"
        table.write_text("".join("\t".join([*environment, *map(str, words)]) + "\n" for environment, words in commands))
        out = subprocess.run([self.bin / "stopwatch", str(rounds), table], capture_output=True, text=True, check=True)
        samples = [Samples() for _ in commands]
        for line in out.stdout.splitlines():
            n, wall, cpu, memory, faults, status = map(int, line.split())
            if status != 0:
                sys.exit(f"bench: status {status} of {' '.join(map(str, commands[n][1]))}")
            samples[n].add(wall / 1000, cpu / 1000, memory, faults)
        return samples

    def compare(self, job, rounds):
        field = self.doing(job)
        self.stopwatch(2, [(one.environment, one.commands[job]) for one in field])      # fills the caches
        samples = self.stopwatch(rounds, [(one.environment, one.commands[job]) for one in field])
        return {one.name: {**got.figures(), **self.traced(one, job)} for one, got in zip(field, samples)}, \
            {one.name: got for one, got in zip(field, samples)}

    # Instructions and system calls.

    def traced(self, contender, job):
        """The mean of a write-ahead log's cycle, in which the runs differ: 64 pages, of which a run writes some."""
        times = CYCLE if job == "keep" and contender.name in (FLOOR, OURS) and not self.quick else 1
        words = contender.commands[job]
        # Half of the time of a quick run would be Python's.
        is_left_out = self.quick and contender.name == "Python" and job != "dry"
        rows = [{"instructions": math.nan if is_left_out else self.instructions(contender.environment, words),
                 **self.calls(contender.environment, words)} for _ in range(times)]
        return {key: statistics.mean(row[key] for row in rows) for key in rows[0]}

    def instructions(self, environment, words, statuses=(0,)):
        """Of all its processes but the stand-in."""
        out = self.run / "callgrind"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        done = subprocess.run(["env", "-i", *environment, "valgrind", "--tool=callgrind", "--trace-children=yes",
                               f"--trace-children-skip={self.stand_in},/bin/false", f"--callgrind-out-file={out}/%p.out",
                               f"--log-file={out}/%p.log", *map(str, words)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if done.returncode not in statuses:
            sys.exit(f"bench: status {done.returncode} of {' '.join(map(str, words))}")
        return sum(int(n) for log in out.glob("*.log") for n in re.findall(r"Collected : (\d+)", log.read_text()))

    def calls(self, environment, words):
        trace = self.run / "trace"
        subprocess.run(["env", "-i", *environment, "strace", "-f", "-y", "-qq", "-s", "256", "-o", trace,
                        *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return Trace(trace.read_text(errors="replace"), self.stand_in, self.run).figures()

    # What runs all the time.

    def daemons(self):
        hwmon = self.run / "hwmon/class/hwmon/hwmon0"
        hwmon.mkdir(parents=True)
        for attribute, text in {"name": "dht11", "temp1_input": "20600", "humidity1_input": "24400"}.items():
            (hwmon / attribute).write_text(text + "\n")
        return {"node_exporter, hwmon alone": self.node_exporter(), "collectd, table and csv alone": self.collectd()}

    def node_exporter(self):
        program = self.work / "root/usr/bin/prometheus-node-exporter"
        address = "127.0.0.1:19100"
        daemon = subprocess.Popen(
            [program, "--collector.disable-defaults", "--collector.hwmon", f"--path.sysfs={self.run}/hwmon",
             f"--web.listen-address={address}", "--web.disable-exporter-metrics"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def scrape():
                with urllib.request.urlopen(f"http://{address}/metrics") as answer:
                    return answer.read().decode()

            def answers():
                try:
                    return "node_hwmon_temp_celsius" in scrape()
                except OSError:
                    return False

            self.wait_for(answers)
            if "node_hwmon_humidity" not in scrape():
                sys.exit("bench: node_exporter does not show the humidity")
            return self.watch(daemon.pid, program, lambda: [scrape() for _ in range(100)])
        finally:
            daemon.kill()
            daemon.wait()

    def collectd(self):
        program = self.work / "root/usr/sbin/collectd"
        config = self.run / "collectd.conf"
        template = (HERE / "contenders/collectd.conf").read_text()
        config.write_text(template.replace("@WORK@", str(self.run)).replace("@ROOT@", str(self.work / "root")))
        daemon = subprocess.Popen([program, "-f", "-C", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            values = lambda: sum(path.read_text().count("\n") for path in self.run.glob("collectd/pi/*/*"))
            self.wait_for(lambda: values() > 4)

            def samples():
                before = values()
                time.sleep(10)
                return [None] * ((values() - before) // 2)

            return self.watch(daemon.pid, program, samples)
        finally:
            daemon.kill()
            daemon.wait()

    @staticmethod
    def watch(pid, program, samples):
        def cpu_us():
            return sum(int(task.read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1000

        before = cpu_us()
        taken = len(samples())
        used = (cpu_us() - before) / taken
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        files = {path for path in re.findall(r"(/\S+)$", maps, re.M) if os.path.isfile(path)}
        return {"cpu": used, "memory": int(re.search(r"VmHWM:\s+(\d+)", status)[1]), "samples": taken,
                "disk": sum(os.path.getsize(path) for path in files)}

    # Growth.

    def sensors(self, rounds):
        counts = [1, 64] if self.quick else [1, 2, 4, 8, 16, 32, 64]
        commands = []
        for count in counts:
            sysfs = self.run / f"sys{count}"
            self.tree(sysfs, count)
            commands.append(([PATH], [PROGRAM, "--config", self.config, "--log", "syslog", "--dry-run", "--sysfs", sysfs,
                                      "--device", f"dht11@{count + 3}"]))
        samples = self.stopwatch(rounds, commands)
        return [{"sensors": count, **got.figures(), "instructions": self.instructions(*command)}
                for count, got, command in zip(counts, samples, commands)]

    def kept(self, rounds):
        counts = [0, 1000] if self.quick else [0, 1000, 10_000, 100_000, 1_000_000]
        commands = []
        for count in counts:
            command = [PROGRAM, "--config", self.configure(f"kept{count}"), "--log", "syslog"]
            self.stopwatch(1, [([PATH], command)])
            self.seed(self.run / f"kept{count}", delivered=count)
            commands.append(([PATH], command))
        self.stopwatch(1, commands)
        samples = self.stopwatch(rounds, commands)
        # As many pages in the log for each: what is read of it is not the store's size.
        return [{"readings": count, **got.figures(), "instructions": self.instructions(*command)}
                for count, got, command in zip(counts, samples, commands)], samples[-1].ratio(samples[0])

    def waiting(self):
        """A run that delivers nothing, with so many sensors, so many readings kept and so many that wait."""
        plan = [(1, 0, 64), (1, 0, 1000), (1, 0, 10_000), (1, 1_000_000, 10_000), (64, 1_000_000, 10_000)]
        rows = []
        for sensors, delivered, waiting in plan[:1] if self.quick else plan:
            name = f"waiting-{sensors}-{delivered}-{waiting}"
            command = [PROGRAM, "--config", self.configure(name, focus="/bin/false"), "--log", "syslog",
                       "--sysfs", self.run / f"sys{sensors}", "--device", f"dht11@{sensors + 3}"]
            subprocess.run(command, env={}, check=False, capture_output=True)
            self.seed(self.run / name, delivered, waiting)
            subprocess.run(command, env={}, check=False, capture_output=True)
            watched = ["/usr/bin/time", "-q", "-f", "%M", "-o", self.run / "memory", *command]
            subprocess.run(watched, env={}, check=False, capture_output=True)
            rows.append({"sensors": sensors, "readings": delivered, "waiting": waiting,
                         "memory": int((self.run / "memory").read_text()),
                         "instructions": self.instructions([PATH], command, (69,))})
        return rows

    @staticmethod
    def seed(store, delivered=0, waiting=0):
        count = delivered + waiting
        subprocess.run(["sqlite3", store / "readings.db", f"""
            PRAGMA synchronous = OFF;
            DELETE FROM backlog;
            DELETE FROM reading;
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
            INSERT INTO reading (id, taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts,
                                 delivered_ms, reason, failures, status)
                SELECT i, 1000 * (unixepoch() - {count} + i), i, 'another boot', 'dht11@4', 20600, 24400,
                1, iif(i > {delivered}, NULL, 1), NULL, NULL, 0 FROM n WHERE {count} > 0;
            INSERT INTO backlog (id) SELECT id FROM reading WHERE id > {delivered};
            PRAGMA wal_checkpoint(TRUNCATE);"""], check=True, stdout=subprocess.DEVNULL)

    def backlog(self, times):
        """Time to deliver the backlog against as many starts of the stand-in alone, in turn."""
        config = self.configure("backlog")
        store = self.run / "backlog"
        command = [PROGRAM, "--config", config, "--log", "syslog", "--deadline", "1h"]
        self.stopwatch(1, [([PATH], command)])
        rows = []
        plan = [(1, 0), (10, 0)] if self.quick else [(1, 0), (10, 0), (100, 0), (1000, 0), (10_000, 0), (1000, 10_000)]
        for count, nap in plan:
            environment = [PATH, f"NAP={nap}"] if nap else [PATH]
            got = []
            for _ in range(times):
                alone = self.stopwatch(count, [(environment, [self.stand_in])])[0]
                self.seed(store, waiting=count)
                ours = self.stopwatch(1, [(environment, command)])[0]
                left = subprocess.run(["sqlite3", store / "readings.db", "SELECT count(*) FROM backlog"],
                                      capture_output=True, text=True, check=True).stdout.strip()
                if left != "0":
                    sys.exit(f"bench: {left} of {count} readings were not delivered")
                # Its own reading is one more.
                own = sum(alone.wall) * (count + 1) / count
                got.append((ours.wall[0], own, ours.memory[0]))
            rows.append({"backlog": count, "nap": nap, "wall": statistics.median(one[0] for one in got),
                         "own": statistics.median(one[1] for one in got),
                         "ratio": statistics.median(one[0] / one[1] for one in got),
                         "memory": max(one[2] for one in got)})
        return rows

    # Where ours go.

    def profile(self):
        out = {}
        for job, words in {"dry": ["--dry-run"], "keep": []}.items():
            command = [PROGRAM, "--config", self.config, "--log", "syslog", *words]
            self.instructions([PATH], command)
            file = next((self.run / "callgrind").glob("*.out"))
            objects = by_object(file.read_text())
            trace = self.run / "trace"
            subprocess.run(["env", "-i", PATH, "strace", "-f", "-y", "-qq", "-s", "256", "-o", trace, *map(str, command)],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            calls = Trace(trace.read_text(errors="replace"), self.stand_in, self.run).purposes()
            out[job] = {"instructions": dict(objects), "calls": dict(calls)}
        return out

    def versions(self):
        def said(*words):
            done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
            return (done.stdout + done.stderr).strip().splitlines()[0]

        def package(name):
            return said("dpkg-query", "-W", "-f", "${Version}", name)

        cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
        memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])
        file_system = said("stat", "-f", "-c", "%T", self.run)
        machine = (f"{os.cpu_count()} × {cpu[1] if cpu else platform.machine()}, {memory // 1024} MiB, "
                   f"Linux {platform.release()}, {file_system}, load {os.getloadavg()[0]:.1f} at the end")
        versions = {
            "iio-focus": said(PROGRAM, "--version").split()[-1], "Rust": said("rustc", "--version").split()[1],
            "gcc": said("gcc", "-dumpfullversion"), "glibc": package("libc6"), "dash": package("dash"),
            "bc": package("bc"), "logger": package("bsdutils"), "Python": said("/usr/bin/python3", "-V").split()[1],
            "sqlite3": package("sqlite3"), "valgrind": package("valgrind"), "strace": package("strace"),
        }
        if not self.quick:
            fetched = {deb.name.split("_")[0]: deb.name.split("_")[1] for deb in (self.work / "debs").glob("*.deb")}
            versions |= {"adafruit-circuitpython-dht": "4.0.12", "libiio-utils": package("libiio-utils"), **fetched}
        return machine, versions


def drained(path):
    """What drain.sh printed: how many waited, and how many each run delivered."""
    lines = path.read_text().splitlines()
    return {"waiting": int(re.match(r"drain: (\d+) ", lines[0])[1]),
            "delivered": [int(re.search(r"delivered=(\d+)", line)[1]) for line in lines],
            "seconds": [int(re.search(r"(\d+) s:", line)[1]) for line in lines]}


def by_object(callgrind):
    """Instructions by the file that they stand in, from callgrind's output."""
    names, costs = {}, collections.Counter()
    here, skip = "", False
    for line in callgrind.splitlines():
        if skip:                # what a call takes is counted where it goes
            skip = False
        elif found := re.match(r"(c?ob)=(\(\d+\))(?: (.+))?$", line):
            kind, number, name = found.groups()
            names.setdefault(number, os.path.basename(name or ""))
            if kind == "ob":
                here = names[number]
        elif line.startswith("calls="):
            skip = True
        elif found := re.match(r"[+*\d-]\S* (\d+)$", line):
            costs[here] += int(found[1])
    count = collections.Counter()
    for name, cost in costs.items():
        count["the loader" if name.startswith("ld-") else "the C library" if name.startswith("libc.") else
              "the program" if name == PROGRAM.name else "else"] += cost
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    bench = Bench(options.work, options.quick)
    try:
        bench.check()
        results = {"rounds": bench.rounds(50)}
        results["dry"], dry = bench.compare("dry", bench.rounds(50))
        deliver = [(one.environment, one.commands["deliver"]) for one in bench.doing("deliver")]
        results["deliver"], _ = bench.compare("deliver", bench.rounds(30))
        results["keep"], _ = bench.compare("keep", bench.rounds(30))
        # In turn with those that keep nothing: what is faster has to be faster than them.
        ours = next(one for one in bench.contenders if one.name == OURS)
        mixed = bench.stopwatch(bench.rounds(30), [(ours.environment, ours.commands["keep"]), *deliver])
        names = ["iio-focus", *(one.name for one in bench.doing("deliver"))]
        mixed = dict(zip(names, mixed))
        results["ratios"] = {
            "dry wall / C": dry[OURS].ratio(dry[FLOOR]),
            "dry instructions / std": results["dry"]["iio-focus"]["instructions"]
            / results["dry"]["Rust's standard library"]["instructions"],
            "kept wall / sh": mixed["iio-focus"].ratio(mixed["sh, cat, bc, logger"]),
            "kept wall / Python": mixed["iio-focus"].ratio(mixed["Python"]),
            "kept memory / Python": results["keep"]["iio-focus"]["memory"] / results["deliver"]["Python"]["memory"],
        }
        results["sensors"] = bench.sensors(bench.rounds(30))
        results["kept"], results["ratios"]["a million / none"] = bench.kept(bench.rounds(100))
        results["waiting"] = bench.waiting()
        results["backlog"] = bench.backlog(1 if options.quick else 3)
        results["profile"] = bench.profile()
        if Packaged.is_there(options.work):
            results["packaged"] = {name: Packaged(bench, name).measure() for name in MACHINES}
        if (options.work / "wear.json").exists():
            results["wear"] = json.loads((options.work / "wear.json").read_text())
        if not options.quick:
            results["daemons"] = bench.daemons()
            results["rig"] = json.loads((options.work / "rig.json").read_text())
            results["drain"] = [drained(options.work / f"drain-{waiting}") for waiting in (2880, 10_080)]
        results["machine"], results["versions"] = bench.versions()
    finally:
        bench.listener.kill()
        bench.listener.wait()
    (options.work / "results.json").write_text(json.dumps(results, indent=1))
    report = Report(results)
    out = options.work / "quick" if options.quick else HERE
    out.mkdir(exist_ok=True)
    report.write(out)
    if not options.quick and "packaged" in results:
        for readme in READMES:
            report.readme(ROOT / readme)
    elif not options.quick:
        print("bench: the READMEs are as they were, for they show the packaged programs", file=sys.stderr)
    else:
        print(f"bench: all {len(bench.contenders)} contenders do the same; quick figures in {out}/RESULTS.md")


if __name__ == "__main__":
    main()
