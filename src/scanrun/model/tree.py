"""What is scanned: the files, what was left out of them, and what a scanner may know."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

CANARY_DIR = ".scanrun-canary"
"""Folder, in the scanned copy only, that holds `CANARY_DIR/SCANNER/FILE` for each canary."""


RESERVED = "reserved for scanrun"
OWN_TRACKED = "tracked in scanrun's own folder"


_UNREAD = frozenset(
    {
        "unreadable",
        "vanished",
        "path too long",
        "submodule not checked out",
        RESERVED,
        OWN_TRACKED,
    }
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
    heeded: tuple[str, object] = ("", "")
    """See `Influence`."""


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
