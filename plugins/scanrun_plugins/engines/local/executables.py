"""Which program a step's executable is, and of which version. Never one of the scanned tree."""

import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from tempfile import TemporaryDirectory

from scanrun.api import ScanError, Snapshot
from scanrun_plugins.engines.process import Command, run_command

SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")
_NUMBER = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")
_VERSION_LIMIT_S = 10.0
_EMBEDDED = re.compile(r"^([\w.-]+).*;.*\bextra\s*==\s*['\"]local['\"]")


def embedded_executables() -> tuple[str, ...]:
    """Return the tools of `scanrun[local]`, as scanrun's own metadata lists them."""
    try:
        found = (_EMBEDDED.match(each) for each in requires("scanrun") or ())
    except PackageNotFoundError:
        return ()
    return tuple(match[1] for match in found if match)


def find_executable(
    name: str, environment: Mapping[str, str], snapshot: Snapshot | None
) -> Path | None:
    """Return the program, from scanrun's own environment or else from `PATH`."""
    if not name or "/" in name or "\0" in name or name in {".", ".."}:
        return None
    for folder in own_folders():
        path = folder / name
        if _runnable(path) and not _scanned(path, snapshot):
            return path
    for folder in _searched(environment):
        path = folder / name
        if _runnable(path) and not _inside(path, snapshot):
            return path
    return None


def own_folders() -> tuple[Path, ...]:
    """Return where programs installed beside scanrun lie."""
    folders = (Path(sys.executable).parent, Path(sys.prefix, "bin"))
    return tuple(dict.fromkeys(each for each in folders if each.is_absolute()))


def minimal_environment(executable: Path, scratch: Path) -> dict[str, str]:
    """Return what every program gets: of the caller's own variables, nothing."""
    path = dict.fromkeys([str(executable.parent), *SYSTEM_PATH])
    return {
        "PATH": os.pathsep.join(path),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def version_of(path: Path) -> str:
    """Return the version of the program, empty if it does not say."""
    try:
        state = path.stat()
    except OSError:
        return ""
    return _version(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _version(path: Path, _changed: int, _size: int) -> str:
    return _installed_version(path) or _told_version(path)


def _installed_version(path: Path) -> str:
    """Return what the distribution says that put the program here: nothing has to be run."""
    try:
        found = distribution(path.name)
    except (PackageNotFoundError, ValueError):
        return ""
    real = path.resolve()
    owned = (each for each in found.files or () if each.name == path.name)
    return found.version if any(Path(str(e.locate())).resolve() == real for e in owned) else ""


def _told_version(path: Path) -> str:
    with TemporaryDirectory(prefix="scanrun-version-") as folder:
        scratch = Path(folder)
        for each in ("home", "tmp"):
            (scratch / each).mkdir()
        command = Command(
            argv=(str(path), "--version"),
            cwd=scratch,
            env=minimal_environment(path, scratch),
            log=scratch / "log",
            timeout_s=_VERSION_LIMIT_S,
            max_bytes=1 << 20,
        )
        try:
            if run_command(command) != 0:
                return ""  # what it printed is an error, and may name any version
        except (ScanError, OSError):
            return ""
        number = _NUMBER.search((scratch / "log").read_bytes()[:4096].decode(errors="replace"))
    return number[0] if number else ""


def _searched(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders of `PATH`. A relative or empty entry is the current folder: skipped."""
    for entry in environment.get("PATH", "").split(os.pathsep):
        if Path(entry).is_absolute():
            yield Path(entry)


def _runnable(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode) and os.access(path, os.X_OK)
    except (OSError, ValueError):
        return False


def _inside(path: Path, snapshot: Snapshot | None) -> bool:
    """Say whether the program, or what it links to, lies in the scanned tree."""
    if snapshot is None:
        return False
    roots = {snapshot.root.absolute(), snapshot.root.resolve()}
    places = (Path(os.path.normpath(path)), path.parent.resolve() / path.name, path.resolve())
    return any(place.is_relative_to(root) for place in places for root in roots)


def _scanned(path: Path, snapshot: Snapshot | None) -> bool:
    """Say whether the program is itself one of the files that are scanned.

    scanrun's own environment may lie in the tree (`.venv`): what runs scanrun is trusted already.
    A program that came with the tree is not.
    """
    if snapshot is None or not _inside(path, snapshot):
        return False
    root = snapshot.root.resolve()
    places = {path.parent.resolve() / path.name, path.resolve()}
    known = {file.path for file in snapshot.files}
    return any(p.is_relative_to(root) and str(p.relative_to(root)) in known for p in places)
