"""What the files themselves say: above all whether one without a result names no package.

Trivy is silent about a file without packages, and just as silent about one that it could not
parse. So the file itself is asked: only what is well-formed and names no package may be missing
from the report. What is not understood here stays missing, which makes the scan incomplete;
uv's and Cargo's lock files name at least the project itself, so they are never empty.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

NOT_UNDERSTOOD = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    msgspec.MsgspecError,
)
"""What reading a stranger's file can come to."""
_LARGEST = 16 * 2**20
PINNED = re.compile(r"(?m)^\s*[A-Za-z0-9][\w.-]*\s*(?:\[[^\]\n]*\])?\s*={2,3}(?!\s*[\d.]*\*)")
_LONGEST_LINE = 65536
_YARN_VERSION = re.compile(r'  version:? (?:"[^"]+"|[^"\s]+)$')


def names_nothing(path: Path, *, dev: bool) -> bool:
    """Say whether the file at `path` is whole and names no package (`dev`: none at all)."""
    reader = next((each for name, each in _READERS.items() if fnmatchcase(path.name, name)), None)
    if reader is None:
        return False
    try:
        return reader(text_of(path), dev)
    except NOT_UNDERSTOOD:
        return False


def is_cut_off(path: Path) -> bool:
    """Say whether a `yarn.lock` ends in mid-entry: Trivy takes what stands before for the whole."""
    if path.name != "yarn.lock":
        return False
    try:
        lines = text_of(path).rstrip("\n").splitlines()
    except (OSError, ValueError):
        return False  # it can't be in the report, and so is missing
    heads = [number for number, line in enumerate(lines) if line[:1] not in {"", " ", "#"}]
    if not heads:
        return False
    entry = lines[heads[-1] :]
    whole = all(line.count('"') % 2 == 0 for line in entry) and entry[0].endswith(":")
    return not (whole and any(_YARN_VERSION.match(line) for line in entry))


def text_of(path: Path) -> str:
    """Return the text of a file of the tree, no link and no larger than a lock file may be.

    Raises:
        OSError: it can't be read.
        ValueError: it is too large, or no text.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST or b"\0" in data:
        raise ValueError(path.name)
    return data.decode()


def _npm(text: str, dev: bool) -> bool:  # noqa: FBT001 - one of a table of functions
    lock = _json(text)
    entries = {
        name: entry
        for name, entry in lock.get("packages", {}).items()
        if "node_modules/" in name and not entry.get("link")
    }
    entries |= lock.get("dependencies", {})
    wanted = [entry for entry in entries.values() if dev or not entry.get("dev")]
    return lock["lockfileVersion"] in {1, 2, 3} and not wanted


def _requirements(text: str, dev: bool) -> bool:  # noqa: ARG001, FBT001
    short = all(len(line) < _LONGEST_LINE for line in text.splitlines())
    plain = all(word.isprintable() for word in text.split())
    return short and plain and not PINNED.search(text)


def _yarn(text: str, dev: bool) -> bool:  # noqa: ARG001, FBT001
    heads = [line for line in text.splitlines() if line[:1] not in {"", " ", "#"}]
    known = "# yarn lockfile v1" in text or "__metadata:" in heads
    return known and all(head == "__metadata:" or "@workspace:" in head for head in heads)


def _poetry(text: str, dev: bool) -> bool:  # noqa: FBT001
    lock = tomllib.loads(text)
    packages = lock.get("package", [])
    wanted = [each for each in packages if dev or not _only_dev(each)]
    return "metadata" in lock and not wanted


def _only_dev(package: Mapping[str, Any]) -> bool:
    groups = package.get("groups")
    return "main" not in groups if groups else package.get("category", "main") != "main"


def _pnpm(text: str, dev: bool) -> bool:  # noqa: FBT001
    if not re.search(r"(?m)^lockfileVersion:", text):
        return False
    if not re.search(r"(?m)^packages:", text):
        return not re.search(r"(?m)^\s*specifier:", text)
    return not dev and not re.search(r"(?m)^\s*(dependencies|optionalDependencies):", text)


def _bundler(text: str, dev: bool) -> bool:  # noqa: ARG001, FBT001
    return bool(re.search(r"(?m)^DEPENDENCIES$", text)) and not re.search(r"(?m)^ {4}\S", text)


def _gradle(text: str, dev: bool) -> bool:  # noqa: ARG001, FBT001
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return bool(lines) and all(line.startswith("empty=") for line in lines)


def _pylock(text: str, dev: bool) -> bool:  # noqa: ARG001, FBT001
    lock = tomllib.loads(text)
    return "lock-version" in lock and lock["packages"] == []


def _json_lists(*keys: str, dev_keys: tuple[str, ...] = ()) -> Callable[[str, bool], bool]:
    """Return a reader for JSON in which the first of `keys` must stand, and all be empty."""

    def reader(text: str, dev: bool) -> bool:  # noqa: FBT001
        lock = _json(text)
        asked = (*keys, *(dev_keys if dev else ()))
        return lock[keys[0]] is not None and not any(lock.get(key) for key in asked)

    return reader


def _nuget(text: str, dev: bool) -> bool:  # noqa: ARG001, FBT001
    lock = _json(text)
    return isinstance(lock["version"], int) and not any(lock["dependencies"].values())


def _dotnet(text: str, dev: bool) -> bool:  # noqa: ARG001, FBT001
    return all(each["type"] == "project" for each in _json(text)["libraries"].values())


def _swift(text: str, dev: bool) -> bool:  # noqa: ARG001, FBT001
    lock = _json(text)
    pins = lock["pins"] if "pins" in lock else lock["object"]["pins"]
    return isinstance(lock["version"], int) and not pins


def _matches(pattern: str) -> Callable[[str, bool], bool]:
    """Return a reader for text that says nothing but `pattern`."""
    whole = re.compile(pattern, re.DOTALL)
    return lambda text, _dev: whole.fullmatch(text.strip()) is not None


def _json(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


_READERS: Mapping[str, Callable[[str, bool], bool]] = {
    "package-lock.json": _npm,
    "requirements.txt": _requirements,
    "yarn.lock": _yarn,
    "poetry.lock": _poetry,
    "pnpm-lock.yaml": _pnpm,
    "pylock*.toml": _pylock,
    "Pipfile.lock": _json_lists("default"),
    "composer.lock": _json_lists("packages", dev_keys=("packages-dev",)),
    "conan.lock": _json_lists("requires"),
    "Gemfile.lock": _bundler,
    "*gradle.lockfile": _gradle,
    "packages.lock.json": _nuget,
    "*.deps.json": _dotnet,
    "Package.resolved": _swift,
    "mix.lock": _matches(r"%\{\s*\}"),
    "bun.lock": _matches(r'\{(?!.*"packages":\s*\{\s*").*"packages":\s*\{\s*\}.*\}'),
    "packages.config": _matches(r"(<\?xml[^>]*>)?\s*<packages\s*(/>|>\s*</packages>)"),
    "pubspec.lock": _matches(r"(?:#[^\n]*\n)*packages: \{\}\n.*"),
}
