"""What Trivy's secret scanner is told to look at, and what it passes by all the same."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from scanrun.api import Notification, Snapshot

CANARY_TOKEN = "SCANRUN-CANARY-1"  # noqa: S105 - made up, and matched by our own rule only
CANARY_SECRET_RULE = "scanrun-canary"  # noqa: S105 - the name of a rule

RULES = rf"""
rules:
  - id: {CANARY_SECRET_RULE}
    category: general
    title: made-up secret that shows the secret scanner at work
    severity: LOW
    regex: {CANARY_TOKEN[:-1]}[0-9]+
  # Trivy's own rule of this name wants a blank, a quote or a comma after the key
  - id: aws-access-key-id
    category: AWS
    title: AWS Access Key ID
    severity: CRITICAL
    regex: \b(?P<key>(?:A3T[A-Z0-9]|AKIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ASIA)[A-Z0-9]{{16}})\b
    secret-group-name: key
    allow-rules:
      - id: scanrun-documentation-key
        description: the key of the vendor's own documentation
        regex: ^AKIA[A-Z0-9]{{9}}EXAMPLE$
"""
"""Ours come on top of Trivy's own."""

TREE_RULES = f"""
# by these, Trivy passes by whole paths; what is committed there is no less public
disable-allow-rules:
  [tests, examples, vendor, usr-dirs, locale-dir, markdown, node.js, golang, python, rubygems,
   wordpress, anaconda-log]
{RULES}"""
"""In an image these allow rules stand for what the distribution brought, and stay."""

_LOCKS = frozenset({
    "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "Pipfile.lock", "Gemfile.lock",
    "go.mod", "go.sum",
})  # fmt: skip
_ENDINGS = frozenset({
    ".png", ".jpg", ".gif", ".svg", ".pdf", ".doc", ".zip", ".gz", ".gzip", ".tar", ".bin",
    ".deb", ".rpm", ".socket",
})  # fmt: skip
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 300
_BINARY = bytes(sorted({*range(32)} - {*b"\b\t\n\f\r\x1b"}))
_SHOWN = 20

_Group = tuple[str, str]
"""What is said of files, and how loud."""
_BY_NAME: _Group = ("lock files, by their name", "note")
_BY_ENDING: _Group = ("images and archives, by their name", "note")
_INSTALLED: _Group = ("files below node_modules", "note")
_IS_BINARY: _Group = ("binary files", "note")
_IS_UTF16: _Group = ("text in UTF-16, which looks binary to trivy", "warning")


def unsearched(snapshot: Snapshot) -> Iterator[Notification]:
    """Yield a word for each kind of file in which Trivy looks for no secret."""
    groups: dict[_Group, list[str]] = {}
    for file in snapshot.files:
        if group := _group(snapshot.root, file.path):
            groups.setdefault(group, []).append(file.path)
    for (what, level), paths in groups.items():
        yield Notification(f"no secret was looked for in {what}: {listed(paths)}", level)


def listed(paths: Iterable[str], shown: int = _SHOWN) -> str:
    """Return the paths as text, the first `shown` of them by name."""
    names = [*paths]
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(repr(name) for name in names[:shown]) + more


def _group(root: Path, path: str) -> _Group | None:
    place = PurePosixPath(path)
    if "node_modules" in place.parts:
        return _INSTALLED
    if place.name in _LOCKS:
        return _BY_NAME
    if place.suffix in _ENDINGS:
        return _BY_ENDING
    head = _head(root / path)
    if head.startswith(_UTF16):
        return _IS_UTF16
    return _IS_BINARY if head.translate(None, _BINARY) != head else None


def _head(path: Path) -> bytes:
    """Return the first bytes of a file; of one that is gone by now, or can't be read, none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _HEAD)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
