"""What is copied to the containers of a compose file, in the place of what it would mount?"""

import os
import shlex
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from scanrun.api import StepError
from scanrun_plugins.engines.docker.compose_model import Frame, Plan
from scanrun_plugins.engines.docker.composed import containers_of
from scanrun_plugins.engines.docker.containers import Containers, unique_name, volume_mount
from scanrun_plugins.engines.docker.failures import engine_errors
from scanrun_plugins.engines.docker.order import MOUNT, Facts, Order, through_shell
from scanrun_plugins.engines.docker.packing import Packer, stream
from scanrun_plugins.engines.docker.sealing import seal

_SHELF = "/scanrun-bind"


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies what a plan says: folders and secrets before its containers are made, then files."""

    plan: Plan
    frame: Frame
    containers: Containers
    scanner: str
    cancel: threading.Event

    def seal(self) -> None:
        """Have a shell of the image read the secrets: they stand in no order, and in no file."""
        if not self.frame.secrets:
            return
        service = self.plan.services[self.frame.main]
        facts = Facts.of(self.containers.api, service["image"])
        if service.get("user") is not None:
            facts = replace(facts, user=str(service["user"]))
        volume = self._volume(unique_name(self.frame.main))
        order = Order(
            service=self.frame.service,
            image=facts,
            scanner=self.scanner,
            secrets=self.frame.secrets,
        )
        seal(self.containers, volume, order, self.cancel)
        mount = {"type": "volume", "source": volume, "target": MOUNT, "read_only": True}
        service.setdefault("volumes", []).append(mount)
        command = through_shell(_argv(service, facts))
        service["entrypoint"], service["command"] = command[:1], command[1:]

    def _volume(self, name: str) -> str:
        self.plan.model["volumes"][name] = {"external": True, "name": name}
        return self.containers.kept_volume(name, self.frame.labels)

    def fill(self) -> None:
        """Copy the folders of the tree that the file binds."""
        image = str(self.plan.services[self.frame.main]["image"])
        for volume, folder in self.plan.folders.items():
            self._volume(volume)
            mount = volume_mount(volume, _SHELF, read_only=False)
            shelf = self.containers.shelf(image, [mount], scanner=self.scanner)
            packer = self.containers.packer(_SHELF)
            try:
                self.containers.put(shelf, _SHELF, pieces_of(packer, folder), self.cancel)
            finally:
                self.containers.remove(shelf)
            _check_notes(packer)

    def put(self) -> None:
        """Copy the files that the file binds, its secrets and its configs."""
        found = containers_of(self.containers.api, self.frame.project)
        for copy in self.plan.files:
            at = PurePosixPath(copy.target)
            packer = Packer(str(at.parent).strip("/") or ".")
            with engine_errors(f"copying {copy.target!r} to {copy.service!r}"):
                data = stream(_pieces_of_file(packer, at.name, copy.content), self.cancel)
                self.containers.api.put_archive(found[copy.service]["Id"], "/", data)
            _check_notes(packer)


def pieces_of(packer: Packer, folder: Path) -> Iterator[bytes]:
    """Yield a folder of the tree as it is: what leads out of it as the link that it is."""
    yield from packer.folder("", 0o755)
    for parent, folders, names in os.walk(folder):
        folders.sort()
        below = Path(parent).relative_to(folder)
        for name in sorted([*folders, *names]):
            path, at = Path(parent, name), str(below / name)
            if path.is_symlink():
                yield from packer.link(at, str(path.readlink()))
            elif path.is_dir():
                yield from packer.folder(at)
            elif path.is_file():
                mode = path.stat().st_mode
                yield from packer.host_file(at, folder, at, mode)


def _pieces_of_file(packer: Packer, name: str, content: Path | bytes) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield from packer.content(name, content)
        return
    if not content.is_file():
        raise StepError(f"the compose file names {content.name!r}, which is no file")
    # a script stays one
    mode = content.stat().st_mode
    yield from packer.host_file(name, content.parent, content.name, mode)


def _check_notes(packer: Packer) -> None:
    if packer.notes:
        raise StepError(f"the compose file binds what can't be copied: {packer.notes[0]}")


def _argv(service: Mapping[str, Any], facts: Facts) -> list[str]:
    """Return the whole command of a service: an entry point of its own takes the image's away."""
    entrypoint, command = service.get("entrypoint"), service.get("command")
    words = [] if command is None else _words(command)
    if entrypoint is not None:
        return _words(entrypoint) + words
    return list(facts.entrypoint) + (list(facts.command) if command is None else words)


def _words(command: str | list[Any]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else [str(each) for each in command]
