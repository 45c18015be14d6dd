"""Names and folders that only a stranger makes."""

import os
import re
from pathlib import Path

BAD = b"import subprocess\nsubprocess.call(input(), shell=True)\n"
"""One finding of Bandit's (B602) and of Ruff's (S602), on line 2."""
NAMES = (
    b"new\nline.py",
    b"x\npassed: no findings at high or above\n.py",
    b"\x1b[31mred\x1b[0m\x1b]0;title\x07.py",
    b"caf\xe9.py",
    b"n" * 252 + b".py",
    "\u202egnp.py".encode(),
    "\x85\x9b31m.py".encode(),
    b"sp ace%20#?&.py",
    b"a:b\\c.py",
    b"-rf.py",
    b"\"quote'`$(id).py",
    b"<script>alert(1)<!--]]>.py",
    b"tab\t\x01\x7f.py",
    b"::error::[x](http:||x).py",
)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\udc80-\udcff]")


def make(root, path, content=BAD):
    place = Path(root) / os.fsdecode(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def make_deep(root, name, levels):
    """Make folders as deep as no path can say; return where it ended."""
    at = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    with os.fdopen(os.open("deep.py", os.O_WRONLY | os.O_CREAT, dir_fd=at), "wb") as stream:
        stream.write(BAD)
    os.close(at)
