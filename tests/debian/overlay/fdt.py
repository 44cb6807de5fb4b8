# SPDX-License-Identifier: MIT
"""Flattened device trees, read and written with the standard library alone.

Layout: Devicetree Specification v0.4, chapter 5.
"""

import struct

MAGIC = 0xD00DFEED
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9
HEADER = struct.Struct(">10I")


class Node:
    """A node: its properties as bytes, its children by name, both in order."""

    def __init__(self):
        self.props = {}
        self.children = {}

    def find(self, path):
        """The node at an absolute path, or None."""
        node = self
        for name in filter(None, path.split("/")):
            node = node.children.get(name) if node else None
        return node

    def walk(self, path=""):
        """Every (path, node) from here down, this one included."""
        yield path or "/", self
        for name, child in self.children.items():
            yield from child.walk(f"{path}/{name}")

    def by_phandle(self, phandle):
        """(path, node) of a phandle; KeyError when nothing has it."""
        for path, node in self.walk():
            if node.cells("phandle") == [phandle]:
                return path, node
        raise KeyError(f"no node has the phandle {phandle}")

    def cells(self, prop):
        """A property as 32-bit numbers, or None without it."""
        value = self.props.get(prop)
        if value is None:
            return None
        if len(value) % 4:
            raise ValueError(f"{prop} is not made of cells")
        return list(struct.unpack(f">{len(value) // 4}I", value))

    def string(self, prop):
        """A property as its one string, or None without it."""
        value = self.props.get(prop)
        if value is None:
            return None
        if value.count(b"\0") != 1 or not value.endswith(b"\0"):
            raise ValueError(f"{prop} is not one string")
        return value[:-1].decode()

    def strings(self, prop):
        """A property as a list of strings, empty without it."""
        return self.props.get(prop, b"").decode().split("\0")[:-1]


def read(file):
    """The root of the tree in a file; ValueError when it holds none."""
    with open(file, "rb") as f:
        blob = f.read()
    try:
        return _parse(blob)
    except (IndexError, struct.error, ValueError) as why:
        raise ValueError(f"{file}: not a device tree ({why})") from why


def _parse(blob):
    magic, size, at, names, *_ = HEADER.unpack_from(blob)
    if magic != MAGIC or size > len(blob):
        raise ValueError("wrong magic number or length")

    def text(start):
        return blob[start:blob.index(b"\0", start)].decode()

    open_nodes = [Node()]
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        at += 4
        if token == BEGIN_NODE:
            name, node = text(at), Node()
            open_nodes[-1].children[name] = node
            open_nodes.append(node)
            at += _padded(len(name.encode()) + 1)
        elif token == PROP:
            length, name = struct.unpack_from(">2I", blob, at)
            at += 8
            open_nodes[-1].props[text(names + name)] = blob[at:at + length]
            at += _padded(length)
        elif token == END_NODE:
            open_nodes.pop()
        elif token == END:
            return open_nodes[0].children[""]
        elif token != NOP:
            raise ValueError(f"unknown token {token}")


def write(root, file):
    """Writes a tree without memory reservations, which overlays never have."""
    struct_block, names = bytearray(), bytearray()
    offsets = {}

    def emit(name, node):
        struct_block.extend(struct.pack(">I", BEGIN_NODE) + _pad(name.encode() + b"\0"))
        for prop, value in node.props.items():
            if prop not in offsets:
                offsets[prop] = len(names)
                names.extend(prop.encode() + b"\0")
            struct_block.extend(struct.pack(">3I", PROP, len(value), offsets[prop]) + _pad(value))
        for child in node.children.items():
            emit(*child)
        struct_block.extend(struct.pack(">I", END_NODE))

    emit("", root)
    struct_block.extend(struct.pack(">I", END))
    reservations = bytes(16)
    at = HEADER.size + len(reservations)
    header = HEADER.pack(MAGIC, at + len(struct_block) + len(names), at, at + len(struct_block),
                         HEADER.size, 17, 16, 0, len(names), len(struct_block))
    with open(file, "wb") as f:
        f.write(header + reservations + struct_block + names)


def _padded(length):
    return (length + 3) & ~3


def _pad(value):
    return value.ljust(_padded(len(value)), b"\0")
