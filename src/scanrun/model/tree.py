"""What is scanned: the files, what was left out of them, and what a scanner may know."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

CANARY_DIR = ".scanrun-canary"
"""Folder, in the scanned copy only, that holds `CANARY_DIR/SCANNER/FILE` for each canary."""


RESERVED = "reserved for scanrun"


_UNREAD = frozenset(
    {"unreadable", "vanished", "path too long", "submodule not checked out", RESERVED}
)
"""Rules that nobody chose: what they leave out should have been scanned."""


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """One file that scanners are given.

    `path` is relative to the root, with `/`; bytes that are no UTF-8 are surrogate escapes, so
    that `os.fsencode` gives the name back exactly.
    """

    path: str
    size: int
    mode: int = 0o644

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One thing no scanner is given, and the rule that left it out (`git ignore`, `link`, …)."""

    path: str
    rule: str


@dataclass(frozen=True, slots=True)
class Tell:
    """A file of the tree that would change a scan."""

    path: str
    scanner: str
    effect: str
    left_out: bool = True
    """It is left out of the scanned copy; else the scanner is told not to heed it."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Bytes that read otherwise in the scanned copy, at equal length: every place stays as it is.

    For what a tool heeds in a file and can't be told not to. `files`: see `Snapshot.match`. The
    other scanners read the same copy, so it must be something that means nothing to them.
    """

    files: tuple[str, ...]
    old: bytes
    new: bytes

    def __post_init__(self) -> None:
        if not self.old or len(self.old) != len(self.new):
            raise ValueError(f"{self.new!r} is not as long as {self.old!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The tree as it was walked, once. Files are sorted by path."""

    root: Path
    files: tuple[SnapshotFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    tells: tuple[Tell, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    """What reads otherwise in the scanned copy."""
    commit: str | None = None
    dirty: bool | None = None
    """Whether `files` are not exactly those of `commit`. None where there is no commit."""
    repository: str = ""
    """Address of the repository, without user and password; empty where nobody knows it."""
    notes: tuple[str, ...] = ()
    """What the plan has to tell of the walk itself (git is broken: every file is taken)."""

    def match(self, *patterns: str) -> tuple[SnapshotFile, ...]:
        """Return the files whose name (no `/` in the pattern) or whole path fits a pattern.

        Patterns are `fnmatch`'s, upper and lower case kept apart; `*` also crosses `/`.
        """
        return tuple(file for file in self.files if _fits(file, patterns))

    @property
    def unread(self) -> tuple[str, ...]:
        """Return what should have been scanned and can't be, each path with its reason."""
        return tuple(
            f"{each.path!r} ({each.rule})" for each in self.left_out if each.rule in _UNREAD
        )

    @property
    def size(self) -> int:
        """Return the sum of all file sizes, in bytes."""
        return sum(file.size for file in self.files)


def _fits(file: SnapshotFile, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(file.path if "/" in each else file.name, each) for each in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """All that a scanner may know when it says what it would run."""

    snapshot: Snapshot
    image: str | None = None
    """Reference, or path to an archive, of the container image to scan."""
    archive: Path | None = None
    """The image as an archive on this host, once it is had."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The scanner's own validated options (`[scanner.NAME]` less the common keys)."""
    args: tuple[str, ...] = ()
    """Arguments that the configuration adds."""
    memory_mb: int | None = None
    """What the configuration allows each step; None where it says nothing."""
    offline: bool = False

    @property
    def files(self) -> tuple[SnapshotFile, ...]:
        """Return the files of the snapshot."""
        return self.snapshot.files

    def match(self, *patterns: str) -> tuple[SnapshotFile, ...]:
        """Return the snapshot's files that fit; see `Snapshot.match`."""
        return self.snapshot.match(*patterns)


@dataclass(frozen=True, slots=True)
class Applies:
    """Whether there is anything for a scanner to do, and why (or why not)."""

    yes: bool
    reason: str

    @classmethod
    def to(cls, files: Iterable[SnapshotFile], kind: str = "file") -> Self:
        """Return yes when there are any `files`, with their number as the reason."""
        count = sum(1 for _ in files)
        return cls(count > 0, f"{count or 'no'} {kind}{'' if count == 1 else 's'}")

    @classmethod
    def no(cls, reason: str) -> Self:
        """Return no, for `reason`."""
        return cls(yes=False, reason=reason)
