"""detect-secrets: secrets in a working tree. Its report names places, never the secret.

https://github.com/Yelp/detect-secrets
"""

import codecs
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path, PurePosixPath

import msgspec

from scanrun.api import (
    Applies,
    Canary,
    Category,
    ConversionError,
    Driver,
    Influence,
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
_CHECKSUM_FILES = frozenset(
    {
        ".package-lock.json",
        "Cargo.lock",
        "Gemfile.lock",
        "Pipfile.lock",
        "Podfile.lock",
        "bun.lock",
        "composer.lock",
        "conda-lock.yml",
        "deno.lock",
        "flake.lock",
        "go.sum",
        "mix.lock",
        "npm-shrinkwrap.json",
        "package-lock.json",
        "pdm.lock",
        "pixi.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "pubspec.lock",
        "uv.lock",
        "yarn.lock",
    }
)
"""Full of checksums, which look as random as secrets do. Whole names: a `redis-lock.js` is code."""
_GUESSED = ("Base64 High Entropy String", "Hex High Entropy String")
_SUFFIXES = (
    "7z bin bmp bz2 class css dmg doc eot exe gif gz ico iml ipr iws jar jpeg jpg lock map mo pdf"
    " png prefs psd rar realm s7z sum svg tar tif tiff ttf webp woff xls xlsx zip"
)
_PASSED_OVER = frozenset(f".{each}" for each in _SUFFIXES.split(" "))
"""Suffixes of files that are never searched, text or not: nothing switches that off."""
_CONFIGURATIONS = frozenset({"pyproject.toml", "scanrun.toml"})
_FINGERPRINT = re.compile(rb"""\s*fingerprint\s*=\s*["'][0-9a-f]{32}["']\s*(?:#.*)?""")
"""A whole line of a waiver."""
_NAMED = 5
_HEAD = 8192
_SMALL = 1 << 20


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

    tells: Mapping[str, Influence] = {
        ".secrets.baseline": Influence(effect="lists secrets to pass over", left_out=False)
    }

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
                harmless = _why_harmless(outputs.snapshot, path, line, kind)
                yield _result(path, line, kind, numbers[kind], harmless, allowed=allowed)


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
        help_text=(
            "Revoke the secret, then take it out of the tree and of its history."
            " Of a secret that stands in a file several times, only the first place is named."
        ),
        severity=Severity.HIGH,
        category=Category.SECRET,
        cwe=(cwe,),
        help_uri="https://github.com/Yelp/detect-secrets#viewing-all-enabled-plugins",
    )


def _result(
    path: str, line: int, kind: str, number: int, harmless: str, *, allowed: bool
) -> Result:
    return result(
        _id(kind),
        f"{kind} {harmless or 'in the clear'}",
        path=path,
        severity=Severity.INFO if harmless else Severity.HIGH,
        line=max(1, line),
        identity={"secretOrdinal/v1": f"{_id(kind)}:{number}"},
        suppressed="allowlisted by a comment" if allowed else None,
    )


def _why_harmless(snapshot: Snapshot, path: str, line: int, kind: str) -> str:
    """Return why a guess is none, where the place tells.

    A waiver by fingerprint looks as random as a secret: without this it would make a finding of
    its own, to be waived by its fingerprint.
    """
    if kind not in _GUESSED:
        return ""
    name = path.rpartition("/")[2]
    if name in _CHECKSUM_FILES:
        return "in a file of checksums"
    if name in _CONFIGURATIONS and _FINGERPRINT.fullmatch(_line(snapshot.root / path, line)):
        return "in a waiver: a finding's fingerprint"
    return ""


def _line(path: Path, number: int) -> bytes:
    """Return one line of a small file; nothing where it can't be had."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            lines = stream.read(_SMALL).splitlines()
    except OSError:
        return b""
    return lines[number - 1] if 0 < number <= len(lines) else b""


def _id(kind: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")


def _not_searched(snapshot: Snapshot) -> Iterator[Notification]:
    """Say what it passes over without a word: it only reads UTF-8, and not all of it."""
    found: dict[str, list[str]] = {}
    for file in snapshot.files:
        kind = _kind(snapshot.root / file.path)
        if kind != "binary" and PurePosixPath(file.name).suffix.lower() in _PASSED_OVER:
            kind = "passed over"
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
