#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Applies Raspberry Pi overlays and their parameters to a device tree.

    merge.py BASE.dtb OUT.dtb OVERLAY.dtbo[,PARAM[=VALUE]]... [OVERLAY.dtbo...]

An overlay is written as after "dtoverlay=" in config.txt, but as a file:

    merge.py pi.dtb out.dtb iio-focus-dht22.dtbo,gpiopin=17,label=kitchen

fdtoverlay merges fragments but knows no __overrides__; the firmware and its
dtmerge know both. This does what dtmerge does with the kinds of override named
at `override`, refuses the other kinds, and leaves the fragments to fdtoverlay.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the source tree stays as it is

import fdt

UNRESOLVED = 0xFFFFFFFF
FORMATS = {".": ">B", ";": ">H", ":": ">I", "#": ">Q"}
WORDS = {"y": 1, "yes": 1, "on": 1, "true": 1, "down": 1,
         "n": 0, "no": 0, "off": 0, "false": 0, "up": 2}


class Refused(Exception):
    """The overlay or one of its parameters is not acceptable."""


def merge(base, out, overlays):
    """Applies overlays, each "FILE[,PARAM[=VALUE]]...", one after the other."""
    with tempfile.TemporaryDirectory() as scratch:
        ready = []
        for index, overlay in enumerate(overlays):
            file, *params = overlay.split(",")
            tree = fdt.read(file)
            for param in params:
                name, _, value = param.partition("=")
                # config.txt takes a bare parameter as switched on.
                override(tree, name, value if "=" in param else "true")
            strip(tree)
            ready.append(os.path.join(scratch, f"{index}.dtbo"))
            fdt.write(tree, ready[-1])
        done = subprocess.run(["fdtoverlay", "-i", base, "-o", out, *ready],
                              capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"fdtoverlay: {done.stderr.strip() or done.returncode}")


def override(tree, name, value):
    """Assigns one parameter.

    Its property in __overrides__ is a list of <&node>,"target", where target is

        prop            a string
        prop:OFFSET     a number; "." 8, ";" 16, ":" 32, "#" 64 bits
        reg:0           a number that also renames the node to NAME@HEX
        ...{k=v,k=v}    either of them after looking the value up
    """
    overrides = tree.find("/__overrides__")
    data = overrides.props.get(name) if overrides else None
    if data is None:
        raise Refused(f"unknown parameter '{name}'")
    while data:
        (phandle,) = struct.unpack_from(">I", data)
        target, _, data = data[4:].partition(b"\0")
        target = target.decode()
        form = re.fullmatch(r"([\w,#-]+?)(?:([.;:#])(\d+))?(?:\{((?:\w+=\w+,?)+)\})?", target)
        if phandle in (0, UNRESOLVED) or not form:
            raise Refused(f"parameter '{name}': a target such as '{target}' is not supported")
        prop, size, offset, table = form.groups()
        found = value if table is None else lookup(name, table, value)
        path, node = tree.by_phandle(phandle)
        if size:
            assign(tree, path, node, prop, FORMATS[size], int(offset), number(name, found))
        elif prop in ("bootargs", "name", "status") or "\\" in found:
            # dtmerge appends, renames, translates or unescapes here.
            raise Refused(f"parameter '{name}': '{prop}={found}' is not supported")
        else:
            node.props[prop] = found.encode() + b"\0"


def lookup(name, table, word):
    entries = dict(entry.partition("=")[::2] for entry in table.split(",") if entry)
    if word not in entries:
        raise Refused(f"parameter '{name}': '{word}' is none of {', '.join(entries)}")
    return entries[word]


def number(name, text):
    """Reads a number as C's strtoull does with base 0, or one of dtmerge's words."""
    if text in WORDS:
        return WORDS[text]
    try:
        return int(text, 8 if re.fullmatch("0[0-7]+", text) else 0)
    except ValueError:
        raise Refused(f"parameter '{name}': '{text}' is not a number") from None


def assign(tree, path, node, prop, form, offset, value):
    try:
        field = struct.pack(form, value)
    except struct.error:
        raise Refused(f"{value} does not fit into {prop}") from None
    old = node.props.get(prop, b"")
    # "reg" is never created or made longer: on a node without one it only renames.
    if prop != "reg" or len(old) >= offset + len(field):
        old = old.ljust(offset, b"\0")
        node.props[prop] = old[:offset] + field + old[offset + len(field):]
    if prop == "reg" and offset == 0 and "@" in path.rsplit("/", 1)[1]:
        rename(tree, path, f"{path.rsplit('@', 1)[0]}@{value:x}")


def rename(tree, old, new):
    """Renames a node, and with it the places where __fixups__ and __local_fixups__ name it."""
    directory, _, old_name = old.rpartition("/")
    new_name = new.rpartition("/")[2]
    for prefix in ("", "/__local_fixups__"):
        parent = tree.find(prefix + directory)
        if parent:
            parent.children = {new_name if name == old_name else name: child
                               for name, child in parent.children.items()}
    fixups = tree.find("/__fixups__")
    for symbol in fixups.props if fixups else ():
        places = (re.sub(rf"^{re.escape(old)}(?=[/:])", new, place) for place in fixups.strings(symbol))
        fixups.props[symbol] = "".join(f"{place}\0" for place in places).encode()


def strip(tree):
    """Drops what dtmerge does not merge either: the parameters and, as nothing exports them, the labels."""
    for name in ("__overrides__", "__symbols__"):
        tree.children.pop(name, None)
    local = tree.find("/__local_fixups__")
    if local:
        local.children.pop("__overrides__", None)


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: merge.py BASE.dtb OUT.dtb OVERLAY.dtbo[,PARAM[=VALUE]]... [OVERLAY.dtbo...]")
    try:
        merge(sys.argv[1], sys.argv[2], sys.argv[3:])
    except (OSError, ValueError, KeyError, Refused) as why:
        sys.exit(f"merge.py: {why}")


if __name__ == "__main__":
    main()
