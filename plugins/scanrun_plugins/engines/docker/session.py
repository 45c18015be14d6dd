"""One run on one engine: what the core speaks to. Each step's own life is in `step`."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from scanrun.api import (
    EngineLostError,
    EngineSettings,
    Isolation,
    Located,
    MissingToolError,
    Snapshot,
    Step,
    StepError,
    StepOutcome,
)
from scanrun_plugins.engines.docker.connection import Connection, connect
from scanrun_plugins.engines.docker.containers import Containers, unique_name
from scanrun_plugins.engines.docker.failures import engine_errors, sensible
from scanrun_plugins.engines.docker.hardening import with_private_ca
from scanrun_plugins.engines.docker.images import Image, Images
from scanrun_plugins.engines.docker.once import Once
from scanrun_plugins.engines.docker.owner import Owner, labels
from scanrun_plugins.engines.docker.reaping import clear_kept, reap, sweep
from scanrun_plugins.engines.docker.step import StepRun
from scanrun_plugins.engines.docker.volumes import Filled, SharedVolumes

_SUMMARY = (
    "containers: read-only, no capabilities, no privileges to gain, "
    "no network but for steps that declare it"
)


def open_session(settings: EngineSettings) -> "DockerSession":
    """Connect, and remove what dead runs left.

    Raises:
        EngineError: no engine answers.
    """
    connection = connect(settings.environment)
    owner = Owner.here()
    reap(connection.api, owner)
    return DockerSession(connection, settings, owner)


class DockerSession:
    """The engine in use by one run."""

    def __init__(self, connection: Connection, settings: EngineSettings, owner: Owner) -> None:
        self.endpoint = connection.endpoint.url
        self.version = connection.version
        self.isolation = Isolation(network=True, limits=True, summary=_SUMMARY)
        self._connection = connection
        self._settings = settings
        self._images = Images(connection, settings)
        self._containers = Containers(connection, labels(owner, settings.run_id))
        self._volumes = SharedVolumes(self._containers, settings.run_id, settings.scratch)
        self._once = Once()
        self._shared: tuple[Snapshot, Mapping[str, bytes]] | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def locate(self, step: Step) -> Located:
        """Find the step's image; see `Images.locate`."""
        if not step.image:
            return Located("", problem="it has no image", hint="use `--engine local`")
        try:
            with sensible(f"looking for image {step.image!r}"):
                return self._images.locate(step.image, pulled=step.pulled)
        except EngineLostError as error:
            return Located(step.image, problem=str(error), hint=error.hint)

    def prepare(self, step: Step, cancel: threading.Event) -> Located:
        """Pull the step's image where the policy says so."""
        with sensible(f"looking for image {step.image!r}"):
            return self._prepared(step, cancel)[0]

    def share(self, snapshot: Snapshot, extra: Mapping[str, bytes]) -> None:
        """Remember what `Step.source` is to hold."""
        self._shared = (snapshot, extra)

    def run(
        self,
        step: Step,
        *,
        name: str,
        caches: Mapping[str, Path],
        folder: Path,
        cancel: threading.Event,
    ) -> StepOutcome:
        """Run the step in a container of its own."""
        with sensible(f"running {name!r}"):
            return self._run(step, name, caches, folder, cancel)

    def _run(
        self,
        step: Step,
        name: str,
        caches: Mapping[str, Path],
        folder: Path,
        cancel: threading.Event,
    ) -> StepOutcome:
        image = self._prepared(step, cancel)[1].id
        return StepRun(
            containers=self._containers,
            volumes=self._volumes,
            step=with_private_ca(step, self._settings.environment),
            name=name,
            image=image,
            shared=self._mounted(step, image, caches, cancel),
            network=self._network(cancel) if step.network else "none",
            caller=self._settings.environment,
            folder=folder,
            cancel=cancel,
        ).outcome()

    def close(self) -> None:
        """Remove all that the run has made, but for what is kept."""
        if not self._closed:
            self._closed = True
            sweep(self._connection.api, self._settings.run_id)
            self._connection.api.close()

    def digest(self, reference: str) -> str:
        """Return the digest that the registry has for an image now."""
        return self._images.digest(reference)

    def export(self, reference: str, archive: Path) -> None:
        """Write an image as an archive."""
        self._images.export(reference, archive)

    def clear(self) -> Sequence[str]:
        """Remove databases that are kept on the engine and not in use."""
        return clear_kept(self._connection.api)

    def _prepared(self, step: Step, cancel: threading.Event) -> tuple[Located, Image]:
        if not step.image:
            raise MissingToolError(f"step {step.name!r} has no image", hint="use `--engine local`")
        return self._images.prepare(step.image, cancel, pulled=step.pulled)

    def _mounted(
        self, step: Step, image: str, caches: Mapping[str, Path], cancel: threading.Event
    ) -> dict[str, Filled]:
        """Return what the step reads: the scanned copy and its databases."""
        mounted = {}
        for at, name in step.caches.items():
            if name not in caches:
                raise StepError(f"step {step.name!r} needs database {name!r}, which is not there")
            mounted[at.rstrip("/")] = self._volumes.cache(name, caches[name], image, cancel)
        if step.source is not None:
            if self._shared is None:
                raise StepError(f"step {step.name!r} needs files, and none were shared")
            mounted[step.source] = self._volumes.snapshot(*self._shared, image, cancel)
        return mounted

    def _network(self, cancel: threading.Event) -> str:
        """Return the run's own network, where containers can't reach each other."""

        def make() -> str:
            name = unique_name("network")
            # Podman does not know the option
            apart = {"com.docker.network.bridge.enable_icc": "false"}
            with engine_errors("creating a network"):
                self._connection.api.create_network(
                    name,
                    driver="bridge",
                    options=None if self._connection.podman else apart,
                    labels=self._containers.labels,
                )
            return name

        return self._once.get("network", make, cancel)
