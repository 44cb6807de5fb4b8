"""What bench.py and packaged.py measure with: who does the job, and what came of a run."""

import collections
import os
import re
import statistics
import struct

FLOOR, OURS = "C, the least there is", "iio-focus"
# A store's write-ahead log is written from its beginning again after so many runs at most.
CYCLE = 16
PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"


class Contender:
    """One way to do the job: its command for each of the jobs that it does."""

    def __init__(self, name, command, jobs, environment=(), is_reading_only=False):
        self.name, self.environment = name, [PATH, *environment]
        self.commands = {job: [*command, *words] for job, words in jobs.items()}
        self.is_reading_only = is_reading_only


class Samples:
    """What was measured of one command, round by round."""

    def __init__(self):
        self.wall, self.cpu, self.memory, self.faults = [], [], [], []

    def add(self, wall, cpu, memory, faults):
        self.wall.append(wall)
        self.cpu.append(cpu)
        self.memory.append(memory)
        self.faults.append(faults)

    def figures(self):
        quarters = statistics.quantiles(self.wall, n=4, method="inclusive")
        return {"wall": statistics.median(self.wall), "wall_low": quarters[0], "wall_high": quarters[2],
                "cpu": statistics.median(self.cpu), "memory": statistics.median(self.memory), "rounds": len(self.wall)}

    def ratio(self, other):
        """Median of the ratios of runs that followed one another."""
        return statistics.median(a / b for a, b in zip(self.wall, other.wall))


class Trace:
    """The output of strace -f -y, without what the stand-in does."""

    def __init__(self, text, stand_in, work):
        self.work = str(work)
        self.calls = []         # (name, arguments, result)
        self.executed = []
        begun, ignored = {}, set()
        for line in text.splitlines():
            pid, _, rest = line.partition(" ")
            rest = rest.strip()
            if pid in ignored or rest.startswith(("---", "+++")):
                continue
            if rest.endswith("<unfinished ...>"):
                begun[pid] = rest.removesuffix("<unfinished ...>")
                continue
            if rest.startswith("<..."):
                rest = begun.pop(pid, "") + rest.partition("resumed>")[2]
            found = re.match(r"(\w+)\((.*)\)\s+= (-?\d+|\?|0x[0-9a-f]+)", rest)
            if not found:
                continue
            name, arguments, result = found.groups()
            self.calls.append((name, arguments, result))
            if name == "execve" and result == "0":
                program = re.match(r'"([^"]*)"', arguments)[1]
                if program == stand_in:
                    ignored.add(pid)
                else:
                    self.executed.append(program)

    @staticmethod
    def path(arguments):
        """The first path or decoded descriptor in them, apart from the folder that a path which is not whole begins at."""
        found = re.search(r'"(/[^"]*)"|<(/[^>]*)>', arguments.replace("AT_FDCWD<", "<AT_FDCWD="))
        return (found[1] or found[2]) if found else ""

    def is_of_the_system(self, path):
        ours = path.startswith(self.work) and not path.startswith(f"{self.work}/contenders/")
        return os.path.isfile(path) and not ours and not path.startswith(("/proc/", "/sys/", "/dev/"))

    def figures(self):
        opened = [re.search(r"<(/[^>]*)>$|\"(/[^\"]*)\"", arguments) for name, arguments, result in self.calls
                  if name in ("open", "openat") and not result.startswith("-")]
        paths = {self.path(arguments) for name, arguments, result in self.calls
                 if name in ("open", "openat") and not result.startswith("-")}
        files = {os.path.realpath(path) for path in paths | set(self.executed) if self.is_of_the_system(path)}
        files |= {os.path.realpath(loader) for loader in map(interpreter, files) if loader}
        written = sum(int(result) for name, arguments, result in self.calls
                      if name in ("write", "pwrite64", "writev", "pwritev") and result.isdigit()
                      and self.path(arguments.partition(",")[0]).startswith(self.work))
        return {"calls": len(self.calls), "opened": len(opened), "disk": sum(map(os.path.getsize, files)),
                "syncs": sum(name in ("fsync", "fdatasync") for name, _, _ in self.calls), "written": written}

    def purposes(self):
        """What our own calls are for."""
        count = collections.Counter()
        started = False
        for name, arguments, _ in self.calls:
            path = self.path(arguments)
            if not started and name != "signalfd4":
                count["start: the kernel, the loader, the runtime"] += 1
                continue
            started = True
            if "readings.db" in path or path.endswith("/kept"):
                count["the store and its lock"] += 1
            elif path.endswith(".toml"):
                count["the configuration"] += 1
            elif path.startswith("/sys/"):
                count["the sensor"] += 1
            elif name in ("pipe2", "socketpair", "clone", "clone3", "vfork", "recvfrom", "poll", "waitid", "wait4", "kill",
                          "dup2", "setpgid", "prctl", "getppid", "execve") or "pipe:" in arguments:
                count["focus"] += 1
            else:
                count["else: memory, signals, clock, log"] += 1
        return count


def interpreter(path):
    """The loader that an ELF file asks for."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":
            return None
        offset, = struct.unpack_from("<Q", head, 32)
        size, number = struct.unpack_from("<HH", head, 54)
        for i in range(number):
            file.seek(offset + i * size)
            kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", file.read(size))
            if kind == 3:
                file.seek(at)
                return file.read(length).rstrip(b"\0").decode()
    return None
