"""On which line of a lock file or manifest a package stands."""

import os
import re
import stat
from collections.abc import Callable
from functools import lru_cache

from scanrun.api import Snapshot
from scanrun_plugins.scanners.dependency_check.packages import Package

_LARGEST = 16 << 20
_FILES_KEPT = 4
_SEPARATORS = re.compile(r"(?:\\?[-_.])+")
_NEAR = 400
"""A lock file says the version right below the name."""


class Lines:
    """Finds packages in the files of a snapshot, read as they are."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._root = snapshot.root
        self._known = frozenset(file.path for file in snapshot.files)
        self._text = lru_cache(_FILES_KEPT)(self._read)

    def of(self, path: str, package: Package) -> int | None:
        """Return the line where the package stands; None where the file does not tell it."""
        name = path.rpartition("/")[2]
        patterns = next((made for fits, made in _PATTERNS if fits.fullmatch(name)), None)
        if patterns is None or path not in self._known or not package.short_name:
            return None
        text = self._text(path)
        at = _found(text, patterns(re.escape(package.short_name)), package.version)
        return None if at is None else text.count("\n", 0, at) + 1

    def _read(self, path: str) -> str:
        """Return the text of a file of the tree: no link, and nothing but a regular file."""
        try:
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return ""
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return ""
            return stream.read(_LARGEST).decode("utf-8", "replace")


def _found(text: str, pattern: str, version: str) -> int | None:
    """Return where the name stands beside that version; beside none, where it stands first."""
    first = None
    for match in re.finditer(pattern, text, re.MULTILINE):
        at = match.start("name")
        if first is None:
            first = at
        if _says(text[match.end() : match.end() + _NEAR], version):
            return at
    return first


def _says(text: str, version: str) -> bool:
    """Say whether the first version in `text` is the one, as far as a version is known."""
    stated = re.search(r"\d[\w.+-]*", text)
    return stated is not None and stated[0] == version.removeprefix("v")


def _npm_lock(name: str) -> str:
    """Version 2 and 3 name the folder, version 1 the package."""
    return rf'^[ \t]*"(?P<name>(?:[^"\n]*node_modules/)?{name})"[ \t]*:[ \t]*\{{'


def _json(name: str) -> str:
    return rf'"(?P<name>{name})"[ \t]*:'


def _yarn_lock(name: str) -> str:
    return rf'^"?(?P<name>{name})@[^\n]*'


def _pnpm_lock(name: str) -> str:
    return rf"^[ \t]+['\"]?/?(?P<name>{name})[@/]"


def _maven(name: str) -> str:
    return rf"<artifactId>\s{{0,99}}(?P<name>{name})\s{{0,99}}</artifactId>"


def _python(name: str) -> str:
    """Python takes `-`, `_` and `.` for the same, and small letters for capital ones."""
    loose = _SEPARATORS.sub("[-_.]+", name)
    return rf"(?i:^[ \t]*(?P<name>{loose})(?![\w.-]))"


def _toml_lock(name: str) -> str:
    return rf'(?i:^name\s*=\s*"(?P<name>{name})")'


def _word(name: str) -> str:
    return rf"(?<![\w@/.-])(?P<name>{name})(?![\w/-])"


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"package-lock\.json|npm-shrinkwrap\.json"), _npm_lock),
    (re.compile(r"yarn\.lock"), _yarn_lock),
    (re.compile(r"pnpm-lock\.yaml"), _pnpm_lock),
    (re.compile(r"package\.json|bower\.json|Pipfile\.lock"), _json),
    (re.compile(r"pom\.xml|.*\.pom"), _maven),
    (re.compile(r".*requirements.*\.txt|Pipfile"), _python),
    (re.compile(r"poetry\.lock|uv\.lock|Cargo\.lock"), _toml_lock),
    (
        re.compile(
            r"composer\.lock|Gemfile\.lock|go\.mod|mix\.lock|packages\.config|libman\.json"
            r"|pubspec\.(?:lock|yaml)|Podfile\.lock|Package\.(?:resolved|swift)|.*\.(?:\w*proj|gradle|nuspec)"
        ),
        _word,
    ),
)
