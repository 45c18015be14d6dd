"""What a scanner may know when it says what it would run, and its answer whether it would."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from scanrun.model.app import App
from scanrun.model.tree import Snapshot, SnapshotFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """All that a scanner may know when it says what it would run."""

    snapshot: Snapshot
    image: str | None = None
    """Reference, or path to an archive, of the container image to scan."""
    archive: Path | None = None
    """The image as an archive on this host, once it is had."""
    app: App | None = None
    """The application to be scanned while it runs, where one is configured."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The scanner's own validated options (`[scanner.NAME]` less the common keys)."""
    args: tuple[str, ...] = ()
    """Arguments that the configuration adds."""
    configured_image: str = ""
    """Image that the configuration names instead of the scanner's own."""
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
    configured: bool = True
    """False: it lacks a setting, whatever the tree holds."""

    @classmethod
    def to(cls, files: Iterable[SnapshotFile], kind: str = "file") -> Self:
        """Return yes when there are any `files`, with their number as the reason."""
        count = sum(1 for _ in files)
        return cls(count > 0, f"{count or 'no'} {kind}{'' if count == 1 else 's'}")

    @classmethod
    def no(cls, reason: str) -> Self:
        """Return no, for `reason`."""
        return cls(yes=False, reason=reason)
