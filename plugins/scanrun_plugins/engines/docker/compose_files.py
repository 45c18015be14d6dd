"""Which other files does a compose file read? Judged before any program does so.

What the program prints once it has resolved the file doesn't tell any more where it came from.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanrun.api import StepError
from scanrun_plugins.engines.docker.compose_ground import Ground, Refusal
from scanrun_plugins.engines.docker.compose_yaml import MOST_BYTES, load_mapping

WORD = "outside-files"
_MOST_FILES = 50
_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$(?!\$)")
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|github\.com/")


@dataclass(slots=True)
class RawFiles:
    """The compose file, and those of the tree that it is made of."""

    ground: Ground
    _seen: set[tuple[str, str]] = field(default_factory=set)
    """Each with what its paths are relative to: it may be read from several folders."""

    def refusals(self, file: Path) -> Iterator[Refusal]:
        """Yield what it reads from outside the tree.

        Raises:
            StepError: it, or a file that it is made of, can't be used.
        """
        yield from self._path(".env", file.parent, "the file's variables")
        if self.ground.holds(file):
            yield from self._file(file, file.parent)
        else:
            yield Refusal("the file", "it lies outside of the scanned folder", WORD)

    def _file(self, file: Path, base: Path) -> Iterator[Refusal]:
        """`base` is what its paths are relative to."""
        read = (os.path.realpath(file), os.path.normpath(base))
        if read in self._seen:
            return
        self._seen.add(read)
        if len(self._seen) > _MOST_FILES:
            raise StepError(f"{file.name!r} is made of more than {_MOST_FILES} files")
        found = load_mapping(read_regular(file), file.name)
        services = found.get("services")
        if services is None and "include" in found:
            services = {}
        if not isinstance(services, dict):
            raise StepError(f"{file.name!r} has no `services`", hint="is it a compose file?")
        for name, service in services.items():
            if isinstance(service, dict):
                yield from self._service(f"service {str(name)[:100]!r}", service, base)
        for each in _listed(found.get("include")):
            yield from self._include(each, base)

    def _service(self, where: str, service: dict[str, Any], base: Path) -> Iterator[Refusal]:
        for key in ("env_file", "label_file"):
            for each in _listed(service.get(key)):
                path = each.get("path") if isinstance(each, dict) else each
                yield from self._path(path, base, f"{where}, {key}")
        extends = service.get("extends")
        other = extends.get("file") if isinstance(extends, dict) else None
        if other is not None:
            yield from self._other(other, base, f"{where}, extends")

    def _include(self, include: object, base: Path) -> Iterator[Refusal]:
        given = include if isinstance(include, dict) else {"path": include}
        folder = given.get("project_directory")
        for each in (*_listed(given.get("env_file")), *_listed(folder)):
            yield from self._path(each, base, "include")
        paths = _listed(given.get("path"))
        # the first one's folder is the folder of those that are laid over it, too
        below = base / str(folder or Path(str(next(iter(paths), ""))).parent)
        yield from self._path(str(below / ".env"), base, "include")
        for each in paths:
            yield from self._other(each, base, "include", below)

    def _other(
        self, path: object, base: Path, where: str, below: Path | None = None
    ) -> Iterator[Refusal]:
        refused = list(self._path(path, base, where))
        yield from refused
        other = base / str(path)
        # one that is allowed is read by the program alone: it may be elsewhere altogether
        if not refused:
            yield from self._file(other, below or other.parent)

    def _path(self, path: object, base: Path, where: str) -> Iterator[Refusal]:
        text = str(path)
        if not isinstance(path, str) or _VARIABLE.search(text):
            yield Refusal(where, f"the file {text[:200]!r} can't be told beforehand", WORD)
        elif _REMOTE.match(text):
            yield Refusal(where, f"{text[:200]!r} is fetched from elsewhere", WORD)
        elif text.startswith("~") or not self.ground.holds(base / text):
            yield Refusal(where, f"{text[:200]!r} lies outside of the scanned folder", WORD)
        elif os.path.realpath(base / text) != os.path.realpath(os.path.normpath(base / text)):
            # programs differ in whether they follow a link before they go up from it
            yield Refusal(where, f"{text[:200]!r} goes through a link, and up again", WORD)


def read_regular(file: Path) -> bytes:
    """Return what a regular file holds, up to a little more than one may.

    Raises:
        StepError: there is none, or it can't be read.
    """
    try:
        # not blocking: it may be a pipe that nobody writes to
        found = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(found, "rb") as stream:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                raise StepError(f"{file.name!r} is no file")
            return stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StepError(
            f"compose file {file.name!r} can't be read: {why.lower()}",
            hint="its path is relative to the scanned folder",
        ) from error


def _listed(value: object) -> list[Any]:
    """Return it as a list: compose takes one thing for a list of it."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
