#!/usr/bin/python3
"""reader.py with Adafruit's library imported, as the published script has it. The sensor is still read from sysfs:
the library wants the Pi's pins."""

import sys

import adafruit_dht  # noqa: F401
import reader

sys.exit(reader.main(*sys.argv[1:]))
