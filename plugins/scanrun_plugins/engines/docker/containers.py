"""What is done to containers, in the words of this engine and with its errors."""

import base64
import json
import re
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from requests import Response

from scanrun.api import StepError
from scanrun_plugins.engines.docker.connection import Connection
from scanrun_plugins.engines.docker.failures import TRANSPORT_ERRORS, engine_errors, plain
from scanrun_plugins.engines.docker.owner import SCANNER
from scanrun_plugins.engines.docker.packing import UID, Packer, stream

NEVER_STARTED = "/scanrun-never-started"
_CHUNK = 1 << 18
_NO_FILE = ~0o777
"""Go's mode bits of all that is no plain file."""


def volume_mount(
    volume: str, target: str, *, read_only: bool, copy: bool = False
) -> dict[str, Any]:
    """Return a mount. `copy`: an empty volume takes over what the image has in that folder."""
    return {
        "Type": "volume",
        "Source": volume,
        "Target": target,
        "ReadOnly": read_only,
        "VolumeOptions": {"NoCopy": not copy},
    }


class Containers:
    """The containers and volumes that one run makes, all of them labelled."""

    def __init__(self, connection: Connection, labels: Mapping[str, str]) -> None:
        self.api: Any = connection.api  # partly untyped
        self.podman = connection.podman
        self.labels = dict(labels)
        self._removals: list[threading.Thread] = []

    def create(self, config: Mapping[str, Any], *, scanner: str) -> str:
        """Create a container and return its id."""
        labels = {**self.labels, SCANNER: scanner}
        with engine_errors(f"creating the container of {scanner!r}"):
            made = self.api.create_container_from_config(
                {**config, "Labels": labels}, unique_name(scanner)
            )
        return str(made["Id"])

    def shelf(self, image: str, mounts: Sequence[Mapping[str, Any]], *, scanner: str) -> str:
        """Create a container that never starts: only volumes that one holds can be written to.

        Its root is writable, so that a folder entry can hand a volume over to the scanner's user;
        nothing ever runs in it. While it is there, nobody else can remove its volumes.
        """
        host = {"NetworkMode": "none", "Mounts": list(mounts)}
        config = {"Image": image, "Entrypoint": [NEVER_STARTED], "Cmd": [], "HostConfig": host}
        return self.create(config, scanner=scanner)

    def volume(self, name: str, *, scanner: str) -> str:
        """Create a volume that belongs to the run."""
        return self.kept_volume(name, {**self.labels, SCANNER: scanner})

    def kept_volume(self, name: str, labels: Mapping[str, str]) -> str:
        """Create a volume with these labels alone."""
        with engine_errors("creating a volume"):
            self.api.create_volume(name, labels=dict(labels))
        return name

    def packer(self, folder: str, *, uid: int = UID) -> Packer:
        """Return what packs for `put`."""
        return Packer("." if self.podman else PurePosixPath(folder).name, uid)

    def put(
        self, container: str, folder: str, pieces: Iterable[bytes], cancel: threading.Event
    ) -> None:
        """Unpack a stream in a folder where a volume is mounted, and hand that over.

        Docker takes a volume's owner from an entry in the parent folder; Podman, where the parent
        is the image's and hides no volume, from an entry for the folder itself.
        """
        place = folder if self.podman else str(PurePosixPath(folder).parent)
        with engine_errors("copying files to the engine"):
            done = self.api.put_archive(container, place, stream(pieces, cancel))
        if not done:
            raise StepError("copying files to the engine: it did not take them")

    @contextmanager
    def archive(self, container: str, path: str) -> Iterator[Iterator[bytes] | None]:
        """Yield the archive of a path; None if there is nothing of that name.

        Asked without the SDK's `get_archive`, which keeps the connection open when an archive is
        not read to its end.
        """
        with engine_errors(f"fetching {path!r}"):
            response = self.api.get(
                f"{self.api.base_url}/v{self.api.api_version}/containers/{container}/archive",
                params={"path": path.rstrip("/")},
                headers={"Accept-Encoding": "identity"},
                stream=True,
                timeout=self.api.timeout,
            )
        with response:
            if response.status_code == HTTPStatus.OK:
                yield _chunks(response, path)
            elif response.status_code == HTTPStatus.NOT_FOUND:
                yield None
            else:
                raise StepError(f"fetching {path!r}: the engine refused: {plain(response.text)}")

    def size(self, container: str, path: str) -> int | None:
        """Return how large a regular file of the container is; None if there is none.

        Costs a tenth of fetching it, for which the engine starts a process of its own.
        """
        with engine_errors(f"looking for {path!r}"):
            response = self._look(container, path)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        if response.status_code != HTTPStatus.OK:
            raise StepError(f"looking for {path!r}: the engine refused ({response.status_code})")
        found = json.loads(base64.b64decode(response.headers["X-Docker-Container-Path-Stat"]))
        return int(found["size"]) if found["mode"] & _NO_FILE == 0 else None

    def holds(self, container: str, path: str) -> bool:
        """Say whether there is anything of that name, a link or a file."""
        with engine_errors(f"looking for {path!r}"):
            response = self._look(container, path)
        if response.status_code not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            raise StepError(f"looking for {path!r}: the engine refused ({response.status_code})")
        return bool(response.status_code == HTTPStatus.OK)

    def _look(self, container: str, path: str) -> Response:
        response: Response = self.api.head(
            f"{self.api.base_url}/v{self.api.api_version}/containers/{container}/archive",
            params={"path": path},
            timeout=self.api.timeout,
        )
        return response

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine says of a container."""
        with engine_errors("looking at the container"):
            found: dict[str, Any] = self.api.inspect_container(container)
        return found

    def kill(self, container: str) -> bool:
        """Kill it. False: it had ended by itself."""
        with engine_errors("killing the container"):
            try:
                self.api.kill(container)
            except APIError as error:
                if error.status_code == HTTPStatus.CONFLICT or isinstance(error, NotFound):
                    return False
                raise
        return True

    def remove(self, container: str) -> None:
        """Remove a container, running or not. What resists is left to the end of the run."""
        with suppress(DockerException, *TRANSPORT_ERRORS):
            self.api.remove_container(container, v=True, force=True)

    def remove_all(self, container: str, volumes: Iterable[str]) -> None:
        """Remove a container, if there is one, and then its volumes."""
        if container:
            self.remove(container)
        for volume in volumes:
            self.remove_volume(volume)

    def discard(self, container: str, volumes: Iterable[str]) -> None:
        """Do the same while the caller goes on; `settle` waits for it."""
        job = (container, tuple(volumes))
        thread = threading.Thread(target=self.remove_all, args=job, name="remove", daemon=True)
        self._removals.append(thread)
        thread.start()

    def settle(self) -> None:
        """Wait until all that was discarded is gone, or has resisted."""
        while self._removals:
            self._removals.pop().join()

    def remove_volume(self, volume: str) -> None:
        """Remove a volume. What resists is left to the end of the run."""
        with suppress(DockerException, *TRANSPORT_ERRORS):
            self.api.remove_volume(volume)


def unique_name(stem: str) -> str:
    """Return a name for people (`docker ps`) that nothing else has."""
    return f"scanrun-{re.sub(r'[^a-zA-Z0-9_.-]', '-', stem)}-{uuid.uuid4().hex[:12]}"


def _chunks(response: Response, path: str) -> Iterator[bytes]:
    with engine_errors(f"fetching {path!r}"):
        yield from response.iter_content(_CHUNK)
