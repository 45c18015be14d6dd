"""How the packages of npm's lock files become visible without installing any.

Dependency-Check reads a lock file only beside a `node_modules`. It is given a copy of each, in a
folder of its own, beside one in which every package is a `package.json` with nothing but the name
and the version that the lock file says. Nothing is fetched, and nothing of the tree is run.
"""

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import msgspec
from msgspec import Struct

from scanrun.api import Snapshot, SnapshotFile
from scanrun_plugins.scanners.dependency_check.command import LOCKS

NAMES = ("package-lock.json", "npm-shrinkwrap.json")
COPY = "npm-shrinkwrap.json"
"""How each copy is called, since `package-lock.json` is left out wherever it lies."""

_LARGEST = 64 << 20
_FOLDER = re.compile(r"(?:[^/]+/)*?node_modules/(?:@[^/]+/)?[^/@][^/]*")
_LONGEST = 1000
_LONGEST_NAME = 255
_VERSION = re.compile(r"\d+\.\d+\.\d+[\w.+-]{0,200}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class _Package(Struct):
    version: str = ""
    name: str = ""
    link: bool = False


class _Nested(Struct):
    version: str = ""
    dependencies: "dict[str, _Nested]" = {}


class _Lock(Struct, rename="camel"):
    lockfile_version: int
    name: str = ""
    version: str = ""
    packages: dict[str, _Package] | None = None
    dependencies: dict[str, _Nested] = {}


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock file of the tree, and the packages that it names."""

    path: str
    content: bytes = b""
    packages: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Folder, relative to the lock file -> name and version."""
    odd: int = 0
    """How many it names without a version of a registry (from git, or a folder)."""
    problem: str = ""
    """Why it can't be read."""

    @property
    def labels(self) -> frozenset[str]:
        """Return how Dependency-Check calls each of the packages."""
        return frozenset(
            f"{folder.rpartition('node_modules/')[2]}:{version}"
            for folder, (_, version) in self.packages.items()
        )


def lock_files(snapshot: Snapshot) -> tuple[LockFile, ...]:
    """Read npm's lock files, less those that came with an installed package."""
    return tuple(_read(snapshot, file) for file in snapshot.match(*NAMES) if not installed(file))


def installed(file: SnapshotFile) -> bool:
    """Say whether a file lies in a `node_modules`."""
    return "node_modules" in PurePosixPath(file.path).parts[:-1]


def stub_files(locks: Iterable[LockFile]) -> dict[str, bytes]:
    """Return absolute path -> content of all that is made for the scan."""
    found: dict[str, bytes] = {}
    for place, lock in _placed(locks):
        found[f"{place}/{COPY}"] = lock.content
        found[f"{place}/node_modules/.made"] = b""
        for folder, (name, version) in lock.packages.items():
            stub = {"name": name, "version": version}
            found[f"{place}/{folder}/package.json"] = json.dumps(stub).encode()
    return found


def stub_places(locks: Iterable[LockFile]) -> dict[str, str]:
    """Return each of those paths -> the lock file that it stands for."""
    locks = tuple(locks)
    return {
        path: lock.path
        for place, lock in _placed(locks)
        for path in (
            f"{place}/{COPY}",
            *(f"{place}/{folder}/package.json" for folder in lock.packages),
        )
    }


def _placed(locks: Iterable[LockFile]) -> Iterator[tuple[str, LockFile]]:
    for number, lock in enumerate(locks):
        if not lock.problem:
            yield f"{LOCKS}/scanrun-copy-{number}", lock


def _read(snapshot: Snapshot, file: SnapshotFile) -> LockFile:
    content = _content(snapshot, file.path)
    if content is None:
        return LockFile(file.path, problem="it is no regular file, or over 64 MiB")
    try:
        found = msgspec.json.decode(content, type=_Lock)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return LockFile(file.path, problem=f"it is no lock file of npm's ({error})")
    if found.lockfile_version > 1 and found.packages is None:
        return LockFile(file.path, problem="it has no `packages`")
    packages: dict[str, tuple[str, str]] = {}
    odd = 0
    for folder, name, version in _named(found):
        if not _safe(folder, name):
            return LockFile(file.path, problem=f"it names a package {folder[:100]!a}")
        if _VERSION.fullmatch(version):
            packages[folder] = name, version
        else:
            odd += 1
    return LockFile(file.path, _with_name(content, found), packages, odd)


def _with_name(content: bytes, lock: _Lock) -> bytes:
    """Return a lock file's content with a name in it: without one it is passed over in silence."""
    if lock.name and lock.version:
        return content
    named = {"name": lock.name or "unnamed", "version": lock.version or "0.0.0"}
    return msgspec.json.encode({**msgspec.json.decode(content, type=dict[str, object]), **named})


def _named(lock: _Lock) -> Iterator[tuple[str, str, str]]:
    """Yield folder, name and version of each package; not what lies in the tree itself."""
    if lock.lockfile_version == 1:
        yield from _nested("", lock.dependencies)
        return
    for folder, package in (lock.packages or {}).items():
        if "node_modules/" in folder and not package.link:
            name = package.name or folder.rpartition("node_modules/")[2]
            yield folder, name, package.version


def _nested(above: str, packages: Mapping[str, _Nested]) -> Iterator[tuple[str, str, str]]:
    for name, package in packages.items():
        folder = f"{above}node_modules/{name}"
        yield folder, name, package.version
        yield from _nested(f"{folder}/", package.dependencies)


def _safe(folder: str, name: str) -> bool:
    """Say whether a folder can be made of it, below the lock file's own."""
    parts = folder.split("/")
    return (
        len(folder) <= _LONGEST
        and len(name) <= _LONGEST
        and _FOLDER.fullmatch(folder) is not None
        and not {".", "..", ""}.intersection(parts)
        and all(len(os.fsencode(part)) <= _LONGEST_NAME for part in parts)
        and not _CONTROL.search(folder + name)
    )


def _content(snapshot: Snapshot, path: str) -> bytes | None:
    """Return the content of a file of the tree: no link, and nothing but a regular file."""
    try:
        descriptor = os.open(snapshot.root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = stream.read(_LARGEST + 1)
    return content if len(content) <= _LARGEST else None
