#!/usr/bin/python3
"""reader.py dry|deliver|keep FOCUS [ARGUMENT...]: one reading in the structure of the published script: logging,
json, subprocess, ten tries with a pause of 2 s. The sensor is read from sysfs. With "keep", SQLite has the
reading in $STORE before focus is started, and marks it when it arrived."""

import json
import logging
import logging.handlers
import os
import subprocess
import sys
import time

DEVICE = "/sys/bus/iio/devices/iio:device0/"
TRIES, PAUSE_S = 10, 2

log = logging.getLogger("reader")


def read_value(attribute):
    with open(DEVICE + attribute) as file:
        return int(file.read()) / 1000


def read_sensor():
    for n in range(1, TRIES + 1):
        try:
            return read_value("in_temp_input"), read_value("in_humidityrelative_input")
        except (OSError, ValueError) as error:
            log.warning("try %d of %d: %s", n, TRIES, error)
            time.sleep(PAUSE_S)
    return None


def deliver(focus, line):
    done = subprocess.run(focus, input=line + "\n", capture_output=True, text=True, timeout=15)
    return done.returncode == 0 and "[TCP] Connected" in done.stdout + done.stderr


def main(mode, *focus):
    handler = logging.handlers.SysLogHandler("/dev/log", logging.handlers.SysLogHandler.LOG_DAEMON)
    handler.append_nul = False
    handler.setFormatter(logging.Formatter("%(name)s[%(process)d]: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    sample = read_sensor()
    if sample is None:
        log.error("no reading")
        return 74
    t, h = (round(value, 1) for value in sample)
    line = json.dumps({"temperature": t, "humidity": h})
    if mode == "keep":
        import sqlite3
        db = sqlite3.connect(os.environ["STORE"])
        with db:
            db.execute("CREATE TABLE IF NOT EXISTS reading "
                       "(id INTEGER PRIMARY KEY, taken, temperature, humidity, delivered)")
            row = db.execute("INSERT INTO reading (taken, temperature, humidity) VALUES (?, ?, ?)",
                             (time.time(), t, h)).lastrowid
    if mode == "dry":
        print(line)
    elif not deliver(focus, line):
        log.error("not delivered")
        return 69
    if mode == "keep":
        with db:
            db.execute("UPDATE reading SET delivered = ? WHERE id = ?", (time.time(), row))
    log.info("temperature=%s humidity=%s", t, h)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
