"""The packaged arm64 and ARMv6 programs, as people install them, beside the floor in C and Debian's sh and Python, in QEMU's
emulation of a user program: every instruction in user space, system calls, memory and bytes on disk. Times mean nothing there."""

import pathlib
import re
import shutil
import statistics
import subprocess

from measure import CYCLE, FLOOR, OURS, Contender

# Where a program's memory begins in the emulator's; a 32-bit one has 4 GiB.
BEGIN = 0x100000000000
MACHINES = {
    # The processors of the Pi Zero 2 W and of the Pi Zero W. Debian's armhf, the shell and Python, is for ARMv7.
    "arm64": {"package": "arm64", "emulator": "qemu-aarch64", "cpu": "cortex-a53", "debian": "cortex-a53", "calls": "arm64",
              "size": 0x8000000000, "options": ["-R", "0x8000000000"]},
    "ARMv6": {"package": "armhf", "emulator": "qemu-arm", "cpu": "arm1176", "debian": "cortex-a7", "calls": "arm",
              "size": 0x100000000, "options": []},
}
COMMANDS = {"cat": "bin/cat", "bc": "usr/bin/bc", "logger": "usr/bin/logger", "sqlite3": "usr/bin/sqlite3"}


class Packaged:
    def __init__(self, bench, name):
        self.bench, self.machine = bench, MACHINES[name]
        package = self.machine["package"]
        self.parts = bench.work / "packaged"
        self.files, self.debian = self.parts / package, self.parts / "debian" / package
        self.run = bench.run / package
        self.run.mkdir()
        self.counted = self.run / "counted"

    @staticmethod
    def is_there(work):
        return (work / "packaged/ready").exists()

    def emulate(self, program):
        machine = self.machine
        is_debian = program.is_relative_to(self.debian)
        plugin = f"{self.parts}/count.so,to={self.counted},begin={BEGIN},size={machine['size']},calls={machine['calls']}"
        prefix = ["-L", self.debian] if is_debian else []
        return [shutil.which(machine["emulator"]), "-cpu", machine["debian" if is_debian else "cpu"], "-B", hex(BEGIN),
                *machine["options"], "-plugin", plugin, *prefix, program]

    def wrap(self):
        """A folder with the commands that a script calls, each of which starts the emulator."""
        folder = self.run / "bin"
        folder.mkdir()
        for name, path in COMMANDS.items():
            wrapper = folder / name
            words = " ".join(f"'{word}'" for word in self.emulate(self.debian / path))
            wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            wrapper.chmod(0o755)
        return folder

    def field(self):
        focus = [self.bench.stand_in, *self.bench.license]
        both = {"dry": ["dry", *focus], "deliver": ["deliver", *focus]}
        scripts = dict(both, keep=["keep", *focus])
        contenders, package = self.bench.run / "contenders", self.machine["package"]
        floor = {job: [*self.emulate(self.files / "floor"), *words] for job, words in both.items()}
        floor["keep"] = [*self.emulate(self.files / "floor-keep"), "keep", *focus]
        program = self.emulate(self.files / "usr/bin/iio-focus")
        # A store that the program made: the same tables.
        store = f"{package}-floor"
        subprocess.run([*program, "--config", self.bench.configure(store), "--log", "stderr"], check=True, capture_output=True)
        ours = [*program, "--config", self.bench.configure(package + "-store"), "--log", "syslog"]
        path = f"PATH={self.wrap()}"
        field = [
            Contender(FLOOR, [], floor, [f"STORE={self.bench.run}/{store}/readings.db"]),
            Contender(OURS, ours, {"dry": ["--dry-run"], "keep": []}),
            Contender("sh, cat, bc, logger", [*self.emulate(self.debian / "bin/sh"), contenders / "reader.sh"], scripts,
                      [f"STORE={self.run}/sh.db", path]),
        ]
        if not self.bench.quick:        # it takes most of the time
            field.append(Contender("Python", [*self.emulate(self.debian / "usr/bin/python3"), contenders / "reader.py"], scripts,
                                   [f"STORE={self.run}/py.db", path]))
        return field

    def measure(self):
        """For each job, what each contender needs for it."""
        figures = {"dry": {}, "deliver": {}, "keep": {}}
        for contender in self.field():
            for job, command in contender.commands.items():
                # Also fills the caches: Python's compiled modules.
                self.bench.check_one(contender, job, command)
                figures[job][contender.name] = self.figures(contender, job)
        return figures

    def figures(self, contender, job):
        words = list(map(str, contender.commands[job]))
        environment = dict(word.split("=", 1) for word in contender.environment)
        times = 3 if contender.name not in (FLOOR, OURS) else CYCLE if job == "keep" else 5
        runs = []
        for _ in range(self.bench.rounds(times)):
            self.counted.unlink(missing_ok=True)
            subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            parts = [tuple(map(int, line.split())) for line in self.counted.read_text().splitlines()]
            runs.append((sum(part[0] for part in parts), sum(part[1] for part in parts), max(part[2] for part in parts)))
        return {"instructions": statistics.mean(run[0] for run in runs), "calls": statistics.mean(run[1] for run in runs),
                "memory": max(run[2] for run in runs), "disk": self.disk(words, environment)}

    def disk(self, words, environment):
        """Bytes of all files of the system emulated that a run opens or executes."""
        trace = self.run / "trace"
        subprocess.run([shutil.which("strace"), "-f", "-z", "-qq", "-s", "4096", "-e", "trace=open,openat,execve", "-o", trace, *words],
                       env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        opened = {pathlib.Path(path).resolve() for path in re.findall(r'"(/[^"]*)"', trace.read_text(errors="replace"))}
        ours = (self.files.resolve(), self.debian.resolve(), (self.bench.run / "contenders").resolve())
        return sum(path.stat().st_size for path in opened if path.is_file() and any(map(path.is_relative_to, ours)))
