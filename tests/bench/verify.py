#!/usr/bin/env python3
"""verify.py [PROGRAM]: the memory of `iio-focus verify` for a million readings of 31 days, with all of them at the stand-in
for WhaTap's Open API, and with none. It fails above 20 MiB. The figure is the larger one of the program and curl."""

import json
import os
import pathlib
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
READINGS = 1_000_000
PERIOD_MS = 31 * 86_400_000
STEP_MS = PERIOD_MS // READINGS
LIMIT_KIB = 20 << 10
CONFIG = """[sensor]
retry-delay = "0s"
[focus]
program = "/bin/true"
license = "x0000-test-0000"
pcode = 7000
server-host = "127.0.0.1"
oname = "pi2w"
confirm = "exit-status"
[store]
path = "{store}"
wait-for-clock = "0s"
[verify]
token = "T"
url = "http://127.0.0.1:{port}"
pause = "0s"
"""


def fill(store, start_ms):
    db = sqlite3.connect(store)
    db.execute("DELETE FROM reading")
    rows = ((start_ms + n * STEP_MS, n % 400 * 100, start_ms + n * STEP_MS + 500) for n in range(READINGS))
    db.executemany(
        "INSERT INTO reading (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts,"
        " delivered_ms, status) VALUES (?, 0, 'b', 'htu21', ?, 40000, 1, ?, 0)",
        rows,
    )
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def started(command, port_file):
    api = subprocess.Popen(command)
    while not port_file.exists():
        if api.poll() is not None:
            sys.exit("verify.py: the stand-in did not start")
        time.sleep(0.05)
    return api, port_file.read_text(encoding="utf-8").strip()


def measure(program, work):
    device = work / "sys/bus/iio/devices/iio:device0"
    device.mkdir(parents=True)
    for name, text in (("name", "htu21"), ("in_temp_input", "20600"), ("in_humidityrelative_input", "24400")):
        (device / name).write_text(text + "\n", encoding="utf-8")
    # Some readings are a bit older than the period; the newest is old enough to be judged.
    start_ms = int(time.time() * 1000) - PERIOD_MS - 1_200_000
    standin = [ROOT / "tests/stand-in/open-api.py", "--token", "T", "--pcode", "7000", "--record", "/dev/null"]
    standin += ["--faults", work / "faults", "--log", work / "log", "--port-file", work / "port"]
    api, port = started(standin + ["--generate", f"{start_ms},{STEP_MS},{READINGS}"], work / "port")
    try:
        config, store = work / "iio-focus.toml", work / "readings.db"
        config.touch(0o600)
        config.write_text(CONFIG.format(store=store, port=port), encoding="utf-8")
        begin = [program, "--config", config, "--sysfs", work / "sys", "--log", "stderr"]
        subprocess.run(begin, check=True, stderr=subprocess.DEVNULL)
        fill(store, start_ms)
        for faults, status in (("", 0), ("other-oname", 1)):
            (work / "faults").write_text(faults, encoding="utf-8")
            command = [program, "verify", "--config", config, "--since", "31d", "--json"]
            run = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            if run.returncode != status:
                sys.exit(f"verify.py: {run.returncode}: {run.stdout}")
            said = json.loads(run.stdout)
            # The largest of all children so far, and their children.
            kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            print(f"verify.py: {said['taken']} readings, {said['missing']} missing: {kib} KiB")
            if kib > LIMIT_KIB:
                sys.exit(f"verify.py: more than {LIMIT_KIB} KiB")
    finally:
        api.kill()
        api.wait()


def main():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else target / "release/iio-focus").resolve()
    with tempfile.TemporaryDirectory() as work:
        measure(program, pathlib.Path(work))


if __name__ == "__main__":
    main()
