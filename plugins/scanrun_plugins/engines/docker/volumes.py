"""How do the scanned copy and the databases get to the engine, once each?

A volume counts as filled only when its sentinel, which is written last, is seen there. The
container that filled it stays, never started, until the run ends: it keeps the volume in use.
"""

import hashlib
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from docker.errors import DockerException

from scanrun.api import CANARY_DIR, EngineLostError, Snapshot, Step, StepError
from scanrun_plugins.engines.docker.containers import Containers, unique_name, volume_mount
from scanrun_plugins.engines.docker.failures import LOST, TRANSPORT_ERRORS, engine_errors
from scanrun_plugins.engines.docker.layout import Layout, layout_of
from scanrun_plugins.engines.docker.once import Once
from scanrun_plugins.engines.docker.owner import KEPT
from scanrun_plugins.engines.docker.packing import (
    Packer,
    files_below,
    folder_stream,
    snapshot_stream,
)

CACHE = "scanrun.cache"
EDITION = "scanrun.edition"
_PLACE = "/scanrun-fill"
_ARRIVED = b"all of it has arrived\n"
_MOST_BLANKS = 32
_NOTHING: Mapping[str, str] = MappingProxyType({})
_FORMAT = b"2"
"""Of what a cache volume holds. Another one makes all that is kept another edition."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A volume whose content was seen to have arrived."""

    volume: str
    sentinel: str
    """Name below the volume's root: it says which run or edition it is of."""
    content: bytes
    notes: tuple[str, ...] = ()


class SharedVolumes:
    """What the steps of one run share."""

    def __init__(self, containers: Containers, run_id: str) -> None:
        self._containers = containers
        self._run_id = run_id
        self._once = Once()
        self._expected = 0
        self._blanks: queue.SimpleQueue[str] = queue.SimpleQueue()

    def expect(self, step: Step) -> None:
        """Know of a step of the run, whose empty folders are then made with the scanned copy.

        Each by itself would cost it a container and a transfer. Podman takes files for one volume
        at a time.
        """
        if self._containers.podman or step.source is None:
            return
        with suppress(StepError):  # told when it runs
            layout = layout_of(step)
            self._expected += len(layout.folders) if layout.blank else 0

    def blanks(self, layout: Layout) -> dict[str, str]:
        """Return folder -> an empty volume that is the scanner's user's; nothing if there is none.

        They stay until the run ends, as the container does that made them so.
        """
        if not layout.blank or self._blanks.qsize() < len(layout.folders):
            return {}
        with suppress(queue.Empty):
            return {folder: self._blanks.get_nowait() for folder in layout.folders}
        return {}

    def snapshot(
        self,
        snapshot: Snapshot,
        extra: Mapping[str, bytes],
        image: str,
        cancel: threading.Event,
    ) -> Filled:
        """Return the scanned copy, made when it is first asked for."""

        def fill() -> Filled:
            packer = self._containers.packer(_PLACE)
            volume = self._containers.volume(unique_name("source"), scanner="files")
            empty = Filled(volume, f"{CANARY_DIR}/.arrived-{self._run_id}", _ARRIVED)
            blanks = {
                f"/scanrun-blank-{number}": self._containers.volume(
                    unique_name("outputs"), scanner="files"
                )
                for number in range(min(self._expected, _MOST_BLANKS))
            }
            filled = self._fill(
                empty,
                packer,
                chain(_handed_over(blanks), snapshot_stream(packer, snapshot, extra)),
                image,
                cancel,
                beside=blanks,
            )
            for blank in blanks.values():
                self._blanks.put(blank)
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
        """Say whether the sentinel lies where the container has the volume.

        Its name is nobody else's, so that it need not be read.
        """
        path = f"{target.rstrip('/')}/{filled.sentinel}"
        return self._containers.size(container, path) == len(filled.content)

    def _copy_cache(
        self, name: str, edition: str, folder: Path, image: str, cancel: threading.Event
    ) -> Filled:
        labels = {KEPT: "cache", CACHE: name, EDITION: edition}
        volume = self._containers.kept_volume(unique_name(f"cache-{name}-{edition[:12]}"), labels)
        packer = self._containers.packer(_PLACE)
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
        *,
        beside: Mapping[str, str] = _NOTHING,
    ) -> Filled:
        shelf = self._shelve(filled.volume, image, beside)
        try:
            self._containers.put(shelf, _PLACE, _with_sentinel(packer, pieces, filled), cancel)
            self._check_arrived(shelf, filled)
        except BaseException:
            self._containers.remove(shelf)
            raise
        return filled

    def _check_arrived(self, shelf: str, filled: Filled) -> None:
        if not self.arrived(shelf, filled, _PLACE):
            raise EngineLostError("the files did not arrive on the engine", hint=LOST)

    def _shelve(self, volume: str, image: str, beside: Mapping[str, str] = _NOTHING) -> str:
        mounts = [
            volume_mount(each, place, read_only=False)
            for place, each in {_PLACE: volume, **beside}.items()
        ]
        return self._containers.shelf(image, mounts, scanner="files")

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
    return Filled(volume, f".scanrun-arrived-{edition}", _ARRIVED)


def _handed_over(places: Iterable[str]) -> Iterator[bytes]:
    """Yield what gives empty volumes to the scanner's user."""
    for place in places:
        yield from Packer(place.strip("/")).folder("", 0o777)


def _with_sentinel(packer: Packer, pieces: Iterable[bytes], filled: Filled) -> Iterator[bytes]:
    """Yield the pieces below the place where the volume is mounted, then the sentinel."""
    yield from packer.folder("", 0o755)
    yield from pieces
    yield from packer.content(filled.sentinel, filled.content)
