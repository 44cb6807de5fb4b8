#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the overlay merged into Raspberry Pi trees, and the checks themselves.

    check.py OVERLAY.dtbo WORK_DIR DT_VALIDATE SCHEMA_DIR BASE.dtb...

Run by check.sh, which makes what this needs.
"""

import collections
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree stays as it is

import fdt
import merge

IN, OFF, DOWN, UP = 0, 0, 1, 2  # brcm,function and brcm,pull in brcm,bcm2835-gpio


class Bench:
    """One overlay on one board."""

    def __init__(self, overlay, base, work):
        self.overlay, self.base, self.work = overlay, base, work
        self.board = fdt.read(base)
        self.gpio = self.board.find("/__symbols__").string("gpio")

    def merged(self, *instances):
        """The board's tree with the overlay once per string of parameters, as all mergers see it."""
        tree, out = self.merge(instances)
        dtc = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dtb", "-o", os.devnull, out],
                             capture_output=True, text=True, check=False)
        same("what dtc says of the merged tree", (dtc.returncode, dtc.stderr), (0, ""))
        if shutil.which("dtmerge"):
            # These it also writes to for its own use.
            own = ("/aliases", "/__symbols__")
            differ = [path for path in differences(self.dtmerge(instances), tree) if path not in own]
            same("nodes that dtmerge makes differently", differ, [])
        return tree

    def merge(self, instances):
        out = os.path.join(self.work, "merged.dtb")
        merge.merge(self.base, out, [self.overlay + params for params in instances])
        return fdt.read(out), out

    def dtmerge(self, instances):
        tree = self.base
        for index, params in enumerate(instances):
            tree, before = os.path.join(self.work, f"dtmerge-{index}.dtb"), tree
            done = subprocess.run(["dtmerge", before, tree, self.overlay, *params.split(",")[1:]],
                                  capture_output=True, text=True, check=False)
            if done.returncode:
                raise merge.Refused(f"dtmerge: {done.stdout}{done.stderr}")
        return fdt.read(tree)

    def sensor(self, tree, unit):
        """What the tree says of the sensor whose node is dht11@UNIT."""
        node = tree.find(f"/dht11@{unit}")
        assert node, f"there is no /dht11@{unit}"
        controller, pin, flags = node.cells("gpios")
        (phandle,) = node.cells("pinctrl-0")
        where, pins = tree.by_phandle(phandle)
        return {
            "compatible": node.string("compatible"), "status": node.string("status"),
            "label": node.string("label"),
            "gpio": (tree.by_phandle(controller)[0], pin, flags),
            "pinctrl": (node.string("pinctrl-names"), where),
            "pins": pins.cells("brcm,pins"), "function": pins.cells("brcm,function"),
            "pull": pins.cells("brcm,pull"),
        }

    def expected(self, pin=4, label=None, pull=UP):
        return {
            "compatible": "dht11", "status": "okay",
            "label": label,
            "gpio": (self.gpio, pin, 0),
            "pinctrl": ("default", f"{self.gpio}/dht22-pins@{pin:x}"),
            "pins": [pin], "function": [IN],
            "pull": [pull],
        }


def same(what, seen, wanted):
    """Fails naming what differs, of two dicts only the entries that do."""
    if isinstance(seen, dict):
        differ = {key for key in wanted if seen[key] != wanted[key]}
        seen, wanted = ({key: facts[key] for key in sorted(differ)} for facts in (seen, wanted))
    assert seen == wanted, f"{what}: {seen}, not {wanted}"


def differences(tree, other):
    """The paths of nodes that only one of two trees has, or that have other properties."""
    ours, theirs = ({path: node.props for path, node in each.walk()} for each in (tree, other))
    return sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))


# The checks. Each takes a bench and raises AssertionError.

def defaults(bench):
    same("no parameters", bench.sensor(bench.merged(""), "4"), bench.expected())


def gpiopin(bench):
    for pin in (0, 10, 17, 27):
        tree = bench.merged(f",gpiopin={pin}")
        same(f"gpiopin={pin}", bench.sensor(tree, f"{pin:x}"), bench.expected(pin))
        assert not tree.find("/dht11@4"), f"gpiopin={pin}: /dht11@4 is still there"


def label(bench):
    for text in ("kitchen", "Living room"):
        same(f"label={text}", bench.sensor(bench.merged(f",label={text}"), "4"), bench.expected(label=text))


def pull(bench):
    for word, value in (("off", OFF), ("down", DOWN), ("up", UP)):
        same(f"pull={word}", bench.sensor(bench.merged(f",pull={word}"), "4"), bench.expected(pull=value))


def refusals(bench):
    mergers = [bench.merge] + ([bench.dtmerge] if shutil.which("dtmerge") else [])
    for wrong in ("gpio=4", "pull=sideways", "pull=1", "pull", "gpiopin=four"):
        for merger in mergers:
            try:
                merger([f",{wrong}"])
            except merge.Refused:
                continue
            raise AssertionError(f"{merger.__name__} takes {wrong}")


def two_sensors(bench):
    tree = bench.merged(",label=indoors", ",gpiopin=17,pull=off,label=outdoors")
    same("first of two", bench.sensor(tree, "4"), bench.expected(4, "indoors"))
    same("second of two", bench.sensor(tree, "11"), bench.expected(17, "outdoors", OFF))


def nothing_else(bench):
    tree = bench.merged("")
    del tree.children["dht11@4"]
    del tree.find(bench.gpio).children["dht22-pins@4"]
    same("other nodes touched", differences(tree, bench.board), [])


CHECKS = (defaults, gpiopin, label, pull, refusals, two_sensors, nothing_else)


# The overlay broken on purpose: what is done to its tree, and the check that has to notice.

SENSOR = "/fragment@1/__overlay__/dht11@4"
PINS = "/fragment@0/__overlay__/dht22-pins@4"


def put(path, prop, value):
    return lambda tree: tree.find(path).props.update({prop: value})


def drop(path, prop):
    return lambda tree: tree.find(path).props.pop(prop)


def retarget(param, old, new):
    """Changes the first such target of a parameter."""
    def edit(tree):
        props = tree.find("/__overrides__").props
        assert old in props[param]
        props[param] = props[param].replace(old, new, 1)
    return edit


BROKEN = (
    ("another driver", put(SENSOR, "compatible", b"dht12\0"), defaults),
    ("disabled", put(SENSOR, "status", b"disabled\0"), defaults),
    ("active low", put(SENSOR, "gpios", bytes.fromhex("ffffffff 00000004 00000001")), defaults),
    ("an output", put(PINS, "brcm,function", bytes.fromhex("00000001")), defaults),
    ("no pull-up", put(PINS, "brcm,pull", bytes(4)), defaults),
    ("a label without being asked", put(SENSOR, "label", b"\0"), defaults),
    ("gpiopin forgets the driver's line", retarget("gpiopin", b"gpios:4\0", b"other:4\0"), gpiopin),
    ("gpiopin forgets the pin group", retarget("gpiopin", b"brcm,pins:0\0", b"brcm,other:0\0"), gpiopin),
    ("gpiopin leaves the node's name", retarget("gpiopin", b"reg:0\0", b"other:0\0"), two_sensors),
    ("gpiopin leaves the pin group's name",
     retarget("gpiopin", b"brcm,pins:0\0\0\0\0\1reg:0\0", b"brcm,pins:0\0"), two_sensors),
    ("label goes elsewhere", retarget("label", b"label\0", b"title\0"), label),
    ("pull has up and down swapped", retarget("pull", b"down=1,up=2", b"down=2,up=1"), pull),
    ("pull takes numbers", retarget("pull", b"{off=0,down=1,up=2}", b""), refusals),
    ("no such parameter", drop("/__overrides__", "pull"), pull),
    ("the board is changed", put("/fragment@0/__overlay__", "status", b"disabled\0"), nothing_else),
)


def failed(checks, bench):
    """(check, why) of the checks that fail."""
    for check in checks:
        try:
            check(bench)
        except (AssertionError, KeyError, TypeError, ValueError, merge.Refused) as why:
            yield check, why


def break_overlay(overlay, work, edit):
    tree = fdt.read(overlay)
    edit(tree)
    broken = os.path.join(work, "broken.dtbo")
    fdt.write(tree, broken)
    return broken


# The kernel's binding. dtschema wants a reg in any root node with a unit address, and so
# dislikes dht11@4; but the name has to carry the pin, and a reg at the root is an address.
TOLERATED = {"root-node.yaml"}


def schema_faults(overlay, work, dt_validate, schemas, bases):
    """What is wrong by dht11.yaml, as text; prints what it says of a label."""
    cases = {}

    def case(name, base, file):
        cases[name] = os.path.join(work, f"{name}.dtb")
        merge.merge(base, cases[name], [file])

    for base in bases:
        case("plain-" + os.path.basename(base)[:-4], base, overlay)
    case("label", bases[0], overlay + ",label=kitchen")

    def without_gpios(tree):
        drop(SENSOR, "gpios")(tree)
        # The fixup would have nothing to fix.
        fixups = tree.find("/__fixups__")
        kept = (place for place in fixups.strings("gpio") if ":gpios:" not in place)
        fixups.props["gpio"] = "".join(f"{place}\0" for place in kept).encode()

    case("no-gpios", bases[0], break_overlay(overlay, work, without_gpios))

    done = subprocess.run([dt_validate, "-s", schemas, *cases.values()],
                          capture_output=True, text=True, check=False)
    said = collections.defaultdict(list)
    # FILE: NODE (COMPATIBLE): TEXT, more lines of text, then the schema's address
    for file, text, schema in re.findall(r"^(.+?\.dtb): (.*(?:\n\t.*)*?)\n\tfrom schema \$id: \S+/(\S+\.yaml)",
                                         done.stdout + done.stderr, re.MULTILINE):
        if "dht11@" in text or "dht22-pins" in text:
            said[file].append((schema, " ".join(text.split())))

    for name, file in cases.items():
        faults = [f"{schema}: {text}" for schema, text in said[file] if schema not in TOLERATED]
        if name.startswith("plain"):
            yield from (f"{name}: {fault}" for fault in faults)
        elif name == "label":
            # The binding lists every property it allows and label, which the
            # IIO core reads for any driver, is not among them.
            print("  with a label, which the IIO core reads but dht11.yaml does not list:", *faults or ["nothing"])
        elif not any("'gpios' is a required property" in fault for fault in faults):
            yield f"a sensor without gpios goes unnoticed; dt-validate: {done.stderr.strip()[-200:]}"


def main():
    overlay, work, dt_validate, schemas, *bases = sys.argv[1:]
    faults = []

    print("merged trees" + (", dtmerge too" if shutil.which("dtmerge") else "") + ":")
    for base in bases:
        board = os.path.basename(base)[:-4]
        print(f"  {board}: {', '.join(check.__name__ for check in CHECKS)}")
        faults += [f"{board}: {check.__name__}: {why}" for check, why in failed(CHECKS, Bench(overlay, base, work))]

    if not faults:
        print(f"the checks, on {len(BROKEN)} overlays broken on purpose")
        for what, edit, check in BROKEN:
            if not list(failed([check], Bench(break_overlay(overlay, work, edit), bases[0], work))):
                faults.append(f"{check.__name__} does not notice: {what}")

    print("dt-validate, against the kernel's dht11.yaml:")
    faults += schema_faults(overlay, work, dt_validate, schemas, bases)

    for fault in faults:
        print(f"FAILED {fault}", file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
