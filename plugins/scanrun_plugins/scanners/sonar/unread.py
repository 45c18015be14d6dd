"""What the scanner left out, and tells of in its log alone: the analysis succeeds all the same."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scanrun.api import Notification, Proof, Snapshot
from scanrun_plugins.scanners.sonar.refusals import one_line

_FAILED = re.compile(
    rb"^\S+ (?:ERROR|WARN):?\s+"
    rb"((?:Unable to|Failed to|Could not|Cannot|Can't) (?:parse|analy[sz]e|read|process)\b.*"
    rb"|Your project contains .{1,20} files which cannot be analy[sz]ed\b.*)"
)
"""Of a file, or of a whole language: C# is indexed and counted, and only its own scanner looks."""
_PASSED_OVER = re.compile(
    rb"^\S+ (?:INFO|WARN):?\s+((?:[1-9]\d* files? ignored because of|File .* is bigger than).*)"
)
_NARROWING = re.compile(
    r"(?:xclusions|nclusions|\.issue\.(?:ignore|enforce)\b.*|\.sources|\.tests)$"
)
_LONGEST = 64 << 10
_SHOWN = 20
_SILENCING = re.compile(rb'@SuppressWarnings\s*\([^)]{0,2000}"(?:all|(?:java|squid):)')
_LARGEST = 5 << 20
"""Larger sources nobody writes, and the scanner passes them over."""


def unread(log: Path) -> Iterator[Notification]:
    """Yield a word on what was not looked at; on what can't be read, an error."""
    failed, passed_over = dict[str, None](), dict[str, None]()
    with log.open("rb") as stream:
        while line := stream.readline(_LONGEST):
            if match := _FAILED.match(line):
                failed[_text(match[1])] = None
            elif match := _PASSED_OVER.match(line):
                passed_over[_text(match[1])] = None
    for text in [*failed][:_SHOWN]:
        yield Notification(f"not analysed: {text}", "error", proof=Proof.SIGNS)
    if len(failed) > _SHOWN:
        more = f"not analysed: {len(failed) - _SHOWN} more files"
        yield Notification(more, "error", proof=Proof.SIGNS)
    for text in [*passed_over][:_SHOWN]:
        yield Notification(f"the scanner says: {text}")


def narrowed(properties: Mapping[str, str]) -> Iterator[Notification]:
    """Yield a word on configured properties that keep files or issues out."""
    for name in sorted(properties):
        if _NARROWING.search(name):
            value = one_line(properties[name], 200)
            yield Notification(f"kept out by your properties: {name} = {value}")


def silenced(snapshot: Snapshot) -> Iterator[Notification]:
    """Yield a word on Java files that hide findings by an annotation, which is heeded."""
    found = [file.path for file in snapshot.match("*.java") if _silences(snapshot.root / file.path)]
    if found:
        names = ", ".join(repr(one_line(path, 200)) for path in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield Notification(f"@SuppressWarnings may hide findings from SonarQube in {names}{more}")


def _silences(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            return _SILENCING.search(stream.read(_LARGEST)) is not None
    except OSError:
        return False  # what can't be read was not in the scanned copy


def _text(line: bytes) -> str:
    return one_line(line.decode("utf-8", "replace"))
