"""How do the scanned copy and the databases get to the engine, once each?

A volume counts as filled only when its sentinel, which is written last, is read back. The
container that filled it stays, never started, until the run ends: it keeps the volume in use.
"""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import DockerException

from scanrun.api import CANARY_DIR, EngineLostError, Snapshot, StepError
from scanrun_plugins.engines.docker.containers import Containers, unique_name, volume_mount
from scanrun_plugins.engines.docker.failures import LOST, TRANSPORT_ERRORS, engine_errors
from scanrun_plugins.engines.docker.once import Once
from scanrun_plugins.engines.docker.owner import KEPT
from scanrun_plugins.engines.docker.packing import (
    Packer,
    files_below,
    folder_stream,
    snapshot_stream,
)
from scanrun_plugins.engines.docker.unpacking import Budget, unpack

CACHE = "scanrun.cache"
EDITION = "scanrun.edition"
_PLACE = "/scanrun-fill"
_FORMAT = b"1"
"""Of what a cache volume holds. Another one makes all that is kept another edition."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A volume whose content was seen to have arrived."""

    volume: str
    sentinel: str
    """Name below the volume's root."""
    content: bytes
    notes: tuple[str, ...] = ()


class SharedVolumes:
    """What the steps of one run share."""

    def __init__(self, containers: Containers, run_id: str, scratch: Path) -> None:
        self._containers = containers
        self._run_id = run_id
        self._scratch = scratch
        self._once = Once()

    def snapshot(
        self,
        snapshot: Snapshot,
        extra: Mapping[str, bytes],
        image: str,
        cancel: threading.Event,
    ) -> Filled:
        """Return the scanned copy, made when it is first asked for."""

        def fill() -> Filled:
            packer = Packer(_PLACE.strip("/"))
            volume = self._containers.volume(unique_name("source"), scanner="files")
            empty = Filled(volume, f"{CANARY_DIR}/.arrived", self._run_id.encode())
            filled = self._fill(
                empty, packer, snapshot_stream(packer, snapshot, extra), image, cancel
            )
            return Filled(volume, filled.sentinel, filled.content, tuple(packer.notes))

        return self._once.get("snapshot", fill, cancel)

    def cache(self, name: str, folder: Path, image: str, cancel: threading.Event) -> Filled:
        """Return a database's volume; an edition is copied once and kept for later runs."""
        edition = edition_of(folder)

        def have() -> Filled:
            found = self._kept(name, edition, image)
            if found is None:
                found = self._copy_cache(name, edition, folder, image, cancel)
            self._drop_older(name, edition)
            return found

        return self._once.get(("cache", name, edition), have, cancel)

    def arrived(self, container: str, filled: Filled, target: str) -> bool:
        """Say whether the sentinel lies where the container has the volume."""
        path = f"{target.rstrip('/')}/{filled.sentinel}"
        place = self._scratch / unique_name("sentinel")
        with self._containers.archive(container, path) as chunks:
            if chunks is None:
                return False
            try:
                unpack(chunks, path, place, Budget(1))
                return place.read_bytes() == filled.content
            except StepError:
                return False
            finally:
                place.unlink(missing_ok=True)

    def _copy_cache(
        self, name: str, edition: str, folder: Path, image: str, cancel: threading.Event
    ) -> Filled:
        labels = {KEPT: "cache", CACHE: name, EDITION: edition}
        volume = self._containers.kept_volume(unique_name(f"cache-{name}-{edition[:12]}"), labels)
        packer = Packer(_PLACE.strip("/"))
        try:
            filled = self._fill(
                _cache_of(volume, edition), packer, folder_stream(packer, folder), image, cancel
            )
            _check_unchanged(name, packer)
        except BaseException:
            self._containers.remove_volume(volume)
            raise
        return filled

    def _fill(
        self,
        filled: Filled,
        packer: Packer,
        pieces: Iterable[bytes],
        image: str,
        cancel: threading.Event,
    ) -> Filled:
        shelf = self._shelve(filled.volume, image)
        try:
            self._containers.put(shelf, "/", _with_sentinel(packer, pieces, filled), cancel)
            self._check_arrived(shelf, filled)
        except BaseException:
            self._containers.remove(shelf)
            raise
        return filled

    def _check_arrived(self, shelf: str, filled: Filled) -> None:
        if not self.arrived(shelf, filled, _PLACE):
            raise EngineLostError("the files did not arrive on the engine", hint=LOST)

    def _shelve(self, volume: str, image: str) -> str:
        mount = volume_mount(volume, _PLACE, read_only=False)
        return self._containers.shelf(image, [mount], scanner="files")

    def _kept(self, name: str, edition: str, image: str) -> Filled | None:
        """Return a kept volume of that edition that is whole, now held by this run."""
        for volume in self._cache_volumes(name):
            if volume["Labels"].get(EDITION) != edition:
                continue
            filled = _cache_of(volume["Name"], edition)
            shelf = self._shelve(filled.volume, image)
            if self.arrived(shelf, filled, _PLACE):
                return filled
            self._containers.remove(shelf)
        return None

    def _drop_older(self, name: str, edition: str) -> None:
        """Remove other editions; the engine refuses for those that somebody uses."""
        for volume in self._cache_volumes(name):
            if volume["Labels"].get(EDITION) != edition:
                with suppress(DockerException, *TRANSPORT_ERRORS):
                    self._containers.api.remove_volume(volume["Name"])

    def _cache_volumes(self, name: str) -> list[dict[str, Any]]:
        with engine_errors("listing databases"):
            found = self._containers.api.volumes({"label": [f"{KEPT}=cache", f"{CACHE}={name}"]})
        return list(found["Volumes"] or ())


def edition_of(folder: Path) -> str:
    """Return what tells one state of a folder from another, without reading the files."""
    seen = hashlib.sha256(_FORMAT)
    for name in files_below(folder):
        status = (folder / name).lstat()
        seen.update(
            f"\0{name}\0{status.st_size}\0{status.st_mtime_ns}".encode(errors="surrogateescape")
        )
    return seen.hexdigest()


def _check_unchanged(name: str, packer: Packer) -> None:
    if packer.notes:
        raise StepError(f"database {name!r} changed while it was copied: {packer.notes[0]}")


def _cache_of(volume: str, edition: str) -> Filled:
    return Filled(volume, ".scanrun-arrived", edition.encode())


def _with_sentinel(packer: Packer, pieces: Iterable[bytes], filled: Filled) -> Iterator[bytes]:
    """Yield the pieces below the place where the volume is mounted, then the sentinel."""
    yield from packer.folder("", 0o755)
    yield from pieces
    yield from packer.content(filled.sentinel, filled.content)
