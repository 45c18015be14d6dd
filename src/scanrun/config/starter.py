"""The first `scanrun.toml` of a tree: short, commented, and fitted to what lies there."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from scanrun.model import SnapshotFile

KINDS = {
    ".py": "Python",
    ".js": "JavaScript",
    ".jsx": "JavaScript",
    ".mjs": "JavaScript",
    ".ts": "TypeScript",
    ".tsx": "TypeScript",
    ".java": "Java",
    ".kt": "Kotlin",
    ".go": "Go",
    ".rs": "Rust",
    ".rb": "Ruby",
    ".php": "PHP",
    ".cs": "C#",
    ".c": "C",
    ".cc": "C++",
    ".cpp": "C++",
    ".swift": "Swift",
    ".sh": "shell",
    ".tf": "Terraform",
}
LOCKS = frozenset(
    {
        "Cargo.lock",
        "Gemfile.lock",
        "Pipfile.lock",
        "composer.lock",
        "go.sum",
        "gradle.lockfile",
        "package-lock.json",
        "packages.lock.json",
        "pnpm-lock.yaml",
        "poetry.lock",
        "requirements.txt",
        "uv.lock",
        "yarn.lock",
    }
)
VENDORED = frozenset(
    {"bower_components", "external", "node_modules", "third-party", "third_party", "vendor"}
)
"""Folders whose content somebody else wrote."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scanner, and whether it has anything to do here."""

    name: str
    applies: bool
    reason: str
    on_request: bool = False


def starter(files: Sequence[SnapshotFile], candidates: Iterable[Candidate]) -> str:
    """Return the text of a `scanrun.toml`.

    A line that begins with `#` and a key is a suggestion: without the `#` it is valid.
    """
    known = tuple(candidates)
    running = [each.name for each in known if each.applies and not each.on_request]
    lines = [*_head(files), "", "[scan]", *_scanners(known)]
    lines += [f"#required = {json.dumps(running)}", *_exclusions(files), ""]
    lines += _tail(next(iter(running or [each.name for each in known]), "NAME"))
    return "\n".join(lines) + "\n"


def _head(files: Sequence[SnapshotFile]) -> list[str]:
    return [
        "# What scanrun does here. All there is to say: docs/configuration.md, or",
        "# `scanrun config schema`; what is in force, and why: `scanrun config show`.",
        "# Take the `#` away to use a line that begins with `#` and a key.",
        "#",
        f"# Found: {', '.join(_found(files)) or 'no file of a kind that is known here'}.",
    ]


def _found(files: Sequence[SnapshotFile]) -> Iterator[str]:
    kinds = Counter(KINDS.get(PurePosixPath(file.path).suffix.lower()) for file in files)
    for kind, count in sorted(kinds.items(), key=lambda each: (-each[1], str(each[0]))):
        if kind is not None:
            yield _count(count, f"{kind} file")
    locks = Counter(file.name for file in files if file.name in LOCKS)
    yield from (name if n == 1 else f"{n} {name}" for name, n in sorted(locks.items()))
    workflows = [file for file in files if file.path.startswith(".github/workflows/")]
    if workflows:
        yield _count(len(workflows), "workflow")
    images = [
        file for file in files if file.name.lower().startswith(("dockerfile", "containerfile"))
    ]
    if images:
        yield _count(len(images), "Dockerfile")


def _scanners(candidates: Iterable[Candidate]) -> Iterator[str]:
    yield "# `scanrun all` runs every scanner that applies, so that nothing needs to be listed:"
    for each in candidates:
        if each.on_request:
            verdict = "on request: `scanrun scan " + each.name + "`, or `required`"
        else:
            verdict = f"{'runs' if each.applies else 'has nothing to do'}: {_plain(each.reason)}"
        yield f"#   {each.name:<16} {verdict}"
    yield "# Those that must complete, whatever applies:"


def _exclusions(files: Sequence[SnapshotFile]) -> Iterator[str]:
    """Suggest the folders of other people's code; names that could end a comment drop out."""
    inside: Counter[str] = Counter()
    for file in files:
        parts = PurePosixPath(file.path).parts[:-1]
        depth = next((n for n, part in enumerate(parts, 1) if part in VENDORED), 0)
        if depth:
            inside["/".join(parts[:depth]) + "/"] += 1
    plain = {folder: n for folder, n in sorted(inside.items()) if folder == _plain(folder)}
    if plain:
        total = _count(sum(plain.values()), "file")
        yield f"# Somebody else's code, by the folders' names ({total}); excluded is not checked:"
        yield f"#exclude = {json.dumps(list(plain)[:20])}"
    else:
        yield "# Paths that no scanner is given:"
        yield '#exclude = ["tests/data/"]'


def _tail(scanner: str) -> list[str]:
    return [
        "[gate]",
        "# The lowest severity that fails: critical, high, medium, low, info or never.",
        'fail_on = "high"',
        "",
        "# A rule that weighs more, or less, here than its scanner thinks:",
        f"#[scanner.{scanner}.severity]",
        '#RULE-ID = "low"',
        "",
        "# A finding to live with, by its rule (or CVE), or by its fingerprint. It is kept and",
        "# shown as suppressed, with the reason; from the day it expires it counts again.",
        "#[[waiver]]",
        '#id = "CVE-0000-00000"',
        '#reason = "why this is acceptable here"',
        "#expires = 2099-12-31",
    ]


def _plain(text: str) -> str:
    """Return text that stays within its line: what lies in a tree has names of its own choice."""
    return "".join(char for char in text if char.isprintable())[:200]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
