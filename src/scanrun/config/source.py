"""Which file is the configuration, and what it says. Files of a scanned tree are hostile."""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanrun.errors import ConfigError

FILE = "scanrun.toml"
PYPROJECT = "pyproject.toml"
MAX_BYTES = 1_000_000
MAX_DEPTH = 16
_MAX_DOTS = 500  # in one line: tomllib takes minutes for a dotted key of many thousand parts

_KEY = re.compile(r"[A-Za-z0-9_.\"' -]{1,200}")


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration file as it was read. `data` is the part that is ours."""

    path: Path
    text: str
    data: dict[str, Any]
    prefix: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    """Scanners whose table has no `scanner.` before its name."""

    @property
    def name(self) -> str:
        """Return the file's name, for people."""
        return self.path.name

    def line_of(self, keys: Sequence[str | int]) -> int | None:
        """Return the line of the key, or of the table around it, as far as it can be seen."""
        short = keys[:1] == ("scanner",) and len(keys) > 1 and keys[1] in self.short
        wanted = (*self.prefix, *(keys[1:] if short else keys))
        best, found = 0, None
        for number, path in _places(self.text):
            shared = _shared(path, wanted)
            if shared == len(path) and shared > best:
                best, found = shared, number
        return found if best > len(self.prefix) else None


def find(scanned: Path) -> Source | None:
    """Return the nearest configuration, from the scanned folder up to its repository's root.

    Outside a repository only the folder itself is looked at: what lies above it is somebody
    else's.

    Raises:
        ConfigError: one is there and can't be used, or two lie in one folder.
    """
    start = _folder(scanned)
    chain = [start, *start.parents]
    roots = (n for n, folder in enumerate(chain) if _exists(folder / ".git"))
    within = chain[: next(roots, 0) + 1]
    for folder in within:
        if (found := _in_folder(folder, root=within[-1])) is not None:
            return found
    return None


def read(path: Path) -> Source:
    """Return the configuration in `path`; a `pyproject.toml` is read at `[tool.scanrun]`.

    Raises:
        ConfigError: missing, unreadable, too large, or no TOML.
    """
    text = _text(path)
    data = _parse(path, text)
    if path.name != PYPROJECT:
        return Source(path, text, data)
    ours = _our_table(data)
    if ours is None:
        raise ConfigError(f"{path} has no [tool.scanrun]", hint=f"add it, or write a {FILE}")
    return _of_pyproject(path, text, ours)


def _folder(scanned: Path) -> Path:
    try:
        resolved = scanned.resolve(strict=True)
    except OSError as error:
        raise ConfigError(f"{str(scanned)!r} can't be read: {error.strerror}") from error
    except RuntimeError as error:  # a link that leads to itself
        raise ConfigError(f"{str(scanned)!r} is a link that leads nowhere") from error
    return resolved if resolved.is_dir() else resolved.parent


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ConfigError(f"{path} can't be looked at: {error.strerror}") from error
    return True


def _is_there(path: Path, root: Path) -> bool:
    """Say whether the tree has the file; a link out of it would show other people's files."""
    if _exists(path) and not Path(os.path.realpath(path)).is_relative_to(root):
        raise ConfigError(f"{path} is a link that leads out of {root}")
    return _exists(path)


def _in_folder(folder: Path, root: Path) -> Source | None:
    own, shared = folder / FILE, folder / PYPROJECT
    here = read(own) if _is_there(own, root) else None
    in_pyproject = _maybe_pyproject(shared) if _is_there(shared, root) else None
    if here and in_pyproject:
        raise ConfigError(
            f"two configurations: {own} and [tool.scanrun] in {shared}",
            hint="remove one of them, or name a file with --config",
        )
    return here or in_pyproject


def _maybe_pyproject(path: Path) -> Source | None:
    """Return what a pyproject says of scanrun; one that is broken otherwise is not our matter."""
    text = _text(path)
    try:
        data = _parse(path, text)
    except ConfigError:
        if "scanrun" in text:
            raise
        return None
    ours = _our_table(data)
    return None if ours is None else _of_pyproject(path, text, ours)


def _our_table(data: dict[str, Any]) -> object:
    tool = data.get("tool")
    return tool.get("scanrun") if isinstance(tool, dict) else None


def _of_pyproject(path: Path, text: str, ours: object) -> Source:
    if not isinstance(ours, dict):
        raise ConfigError(f"{path}: tool.scanrun is no table")
    return Source(path, text, ours, ("tool", "scanrun"))


def _text(path: Path) -> str:
    """Return the text of a regular file; a pipe would hang, a device never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{path} is no regular file")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path} is over {MAX_BYTES:,} bytes: no configuration is that large")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text (byte {error.start})") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    if any(line.count(".") > _MAX_DOTS and line.lstrip()[0] != "#" for line in text.split("\n")):
        raise ConfigError(f"{path} has a line with more than {_MAX_DOTS} dots")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {_lower(str(error))}") from error
    except (RecursionError, ValueError) as error:
        raise ConfigError(f"{path} is no TOML that can be read: {type(error).__name__}") from error
    if _depth(data) > MAX_DEPTH:
        raise ConfigError(f"{path} is nested more than {MAX_DEPTH} levels deep")
    return data


def _depth(data: object) -> int:
    deepest, todo = 0, [(data, 0)]
    while todo:
        item, depth = todo.pop()
        deepest = max(deepest, depth)
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        todo += [(each, depth + 1) for each in inner]
    return deepest


def _places(text: str) -> Iterator[tuple[int, tuple[str | int, ...]]]:
    """Yield each line that starts a table or a key, with the path it stands for."""
    table: tuple[str | int, ...] = ()
    seen: dict[tuple[str | int, ...], int] = {}
    quote = ""
    for number, line in enumerate(text.split("\n"), 1):
        if quote:
            quote = "" if line.count(quote) % 2 else quote
            continue
        stripped = line.strip()
        if stripped.startswith("["):
            table = _parts(stripped.lstrip("[").partition("]")[0])
            if stripped.startswith("[["):
                seen[table] = seen.get(table, -1) + 1
                table = (*table, seen[table])
            yield number, table
        elif "=" in stripped and _KEY.fullmatch(key := stripped.partition("=")[0]):
            yield number, (*table, *_parts(key))
        quote = next((q for q in ('"""', "'''") if line.count(q) % 2), "")


def _parts(dotted: str) -> tuple[str | int, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _shared(one: Sequence[str | int], other: Sequence[str | int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
