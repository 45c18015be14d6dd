"""Writes a bbolt file, once and whole: the key-value format of Trivy's database.

Inner buckets are written inline, within their parent's value, so that the whole tree is one page
with as much overflow as it needs. bbolt reads that at any size and depth, though it would itself
give a big bucket pages of its own.
"""

import struct
from typing import Any

PAGE = 4096
ROOT = 3  # after two meta pages and the list of free pages

_LEAF, _META, _FREELIST = 0x02, 0x04, 0x10

Tree = dict[str, Any]
"""Name -> bytes (a value) or another tree (a bucket)."""


def dump(tree: Tree) -> bytes:
    """Return the file that holds `tree`."""
    root = _leaf(tree, page=ROOT)
    used = -(-len(root) // PAGE)
    freelist = _header(2, _FREELIST).ljust(PAGE, b"\0")
    pages = (_meta(0, ROOT + used), _meta(1, ROOT + used), freelist, root.ljust(used * PAGE, b"\0"))
    return b"".join(pages)


def _leaf(tree: Tree, page: int = 0) -> bytes:
    items = sorted((name.encode(), *_value(value)) for name, value in tree.items())
    heads, body = [], b""
    for index, (key, is_bucket, value) in enumerate(items):
        # a position is counted from the element's own head, which has 16 bytes
        position = 16 * (len(items) - index) + len(body)
        heads.append(struct.pack("<IIII", is_bucket, position, len(key), len(value)))
        body += key + value
    size = 16 + 16 * len(items) + len(body)
    overflow = -(-size // PAGE) - 1 if page else 0
    return _header(page, _LEAF, len(items), overflow) + b"".join(heads) + body


def _value(value: bytes | Tree) -> tuple[int, bytes]:
    if isinstance(value, bytes):
        return 0, value
    return 1, struct.pack("<QQ", 0, 0) + _leaf(value)  # root page 0 means inline


def _header(page: int, kind: int, count: int = 0, overflow: int = 0) -> bytes:
    return struct.pack("<QHHI", page, kind, count, overflow)


def _meta(number: int, pages: int) -> bytes:
    fields = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, ROOT, 0, 2, pages, number + 1)
    checksum = struct.pack("<Q", _fnv64a(fields))
    return (_header(number, _META) + fields + checksum).ljust(PAGE, b"\0")


def _fnv64a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
