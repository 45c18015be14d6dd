"""What lies in a folder: every file, or why it can't be given to a scanner."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from scanrun.model import LeftOut, SnapshotFile

MAX_FILE_SIZE = 1 << 30

RuleOf = Callable[[str, bool], str]
"""Path and whether it is a folder -> the rule that leaves it out, or the empty string."""


def walk(root: Path, rule_of: RuleOf, start: str = "") -> Iterator[SnapshotFile | LeftOut]:
    """Yield all that lies in the folder `start` of `root`; no link is followed.

    A folder that is left out is one entry, with a `/` at its end. Depth costs no recursion.
    """
    folders = [start]
    while folders:
        folder = folders.pop()
        try:
            entries = _list(root / folder)
        except OSError as error:
            yield LeftOut(f"{folder}/", reason_of(error))
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            is_folder = _is_folder(entry)
            rule = rule_of(path, is_folder)
            if rule:
                yield LeftOut(f"{path}/" if is_folder else path, rule)
            elif is_folder:
                folders.append(path)
            else:
                yield look_at(root, path)


def _list(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        # asked for again, and told, where the file is looked at
        return False


def look_at(root: Path, path: str) -> SnapshotFile | LeftOut:
    """Return the file, or why no scanner can be given it."""
    try:
        place = root / path
        status = os.lstat(place)
        rule = _rule_of_status(status)
        if not rule and not is_readable(place):
            rule = "unreadable"
    except OSError as error:
        rule = reason_of(error)
    if rule:
        return LeftOut(path, rule)
    return SnapshotFile(path, status.st_size, stat.S_IMODE(status.st_mode))


def is_readable(place: Path, *, folder: bool = False) -> bool:
    """Say whether the file can be opened, or the folder listed and entered."""
    mode = os.R_OK | os.X_OK if folder else os.R_OK
    return os.access(place, mode, effective_ids=os.access in os.supports_effective_ids)


def _rule_of_status(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "link"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    return "over 1 GiB" if status.st_size > MAX_FILE_SIZE else ""


def reason_of(error: OSError) -> str:
    """Return the rule that stands for what the system said."""
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return "vanished"
    return "path too long" if error.errno == errno.ENAMETOOLONG else "unreadable"
