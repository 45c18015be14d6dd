"""Where a run leaves its files: the folder `.scanrun`, one run at a time.

A killed run must not leave an old "passed" behind: the verdict becomes "incomplete" before
anything else happens, what an earlier run left is removed, and the real verdict is written last.
Only a folder that bears our mark is cleared: any other one holds what is not ours.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from scanrun.errors import OutputError
from scanrun.files import written
from scanrun.sarif.codec import dumps
from scanrun.source import read_regular

VERDICT = "verdict.json"
LOG = "results.sarif"
_LOCK = "lock"
_MARK = ".gitignore"
_IGNORE_ALL = b"# written by scanrun: nothing here belongs into version control\n*\n"
_HALF_WRITTEN = ".tmp-"
_OWN_FOLDERS = {"logs", "raw"}


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """The folder of one run, held by it alone."""

    path: Path

    def write_verdict(self, verdict: Mapping[str, Any]) -> None:
        """Write verdict.json."""
        with written(self.path / VERDICT) as stream:
            stream.write(msgspec.json.format(dumps(verdict), indent=2) + b"\n")

    @property
    def logs(self) -> Path:
        """Return the folder of the scanners' logs."""
        return self.path / "logs"

    @property
    def raw(self) -> Path:
        """Return the folder of the scanners' own reports."""
        return self.path / "raw"


@contextmanager
def opened(
    path: Path,
    running: Mapping[str, Any],
    *,
    scanned: Path | None = None,
    reports: Iterable[str] = (),
) -> Iterator[OutputFolder]:
    """Take the folder for one run, and leave `running` as its verdict until there is one.

    `scanned` is the scanned root. `reports` are the names of files that an earlier run may have
    left; nothing else is removed.

    Raises:
        OutputError: it is a link or not ours, is in use by another run, or can't be written.
    """
    with ExitStack() as stack:
        try:
            _check_place(path, scanned)
            folder = _taken(stack, path, running, (LOG, *reports))
        except Timeout as error:
            raise OutputError(
                f"another run is writing to {str(path)!r}",
                hint="wait for it, or choose another folder with --output",
            ) from error
        except OSError as error:
            raise OutputError(
                f"can't use {str(path)!r}: {error.strerror or error}",
                hint="mend its permissions, or choose another folder with --output",
            ) from error
        yield folder


def forget(
    path: Path,
    verdict: Mapping[str, Any],
    *,
    scanned: Path | None = None,
    reports: Iterable[str] = (),
) -> None:
    """Take back what an earlier run said, before there is anything that could go wrong.

    A folder that is not there, not ours, or another run's has nothing to be taken back. `reports`
    is as in `opened`.
    """
    files = (LOG, *reports)
    with suppress(OutputError, OSError, Timeout, ValueError), ExitStack() as stack:
        _check_place(path, scanned)
        if is_marked(path) or (_has_verdict(path) and _is_ours(path, files)):
            stack.enter_context(FileLock(path / _LOCK, blocking=False))
            OutputFolder(path).write_verdict(verdict)
            for name in files:
                (path / name).unlink(missing_ok=True)


def _check_place(path: Path, scanned: Path | None) -> None:
    """Refuse a folder that leads somewhere else, or holds what is scanned.

    Of the links on the way only the user's own are followed: the scanned tree's author could
    otherwise choose where we write.

    Raises:
        OutputError: it is such a folder.
    """
    absolute = path.absolute()
    for place in (absolute / _LOCK, absolute, *_inside(absolute, scanned)):
        if place.is_symlink():
            what = "" if place == absolute / _LOCK else "output folder "
            raise OutputError(
                f"{what}{str(path if place == absolute else place)!r} is a link",
                hint="remove it, or choose another folder with --output",
            )
    if scanned is not None and scanned.resolve().is_relative_to(absolute.resolve()):
        raise OutputError(
            f"the output folder {str(path)!r} holds what is scanned",
            hint="choose a folder of its own with --output: what lies there is never scanned",
        )


def _inside(path: Path, scanned: Path | None) -> tuple[Path, ...]:
    """Return those folders on the way to `path` that lie in the scanned tree."""
    if scanned is None:
        return ()
    root = scanned.resolve()
    above = [place for place in path.parents if place.resolve() == root]
    if not above:
        return ()
    return tuple(place for place in path.parents if above[-1] in place.parents)


def _taken(
    stack: ExitStack, path: Path, running: Mapping[str, Any], files: Iterable[str]
) -> OutputFolder:
    files = tuple(files)
    path.mkdir(parents=True, exist_ok=True)
    if not _is_ours(path, files):
        raise OutputError(
            f"{str(path)!r} holds files that are not of an earlier run",
            hint="choose a new or an empty folder with --output, or remove what lies there",
        )
    stack.enter_context(FileLock(path / _LOCK, blocking=False))
    if not is_marked(path):
        with written(path / _MARK) as stream:
            stream.write(_IGNORE_ALL)
    folder = OutputFolder(path)
    folder.write_verdict(running)
    _clear(path, files)
    return folder


def _is_ours(path: Path, files: Iterable[str]) -> bool:
    """Say whether nothing of anybody else's can lie in the folder.

    A CI system carries a run's files from job to job, and leaves the mark behind.
    """
    if is_marked(path):
        return True
    left = {each.name for each in path.iterdir() if not each.name.startswith(_HALF_WRITTEN)}
    left.discard(_LOCK)
    if left & _OWN_FOLDERS and _has_verdict(path):
        left -= _OWN_FOLDERS
    return not left or (VERDICT in left and left <= {VERDICT, *files})


def _has_verdict(path: Path) -> bool:
    """Say whether a verdict of a run lies there, and not anybody's file of that name."""
    try:
        found = msgspec.json.decode(read_regular(path / VERDICT))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(found, dict) and {"run_id", "scanrun", "status"} <= found.keys()


def is_marked(path: Path) -> bool:
    """Say whether we made the folder. Its mark is a file of ours, never a link to one."""
    try:
        descriptor = os.open(path / _MARK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(len(_IGNORE_ALL) + 1) == _IGNORE_ALL


def _clear(path: Path, files: Iterable[str]) -> None:
    """Remove what an earlier run left."""
    for name in files:
        (path / name).unlink(missing_ok=True)
    for left in path.glob(f"{_HALF_WRITTEN}*"):
        left.unlink()
    for name in ("logs", "raw"):
        if (path / name).is_symlink():
            (path / name).unlink()
        elif (path / name).exists():
            shutil.rmtree(path / name)
    (path / "logs").mkdir()
