"""What Trivy passes by without a word: files that it never reads, and parts of those it reads."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import msgspec

from scanrun.api import Notification, Snapshot, SnapshotFile
from scanrun_plugins.scanners.trivy.emptiness import NOT_UNDERSTOOD, PINNED, text_of
from scanrun_plugins.scanners.trivy.inputs import DOCKERFILES, LOCK_FILES, TERRAFORM, skipped
from scanrun_plugins.scanners.trivy.secrets import listed

UNREAD = {
    "npm-shrinkwrap.json": "package-lock.json",
    "bun.lockb": "bun.lock",
    "gems.locked": "Gemfile.lock",
    "pdm.lock": "pylock.toml",
    "requirements-*.txt": "requirements.txt",
    "requirements_*.txt": "requirements.txt",
    "*-requirements.txt": "requirements.txt",
    "*_requirements.txt": "requirements.txt",
    "*requirements/*.txt": "requirements.txt",
    "constraints*.txt": "requirements.txt",
    "Dockerfile-*": "Dockerfile.*",
}
"""Pattern of names that Trivy does not read -> the name under which it would."""

_ARTEFACTS = ("*.jar", "*.war", "*.ear", "*.whl", "*.egg", "*.dist-info/METADATA")
_COMPOSE = ("docker-compose*.yml", "docker-compose*.yaml", "compose.yml", "compose.yaml")
_PYTHON = ("poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "requirements.txt")
_MANIFESTS = {
    "package.json": ("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock"),
    "Pipfile": ("Pipfile.lock",),
    "composer.json": ("composer.lock",),
    "Gemfile": ("Gemfile.lock",),
    "Cargo.toml": ("Cargo.lock",),
    "pubspec.yaml": ("pubspec.lock",),
    "pyproject.toml": _PYTHON,
    "setup.py": _PYTHON,
    "requirements.in": _PYTHON,
}
_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*(?:[<>=!~;@]|$|\s#)")
_INCLUDE = re.compile(r"-(?:r|c|-requirement|-constraint)[\s=]+(\S+)")
_VERSIONS = {
    "package-lock.json": (r'"lockfileVersion"\s*:\s*(\d+)', {"1", "2", "3"}),
    "yarn.lock": (r"(?m)^# yarn lockfile v(\d+)|^__metadata:\s+version: (\d+)", {*"145678"}),
    "pnpm-lock.yaml": (r"(?m)^lockfileVersion: '?([\d.]+)", {"5.3", "5.4", "6.0", "6.1", "9.0"}),
    "poetry.lock": (r'(?m)^lock-version = "([\d.]+)"', {"1.0", "1.1", "2.0", "2.1"}),
    "uv.lock": (r"(?m)^version = (\d+)", {"1"}),
}
"""Lock file -> where its format's version stands, and the versions there were for Trivy 0.76.

It reads any other as if it knew it.
"""
_BEYOND = {
    "pom.xml": re.compile(r"<(?:relativePath|module)>\s*([^<\s][^<]*?)\s*</"),
    "requirements.txt": re.compile(rf"(?m)^\s*{_INCLUDE.pattern}"),
}
_YARN_NAME = re.compile(r'    "?((?:@[^/\s"]+/)?[^\s"@:]+)"?:? ')
_SHOWN = 50


def unread(snapshot: Snapshot) -> Iterator[Notification]:
    """Yield a word on each dependency or build file that Trivy passes by."""
    for pattern, name in UNREAD.items():
        yield from _each(snapshot.match(pattern), f"not read by trivy: %r (it would be, as {name})")
    yield from _each(_oddly_spelt(snapshot), "not read by trivy: %r (upper and lower case count)")
    yield from _each(_unlocked(snapshot), "dependencies of %r not checked: it has no lock file")
    passed = (file for file in snapshot.match(*LOCK_FILES) if skipped(file))
    yield from _each(passed, "not read by trivy: %r, for the folder that it lies in")
    yield from _each(_linked(snapshot), "not read by trivy: %r is a link, and none is followed")
    if artefacts := snapshot.match(*_ARTEFACTS):
        names = listed(file.path for file in artefacts)
        yield Notification(f"packages not checked, as trivy opens none in a tree: {names}")


def unread_builds(snapshot: Snapshot) -> Iterator[Notification]:
    """Yield a word on each build file for which Trivy has no checks."""
    yield from _each(snapshot.match(*_COMPOSE), "not checked: trivy has no checks for %r")


def unread_parts(snapshot: Snapshot) -> Iterator[Notification]:
    """Yield a word on what Trivy leaves out of files that it reads."""
    for name, look in _LOOKS.items():
        for file in snapshot.match(name):
            try:
                text = text_of(snapshot.root / file.path)
                found = [*look(text)]
            except NOT_UNDERSTOOD:
                continue  # what can't be read here is accounted for, or missing, elsewhere
            yield from (Notification(f"{file.path!r}: {words}", path=file.path) for words in found)
    for file in snapshot.match("yarn.lock"):
        yield from _unnamed(snapshot, file)
    for file in snapshot.match(*_BEYOND):
        yield from _outside(snapshot, file)


def unknown_version(name: str, text: str) -> str:
    """Return the version of a lock file's format where it is none that Trivy knows."""
    pattern, known = _VERSIONS.get(name, ("(?!)", set()))
    match = re.search(pattern, text)
    version = next(filter(None, match.groups()), "") if match else ""
    return "" if version in known else version


def _each(files: Iterable[SnapshotFile], text: str) -> Iterator[Notification]:
    found = [*files]
    for file in found[:_SHOWN]:
        yield Notification(text % file.path, path=file.path)
    if len(found) > _SHOWN:
        yield Notification(f"and {len(found) - _SHOWN} more like {found[0].path!r}")


def _oddly_spelt(snapshot: Snapshot) -> Iterator[SnapshotFile]:
    """Yield files whose name Trivy would read if it were spelt as its own."""
    known = {name.lower(): name for name in (*LOCK_FILES, "Dockerfile") if "*" not in name}
    for file in snapshot.files:
        if known.get(file.name.lower(), file.name) != file.name:
            yield file


def _unlocked(snapshot: Snapshot) -> Iterator[SnapshotFile]:
    places = {file.path for file in snapshot.files}
    for manifest, locks in _MANIFESTS.items():
        for file in snapshot.match(manifest):
            if not _locked(file.path, locks, places) and _asks(snapshot.root / file.path):
                yield file


def _locked(path: str, locks: Iterable[str], places: set[str]) -> bool:
    """Say whether a lock file lies beside `path`, or in a folder above: a workspace has one."""
    return any(
        str(folder / lock) in places for folder in PurePosixPath(path).parents for lock in locks
    )


def _asks(manifest: Path) -> bool:
    """Say whether a manifest asks for packages; one that is not understood may."""
    try:
        text = text_of(manifest)
        if manifest.name == "pyproject.toml":
            return _asks_in_python(tomllib.loads(text))
        if manifest.name == "setup.py":
            return "install_requires" in text
    except NOT_UNDERSTOOD:
        return True
    return True


def _asks_in_python(project: Mapping[str, Any]) -> bool:
    poetry = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    return bool(project.get("project", {}).get("dependencies") or {*poetry} - {"python"})


def _linked(snapshot: Snapshot) -> Iterator[SnapshotFile]:
    links = (SnapshotFile(each.path, 0) for each in snapshot.left_out if each.rule == "link")
    yield from Snapshot(root=snapshot.root, files=tuple(links)).match(
        *LOCK_FILES, *DOCKERFILES, *TERRAFORM
    )


def _outside(snapshot: Snapshot, file: SnapshotFile) -> Iterator[Notification]:
    """Yield a word on each file beyond the tree that is named in one: some of them Trivy reads."""
    try:
        text = text_of(snapshot.root / file.path)
    except (OSError, ValueError):
        return  # it is accounted for, or missing, elsewhere
    folder = file.path.rpartition("/")[0]
    for named in dict.fromkeys(_BEYOND[file.name].findall(text)):
        place = normpath(f"{folder}/{named}".lstrip("/"))
        if named.startswith("/") or place.split("/")[0] == "..":
            words = f"{file.path!r} names what lies outside the tree: {named!r}"
            yield Notification(words, path=file.path)


def _unpinned(text: str) -> Iterator[str]:
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = [line.strip() for line in joined.splitlines()]
    loose = [line for line in lines if _REQUIREMENT.match(line) and not PINNED.match(line)]
    if loose:
        names = listed((line[:60] for line in loose), 5)
        yield f"not checked, as they name no exact version: {names}"
    for line in lines:
        if (match := _INCLUDE.match(line)) and PurePosixPath(match[1]).name != "requirements.txt":
            yield f"what it includes is not read by trivy: {match[1]!r}"


def _development(text: str) -> Iterator[str]:
    lock = msgspec.json.decode(text, type=dict[str, Any])
    if names := lock.get("develop"):
        yield f"not checked, as trivy never reads 'develop': {listed(names, 5)}"


def _version_of(name: str) -> Callable[[str], Iterator[str]]:
    def look(text: str) -> Iterator[str]:
        if version := unknown_version(name, text):
            yield f"format version {version} is unknown here: what trivy made of it may be partial"

    return look


def _unnamed(snapshot: Snapshot, lock: SnapshotFile) -> Iterator[Notification]:
    """Yield what `package.json` asks for and the lock file beside it does not name.

    Trivy takes a `yarn.lock` that was cut off between two packages for a whole one.
    """
    manifest = (snapshot.root / lock.path).with_name("package.json")
    try:
        wanted = msgspec.json.decode(text_of(manifest), type=dict[str, Any])["dependencies"]
        text = text_of(snapshot.root / lock.path)
        lost = [name for name in wanted if f"{name}@" not in text]
    except NOT_UNDERSTOOD:
        return  # no manifest beside it, or one without dependencies
    if lost:
        words = f"{lock.path!r} does not name what package.json asks for: {listed(lost, 5)}"
        yield Notification(words, path=lock.path)


def _dangling(text: str) -> Iterator[str]:
    """Yield what the entries of a `yarn.lock` depend on, and no entry of it is."""
    inside, wanted = False, dict[str, None]()
    for line in text.splitlines():
        if line[:3].strip():
            inside = line.rstrip() == "  dependencies:"
        elif inside and (match := _YARN_NAME.match(line)):
            wanted[match[1]] = None
    if lost := [name for name in wanted if f"{name}@" not in text]:
        yield f"entries of it depend on what it does not name: {listed(lost, 5)}"


_LOOKS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "requirements.txt": _unpinned,
    "Pipfile.lock": _development,
    **{name: _version_of(name) for name in _VERSIONS},
    "yarn.lock": lambda text: chain(_version_of("yarn.lock")(text), _dangling(text)),
}
