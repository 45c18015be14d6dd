"""detect-secrets: secrets in a working tree. Its report names places, never the secret.

https://github.com/Yelp/detect-secrets
"""

import codecs
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path, PurePosixPath

import msgspec

from scanrun.api import (
    Applies,
    Canary,
    Category,
    ConversionError,
    Driver,
    Notification,
    Outputs,
    Result,
    Rule,
    Scanner,
    Severity,
    Sign,
    Snapshot,
    Step,
    Target,
    hookimpl,
    read_json,
    result,
    rule,
)

IMAGE = "scanrun/detect-secrets:1.5.0"
REPORT = "/out/secrets.json"
ALL = "/out/all.json"

_SHUT = ("heuristic.is_lock_file", "heuristic.is_swagger_file")
"""Filters that would pass over whole files."""
_PRIVATE_KEY = 321
_CREDENTIALS = 798
_CHECKSUM_FILES = ("*-lock.*", "*.lock", "go.sum", "npm-shrinkwrap.json")
"""Full of checksums, which look as random as secrets do."""
_GUESSED = ("Base64 High Entropy String", "Hex High Entropy String")
_PASSED_OVER = frozenset(
    {".css", ".iml", ".ipr", ".iws", ".lock", ".map", ".prefs", ".sum", ".svg"}
)
"""Text all the same, and never searched: nothing switches that off."""
_NAMED = 5
_HEAD = 8192


class _Secret(msgspec.Struct):
    """The hash has no salt: it tells two secrets apart here, and is never passed on."""

    type: str
    filename: str
    hashed_secret: str
    line_number: int

    @property
    def identity(self) -> tuple[str, str, str]:
        return (self.filename, self.type, self.hashed_secret)


class _Plugin(msgspec.Struct):
    name: str


class _Report(msgspec.Struct):
    version: str
    plugins_used: list[_Plugin]
    results: dict[str, list[_Secret]]


class DetectSecrets:
    """Scans every text file, offline: found tokens are never tried at their vendors."""

    name = "detect-secrets"
    category = Category.SECRET
    driver = Driver(
        "detect-secrets", "detect-secrets", "Yelp", "https://github.com/Yelp/detect-secrets"
    )
    on_request = False
    embedded = True
    signs = (Sign(r"Traceback \(most recent call last\)|No plugins to scan with", "it failed"),)

    def applies(self, target: Target) -> Applies:
        """Apply to any file."""
        return Applies.to(target.files)

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Scan, then scan again without heeding comments that allow a secret.

        The difference is what they allow. Its own `--only-allowlisted` fails on any empty file.
        """
        return (
            _step("scan", REPORT, _SHUT, target),
            _step("all", ALL, (*_SHUT, "allowlist.is_line_allowlisted"), target),
        )

    def canary(self) -> Canary:
        """Return a made-up key, put together here so that no key-shaped text is stored."""
        key = b"AKIA" + b"SCANRUN7" + b"Q2X4H9WZ"
        return Canary({"canary.py": b"key = '" + key + b"'\n"}, rule_id="aws-access-key")

    def version(self, outputs: Outputs) -> str:
        """Return the version in the report."""
        return _read(outputs[REPORT]).version

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield each secret, and say which files were not searched for being no UTF-8 text."""
        yield from _not_searched(outputs.snapshot)
        known: set[str] = set()
        for path, found in sorted(_secrets(outputs).items()):
            numbers: Counter[str] = Counter()
            for line, kind, allowed in sorted(found):
                numbers[kind] += 1
                if kind not in known:
                    known.add(kind)
                    yield _rule(kind)
                yield _result(path, line, kind, numbers[kind], allowed=allowed)


def _step(name: str, report: str, shut: tuple[str, ...], target: Target) -> Step:
    filters = (("--disable-filter", f"detect_secrets.filters.{each}") for each in shut)
    flags = ("--all-files", "--no-verify", *chain.from_iterable(filters))
    return Step(
        name=name,
        image=IMAGE,
        pulled=False,
        executable="detect-secrets",
        argv=("-c", "2", "scan", *flags, *target.args, "."),
        workdir="/src",
        outputs=(report,),
        stdout=report,
    )


def _secrets(outputs: Outputs) -> dict[str, list[tuple[int, str, bool]]]:
    """Return path -> line, kind and whether a comment allows it."""
    plain = list(_found(outputs[REPORT]))
    known = {secret.identity for secret in plain}
    # a report converted by hand has one part only; an engine never leaves one out
    everything = _found(outputs[ALL]) if ALL in outputs else ()
    allowed = [secret for secret in everything if secret.identity not in known]
    secrets: dict[str, list[tuple[int, str, bool]]] = {}
    for hidden, part in ((False, plain), (True, allowed)):
        for secret in part:
            place = secret.filename.removeprefix("./")
            secrets.setdefault(place, []).append((secret.line_number, secret.type, hidden))
    return secrets


def _found(path: Path) -> Iterator[_Secret]:
    return chain.from_iterable(_read(path).results.values())


def _read(path: Path) -> _Report:
    report = read_json(path, _Report)
    if not report.plugins_used:
        raise ConversionError("the report says that no detector was on")
    return report


def _rule(kind: str) -> Rule:
    cwe = _PRIVATE_KEY if kind == "Private Key" else _CREDENTIALS
    return rule(
        _id(kind),
        short=kind,
        full=f"A {kind} lies in the tree.",
        help_text="Revoke the secret, then take it out of the tree and of its history.",
        severity=Severity.HIGH,
        category=Category.SECRET,
        cwe=(cwe,),
        help_uri="https://github.com/Yelp/detect-secrets#viewing-all-enabled-plugins",
    )


def _result(path: str, line: int, kind: str, number: int, *, allowed: bool) -> Result:
    checksum = kind in _GUESSED and _holds_checksums(path)
    return result(
        _id(kind),
        f"{kind} in a file of checksums" if checksum else f"{kind} in the clear",
        path=path,
        severity=Severity.INFO if checksum else Severity.HIGH,
        line=max(1, line),
        identity={"secretOrdinal/v1": f"{_id(kind)}:{number}"},
        suppressed="allowlisted by a comment" if allowed else None,
    )


def _id(kind: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")


def _holds_checksums(path: str) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) for pattern in _CHECKSUM_FILES)


def _not_searched(snapshot: Snapshot) -> Iterator[Notification]:
    """Say what it passes over without a word: it only reads UTF-8, and not all of it."""
    found: dict[str, list[str]] = {}
    for file in snapshot.files:
        passed = PurePosixPath(file.name).suffix.lower() in _PASSED_OVER
        kind = "passed over" if passed else _kind(snapshot.root / file.path)
        found.setdefault(kind, []).append(file.path)
    if binaries := found.get("binary"):
        yield Notification(f"not searched: {len(binaries)} binary files", level="note")
    if passed_over := found.get("passed over"):
        text = f"not searched, for their suffix: {_names(passed_over)}"
        yield Notification(text, level="note")
    if others := [*found.get("other text", ()), *found.get("unreadable", ())]:
        yield Notification(f"not searched, for they are no UTF-8: {_names(others)}")


def _names(paths: list[str]) -> str:
    named = ", ".join(paths[:_NAMED]) + (", …" if len(paths) > _NAMED else "")
    return f"{len(paths)} file{'' if len(paths) == 1 else 's'} ({named})"


def _kind(path: Path) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return "unreadable"
            head = chunk = stream.read(_HEAD)
            while chunk:
                decoder.decode(chunk)
                chunk = stream.read(1 << 20)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "binary" if b"\0" in head else "other text"
    except OSError:
        return "unreadable"
    return "text"


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add detect-secrets."""
    return [DetectSecrets()]
