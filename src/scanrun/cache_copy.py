"""Databases as a folder that can be carried to a machine without a network, and back in."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

import msgspec

from scanrun.cache import Cache, Held
from scanrun.errors import CacheError
from scanrun.files import written
from scanrun.model import Database

LIST = "scanrun-cache.json"
_LARGEST_LIST = 2**20


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int
    sha256: str


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    databases: dict[str, dict[str, _File]]
    """Name -> path below its folder -> what lies there."""


def save(cache: Cache, databases: Iterable[Database], directory: Path) -> tuple[str, ...]:
    """Copy the editions in force into `directory`, and return their names.

    Raises:
        CacheError: one is damaged, or there is none at all.
    """
    listed: dict[str, dict[str, _File]] = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / LIST).unlink(missing_ok=True)  # what lies there is not whole until the end
        for database in databases:
            held = cache.current(database)
            if held is not None:
                listed[database.name] = _copy_out(held, directory / database.name)
    except OSError as error:
        raise CacheError(f"can't save to {str(directory)!r}: {error.strerror or error}") from error
    if not listed:
        raise CacheError("the cache is empty", hint="run `scanrun cache update` first")
    with written(directory / LIST) as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(_Saved(1, listed))) + b"\n")
    return tuple(listed)


def restore(cache: Cache, databases: Iterable[Database], directory: Path) -> Mapping[str, Held]:
    """Put the databases that were saved to `directory` in force. All are checked, then each.

    Raises:
        CacheError: it is no such folder, a file is not what was saved, or a link, or unknown.
    """
    saved = _read_list(directory)
    known = {database.name: database for database in databases}
    unknown = sorted(saved.databases.keys() - known.keys())
    if unknown:
        raise CacheError(f"no scanner here knows the database {unknown[0]!r}")
    with TemporaryDirectory(prefix="scanrun-restore-") as scratch:
        for name, files in saved.databases.items():
            for path, file in files.items():
                _copy_in(directory / name, path, file, Path(scratch, name))
        return {name: cache.put(known[name], Path(scratch, name)) for name in saved.databases}


def _read_list(directory: Path) -> _Saved:
    try:
        with _opened(directory / LIST) as stream:
            saved = msgspec.json.decode(stream.read(_LARGEST_LIST), type=_Saved)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise CacheError(
            f"{str(directory)!r} holds no saved cache: {error}",
            hint="name a folder that `scanrun cache save` has written",
        ) from error
    if saved.format != 1 or not saved.databases:
        raise CacheError(f"{str(directory)!r} holds no saved cache that can be read")
    return saved


def _copy_out(held: Held, folder: Path) -> dict[str, _File]:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    shutil.copytree(held.path, folder)
    return {str(path.relative_to(folder)): _measured(path) for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _measured(path: Path) -> _File:
    with path.open("rb") as stream:
        return _File(path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


def _copy_in(folder: Path, path: str, file: _File, scratch: Path) -> None:
    """Copy one file, and see that it is the one that was saved."""
    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts:
        raise CacheError(f"the saved cache names a file {path!r} outside of it")
    target = scratch.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _opened(folder.joinpath(*parts)) as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy)
    except OSError as error:
        raise CacheError(f"saved file {path!r} can't be read: {error.strerror}") from error
    if _measured(target) != file:
        raise CacheError(f"saved file {path!r} is not what was saved: it is damaged or was changed")


def _opened(path: Path) -> IO[bytes]:
    """Open a regular file; never through a link, and never a device or pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    stream = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise OSError(f"{path.name!r} is no file")
    return stream
