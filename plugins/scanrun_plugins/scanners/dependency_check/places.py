"""Which file of the tree a dependency lies in, and where in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scanrun.api import CANARY_DIR, Snapshot
from scanrun_plugins.scanners.dependency_check.report import Dependency, Related

SOURCE = "/src/"

_WINDOWS = re.compile(r"[A-Za-z]:\\|[^/]*$")
_ENDS = re.compile(r"[/?:]")
_ARCHIVE = re.compile(
    r"(?i)(.+?\.(?:jar|war|ear|aar|sar|apk|ipa|nupkg|egg|whl|zip|rpm|deb|gem|crate"
    r"|tar|tgz|tbz2?|gz|bz2|xz|7z))/."
)
_MANIFEST = re.compile(r"(.+?\.(?:txt|lock|toml|cfg|json|xml|mod|gradle|yaml|yml)):")


@dataclass(frozen=True, slots=True)
class Place:
    """A file, and what of it is meant."""

    path: str
    inside: str = ""
    """The whole path as Dependency-Check says it, where it goes on inside the file."""

    @property
    def is_canary(self) -> bool:
        """Say whether this is about a canary, of whichever scanner."""
        return self.path.startswith(f"{CANARY_DIR}/")


class Places:
    """The places of one report.

    `stubs`: files that were planted in the scanned copy -> the file of the tree that they stand
    for. What is found in one is told at the other.
    """

    def __init__(self, snapshot: Snapshot, stubs: Mapping[str, str]) -> None:
        self._known = frozenset(file.path for file in snapshot.files)
        self._stubs = stubs

    def of(self, item: Dependency | Related) -> Place:
        """Return the place that Dependency-Check's `filePath` stands for."""
        told = _plain(item.file_path) or item.file_name
        path = self._file(told)
        if path in self._stubs:
            return Place(self._stubs[path])
        return Place(path, "" if told == path else told)

    def _file(self, told: str) -> str:
        """Return the longest beginning that is a file; where none is known, the likely one."""
        if self._is_file(told):
            return told
        cuts = [match.start() for match in _ENDS.finditer(told)]
        known = (told[:cut] for cut in reversed(cuts) if self._is_file(told[:cut]))
        return next(known, "") or _likely_file(told)

    def _is_file(self, path: str) -> bool:
        return path in self._known or path in self._stubs


def _plain(file_path: str) -> str:
    """Return the path relative to the tree, with forward slashes."""
    if _WINDOWS.match(file_path):
        file_path = file_path.replace("\\", "/")
    return file_path.removeprefix(SOURCE)


def _likely_file(told: str) -> str:
    """Return the file, by the looks of it: `lock?/name:1`, `a.war/b.jar`, `x.txt:Name/1`."""
    path = told.partition("?")[0] or told
    for pattern in (_ARCHIVE, _MANIFEST):
        if match := pattern.match(path):
            path = match[1]
    return path
