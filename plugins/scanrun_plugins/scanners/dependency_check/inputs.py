"""Which files Dependency-Check reads, which it passes over, and what would have it read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from scanrun.api import Input, Snapshot, SnapshotFile
from scanrun_plugins.scanners.dependency_check.command import Ecosystem, Options
from scanrun_plugins.scanners.dependency_check.stubs import NAMES as NPM_LOCKS
from scanrun_plugins.scanners.dependency_check.stubs import installed

ARCHIVES = ("*.jar", "*.war", "*.ear", "*.aar")
_NET = ("packages.config", "*.csproj", "*.vbproj")
_EXPERIMENTAL = ("requirements.txt", "poetry.lock", "composer.lock")

WANTED = tuple(
    f"{start}{folder}/*.{kind}"
    for folder in ("target", "build/libs", "dist", "out")
    for start in ("", "*/")
    for kind in ("jar", "war", "ear")
)
"""What a build makes, and git ignores."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Files that it does not read."""

    ecosystem: Ecosystem
    files: tuple[SnapshotFile, ...]
    cure: str


_BUILD = "it reads built archives, so build before the scan"
_LOCK = "it reads package-lock.json and npm-shrinkwrap.json only"
_NEVER = "it does not read them without a network and their own tools; trivy does"
_HALF = "it reads its `develop` packages at the most, and none of `default`; trivy does"
_SWITCH = "set experimental = true in [scanner.dependency-check]"
_UNREAD: tuple[tuple[Ecosystem, tuple[str, ...], str], ...] = (
    ("java", ("pom.xml", "build.gradle", "build.gradle.kts", "*gradle.lockfile"), _BUILD),
    ("npm", ("yarn.lock", "pnpm-lock.yaml", "bun.lock"), _LOCK),
    ("python", ("*requirements*.txt", "uv.lock", "pylock*.toml"), _NEVER),
    ("python", ("Pipfile.lock",), _HALF),
    ("ruby", ("Gemfile.lock",), _NEVER),
    ("go", ("go.mod",), _NEVER),
    ("rust", ("Cargo.lock",), _NEVER),
)
_SWITCHED: tuple[tuple[Ecosystem, tuple[str, ...]], ...] = (
    ("python", ("requirements.txt", "poetry.lock")),
    ("php", ("composer.lock",)),
)


def readable(snapshot: Snapshot, options: Options) -> tuple[Input, ...]:
    """Return what it has to account for."""
    return tuple(_readable(snapshot, options))


def _readable(snapshot: Snapshot, options: Options) -> Iterator[Input]:
    yield from (Input(file.path, "archive") for file in snapshot.match(*ARCHIVES))
    for file in snapshot.match(*NPM_LOCKS):
        if not installed(file):
            yield Input(file.path, "lock file")
    yield from (Input(file.path, "project file") for file in snapshot.match(*_NET))
    if options.experimental:
        yield from (Input(file.path, "lock file") for file in snapshot.match(*_EXPERIMENTAL))
    yield from _out_of_reach(snapshot)


def _out_of_reach(snapshot: Snapshot) -> Iterator[Input]:
    """Yield what would have to be read, and could not be given to any scanner."""
    for each in snapshot.left_out:
        if each.rule in {"unreadable", "vanished", "path too long", "over 1 GiB"}:
            name = PurePosixPath(each.path).name
            if any(fnmatchcase(name, one) for one in (*ARCHIVES, *NPM_LOCKS)):
                yield Input(each.path, "file out of reach")


def unread(snapshot: Snapshot, options: Options) -> tuple[Unread, ...]:
    """Return the manifests and lock files that it passes over without a word."""
    found = [*_switched_off(snapshot, options), *_never(snapshot)]
    if bare := _without_lock(snapshot):
        found.append(Unread("npm", bare, "run `npm install --package-lock-only`"))
    return tuple(each for each in found if each.files)


def _never(snapshot: Snapshot) -> Iterator[Unread]:
    switched = {name for _, names in _SWITCHED for name in names}
    for ecosystem, patterns, cure in _UNREAD:
        files = tuple(
            file
            for file in snapshot.match(*patterns)
            if file.name not in switched and not installed(file)
        )
        yield Unread(ecosystem, _unbuilt(files, snapshot), cure)


def _switched_off(snapshot: Snapshot, options: Options) -> Iterator[Unread]:
    if not options.experimental:
        for ecosystem, names in _SWITCHED:
            yield Unread(ecosystem, snapshot.match(*names), _SWITCH)


def _unbuilt(files: tuple[SnapshotFile, ...], snapshot: Snapshot) -> tuple[SnapshotFile, ...]:
    """Return the build files less those of which the build lies beside them."""
    builds = {
        f"{folder}/" for file in snapshot.match(*ARCHIVES) for folder in _folders_above(file.path)
    }
    return tuple(
        file
        for file in files
        if not builds.intersection(
            f"{file.path[: -len(file.name)]}{each}/" for each in ("target", "build/libs")
        )
    )


def _folders_above(path: str) -> Iterator[str]:
    return (str(each) for each in PurePosixPath(path).parents)


def _without_lock(snapshot: Snapshot) -> tuple[SnapshotFile, ...]:
    """Return the `package.json` files that no lock file speaks for, in their folder or above."""
    locks = {PurePosixPath(file.path).parent for file in snapshot.match(*NPM_LOCKS, *_UNREAD[1][1])}
    return tuple(
        file
        for file in snapshot.match("package.json")
        if not installed(file) and not locks.intersection(PurePosixPath(file.path).parents)
    )
