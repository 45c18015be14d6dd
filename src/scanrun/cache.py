"""Scanners' databases between runs: one updater, many readers, and never half an edition.

`ROOT/NAME/GENERATION/` holds an edition, `ROOT/NAME/current` names the one in force. Both come
into place by a rename, so a killed update leaves what was there. A reader takes no lock: the
edition it was given stays until two newer ones have come.
"""

import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Self

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from scanrun.errors import CacheError, ConversionError, InterruptedRunError
from scanrun.model import Database, Edition

Update = Callable[[Path], Path | None]
"""Fetches an edition into an empty folder; returns the folder it lies in, if that is another."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_GENERATION = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}")
_INCOMING = "incoming-"
_SETTLED = timedelta(hours=1)
"""So long nothing is fetched again, even where the newest edition there is has run out."""
_AHEAD = timedelta(days=1)
"""So far an edition may be ahead of the clock; one from the future would be fresh for ever."""
_POLL_S = 0.2
LOCK_S = 900.0
"""Seconds; how long another updater is waited for."""


@dataclass(frozen=True, slots=True)
class Held:
    """The edition of a database that is in force."""

    path: Path
    edition: Edition
    size: int


@dataclass(frozen=True, slots=True)
class Cache:
    """The databases below `root`. Safe to use from many processes and threads at once."""

    root: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Return the cache in `SCANRUN_CACHE_DIR`, else below the user's cache folder."""
        named = environment.get("SCANRUN_CACHE_DIR", "").strip()
        return cls(Path(named).absolute() if named else user_cache_path("scanrun") / "databases")

    def current(self, database: Database) -> Held | None:
        """Return the edition in force; None where there never was one.

        Raises:
            CacheError: there is one, and it can't be read.
        """
        generation = self._generation(database.name)
        if generation is None:
            return None
        path = self._folder(database.name) / generation
        if not path.is_dir():
            raise _damaged(database, "its files are gone")
        try:
            return Held(path, database.read(path), _checked_size(path))
        except (ConversionError, OSError) as error:
            raise _damaged(database, str(error)) from error

    def held(self, database: Database) -> Held | None:
        """Return the edition in force; a damaged one counts as none, and is then fetched anew."""
        try:
            return self.current(database)
        except CacheError:
            return None

    def due(self, database: Database, now: datetime) -> bool:
        """Say whether there is, or may be, a newer edition than the one held."""
        try:
            held = self.current(database)
        except CacheError:
            return True
        if held is None:
            return True
        if held.edition.updated - now > _AHEAD:
            return True
        if timedelta(0) <= now - self._fetched(database.name) < _SETTLED:
            return False
        wanted = held.edition.next_update or held.edition.updated + database.refresh
        return now >= wanted

    def update(
        self,
        database: Database,
        run_update: Update,
        *,
        force: bool = False,
        cancel: threading.Event | None = None,
        limit: float = LOCK_S,
    ) -> Held:
        """Fetch a new edition and put it in force; return it.

        One process does it; another that comes meanwhile waits, and takes what the first brought.
        It waits `limit` seconds at the most, and no longer once `cancel` is set.

        Raises:
            CacheError: what came is no such database, or another process holds on to its lock;
                the edition in force stays so.
            InterruptedRunError: `cancel` was set while it waited.
        """
        seen = self._generation_or_none(database)
        with self._locked(database.name, cancel, limit):
            if not force and not self.due(database, datetime.now(UTC)):
                return self._held(database)
            if seen != self._generation_or_none(database):
                return self._held(database)
            with self._incoming(database.name) as incoming:
                self._publish(database, run_update(incoming) or incoming)
            return self._held(database)

    def put(self, database: Database, folder: Path) -> Held:
        """Put a copy of the edition in `folder` in force; see `update`."""
        with self._locked(database.name), self._incoming(database.name) as incoming:
            shutil.copytree(folder, incoming, dirs_exist_ok=True, symlinks=True)
            self._publish(database, incoming)
            return self._held(database)

    def clear(self) -> tuple[str, ...]:
        """Remove every database, and return their names."""
        names = tuple(self.names())
        for name in names:
            with self._locked(name):
                (self._folder(name) / "current").unlink(missing_ok=True)
                shutil.rmtree(self._folder(name))
        return names

    def names(self) -> Iterator[str]:
        """Yield the names of the databases that lie here, sorted."""
        folders = sorted(self.root.iterdir()) if self.root.is_dir() else []
        yield from (each.name for each in folders if each.is_dir() and _NAME.fullmatch(each.name))

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise CacheError(f"{name!r} can't be the name of a database")
        return self.root / name

    def _generation(self, name: str) -> str | None:
        try:
            generation = (self._folder(name) / "current").read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise CacheError(
                f"can't read which edition of {name!r} is in force: {error}"
            ) from error
        if not _GENERATION.fullmatch(generation):
            raise CacheError(
                f"{name!r} names no edition as the one in force", hint="run `scanrun cache update`"
            )
        return generation

    def _generation_or_none(self, database: Database) -> str | None:
        with suppress(CacheError):
            return self._generation(database.name)
        return None

    def _fetched(self, name: str) -> datetime:
        return datetime.fromtimestamp((self._folder(name) / "current").stat().st_mtime, UTC)

    def _held(self, database: Database) -> Held:
        held = self.current(database)
        if held is None:
            raise CacheError(f"{database.title} is not in the cache")
        return held

    @contextmanager
    def _locked(
        self, name: str, cancel: threading.Event | None = None, limit: float = LOCK_S
    ) -> Iterator[None]:
        """Hold the updater's lock. The system drops it when its owner dies."""
        folder = self._folder(name)
        lock = FileLock(self.root / f"{name}.lock", blocking=False)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _acquire(lock, cancel or threading.Event(), limit)
            try:
                folder.mkdir(mode=0o700, exist_ok=True)  # it may have been cleared meanwhile
                yield
            finally:
                lock.release()
        except OSError as error:
            raise CacheError(
                f"the cache in {str(self.root)!r} can't be written: {error.strerror or error}",
                hint="name another folder in SCANRUN_CACHE_DIR",
            ) from error

    @contextmanager
    def _incoming(self, name: str) -> Iterator[Path]:
        """Give an empty folder beside the editions, and remove what killed updates left there."""
        for left in self._folder(name).glob(f"{_INCOMING}*"):
            _remove(left)
        incoming = self._folder(name) / f"{_INCOMING}{token_hex(4)}"
        incoming.mkdir(mode=0o700)
        try:
            yield incoming
        finally:
            _remove(incoming)

    def _publish(self, database: Database, fetched: Path) -> None:
        try:
            _checked_size(fetched)
            database.read(fetched)
        except ConversionError as error:
            raise CacheError(
                f"the update brought no usable {database.title}: {error}", hint=error.hint
            ) from error
        folder = self._folder(database.name)
        before = self._generation_or_none(database)
        generation = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{token_hex(4)}"
        fetched.rename(folder / generation)
        pointer = folder / f"{_INCOMING}current"
        with pointer.open("w", encoding="ascii") as stream:
            stream.write(generation + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        pointer.replace(folder / "current")
        for old in _old(folder, {generation, before}):
            _remove(old)


def _acquire(lock: FileLock, cancel: threading.Event, limit: float) -> None:
    ends = time.monotonic() + limit
    while True:
        try:
            lock.acquire()
        except Timeout as error:
            if cancel.wait(_POLL_S):
                raise InterruptedRunError("interrupted while another process updates") from error
            if time.monotonic() >= ends:
                raise CacheError(
                    f"another process has held {lock.lock_file!r} for {limit:.0f} s",
                    hint="wait for it or end it, or name another folder in SCANRUN_CACHE_DIR",
                ) from error
        else:
            return


def _old(folder: Path, kept: Collection[str | None]) -> Iterable[Path]:
    """Return the editions that are neither in force nor were it last: names only tell a clock."""
    editions = [each for each in folder.iterdir() if _GENERATION.fullmatch(each.name)]
    return [each for each in editions if each.name not in kept]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _checked_size(folder: Path) -> int:
    """Return the size of all files.

    Raises:
        ConversionError: something in it is neither a regular file nor a folder.
    """
    size = 0
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            status = Path(place, name).lstat()
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise ConversionError(f"{name!r} is neither a file nor a folder")
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return size


def _damaged(database: Database, why: str) -> CacheError:
    return CacheError(
        f"{database.title} in the cache is damaged: {why}", hint="run `scanrun cache update`"
    )
