"""One run on one engine: what the core speaks to. Each step's own life is in `step`."""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from scanrun.api import (
    EngineLostError,
    EngineSettings,
    Isolation,
    Located,
    MissingToolError,
    Running,
    Service,
    Snapshot,
    Step,
    StepError,
    StepOutcome,
)
from scanrun_plugins.engines.docker.building import Builds
from scanrun_plugins.engines.docker.connection import Connection, connect
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.failures import engine_errors, sensible
from scanrun_plugins.engines.docker.hardening import with_private_ca
from scanrun_plugins.engines.docker.images import Image, Images
from scanrun_plugins.engines.docker.networks import NONE, Networks
from scanrun_plugins.engines.docker.owner import Owner, labels
from scanrun_plugins.engines.docker.reaping import clear_kept, reap, sweep
from scanrun_plugins.engines.docker.relayed import start_relay
from scanrun_plugins.engines.docker.remote import find
from scanrun_plugins.engines.docker.served import Served, served
from scanrun_plugins.engines.docker.services import Services
from scanrun_plugins.engines.docker.step import StepRun
from scanrun_plugins.engines.docker.volumes import Filled, SharedVolumes

_SUMMARY = (
    "containers: read-only, no capabilities, no privileges to gain, "
    "no network but for steps that declare it"
)
_PODMAN = "; a child killed for its memory is not told"


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
        self.isolation = Isolation(network=True, limits=True, summary=_summary(connection))
        self._connection = connection
        self._settings = settings
        self._images = Images(connection, settings)
        self._containers = Containers(connection, labels(owner, settings.run_id))
        self._volumes = SharedVolumes(self._containers, settings.run_id)
        self._networks = Networks(self._containers)
        self._builds = Builds(connection, settings, self._images, self._containers.labels)
        self._services = Services(self._containers, self._networks, settings)
        self._serving: list[Served] = []
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
        self._volumes.expect(step)
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
        beside: Sequence[Running] = (),
    ) -> StepOutcome:
        """Run the step in a container of its own."""
        with sensible(f"running {name!r}"):
            return self._run(step, name, caches, folder, cancel, served(beside))

    def _run(  # noqa: PLR0917 - the contract's
        self,
        step: Step,
        name: str,
        caches: Mapping[str, Path],
        folder: Path,
        cancel: threading.Event,
        beside: Sequence[Served],
    ) -> StepOutcome:
        image = self._prepared(step, cancel)[1].id
        networks = list(dict.fromkeys(each.network for each in beside))
        if step.network:
            networks.append(self._networks.outer(cancel))
        return StepRun(
            containers=self._containers,
            volumes=self._volumes,
            step=with_private_ca(step, self._settings.environment),
            name=name,
            image=image,
            share=lambda: self._mounted(step, image, caches, cancel),
            joins=self._networks,
            networks=networks or [NONE],
            beside={each.host: each.number() for each in beside},
            caller=self._settings.environment,
            folder=folder,
            cancel=cancel,
        ).outcome()

    @cached_property
    def memory_mb(self) -> int:
        """What the engine's machine has."""
        with sensible("asking for its memory"), engine_errors("asking for its memory"):
            return int(self._connection.api.info()["MemTotal"]) >> 20

    def serve(
        self,
        service: Service,
        *,
        name: str,
        cancel: threading.Event,
        secrets: Mapping[str, str] = MappingProxyType({}),
        say: Callable[[str], None] = lambda _: None,
        log: Path | None = None,
    ) -> Served:
        """Start a service in a container of its own, or find the one that was kept."""
        log = log or self._settings.scratch / f"{service.name}.log"
        with sensible(f"starting {service.name!r}"):
            running = self._served(
                service, name=name, cancel=cancel, secrets=secrets, say=say, log=log
            )
        self._serving.append(running)
        return running

    def _served(
        self,
        service: Service,
        *,
        name: str,
        cancel: threading.Event,
        secrets: Mapping[str, str],
        say: Callable[[str], None],
        log: Path,
    ) -> Served:
        if service.remote is not None:
            to = find(service.remote, patience_s=service.start_s, cancel=cancel)
            image = self._images.prepare(service.image, cancel)[1].id
            return start_relay(
                service, to, image, self._containers, self._networks, scanner=name, cancel=cancel
            )
        if service.compose is not None:
            return self._composed(
                service, name=name, cancel=cancel, secrets=secrets, say=say, log=log
            )
        image = self._image_of(service, cancel, say, log)
        porter = self._porter_of(service, cancel)
        return self._services.start(
            service, image, scanner=name, cancel=cancel, secrets=secrets, porter=porter
        )

    def _composed(
        self,
        service: Service,
        *,
        name: str,
        cancel: threading.Event,
        secrets: Mapping[str, str],
        say: Callable[[str], None],
        log: Path,
    ) -> Served:
        from scanrun_plugins.engines.docker.compose import ComposeStart  # noqa: PLC0415 - YAML

        return ComposeStart(
            service=service,
            connection=self._connection,
            containers=self._containers,
            networks=self._networks,
            images=self._images,
            builds=self._builds,
            settings=self._settings,
            scanner=name,
            log=log,
            cancel=cancel,
            say=say,
            secrets=secrets,
            porter=self._porter_of(service, cancel),
        ).running()

    def _image_of(
        self, service: Service, cancel: threading.Event, say: Callable[[str], None], log: Path
    ) -> str:
        """Return the id of the image that a service runs in."""
        if service.build is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            return self._builds.image(
                service.build, name=service.name, log=log, cancel=cancel, say=say
            )
        return self._images.prepare(service.image, cancel)[1].id

    def _porter_of(self, service: Service, cancel: threading.Event) -> str:
        """Return the id of the image through which this host reaches it; empty: it does itself."""
        return self._images.prepare(service.porter, cancel)[1].id if service.porter else ""

    def close(self) -> None:
        """Remove all that the run has made, but for what is kept."""
        if not self._closed:
            self._closed = True
            for running in self._serving:
                running.leave()
            self._containers.settle()
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


def _summary(connection: Connection) -> str:
    """Say what a scanner is kept from, and what this engine does not tell."""
    return _SUMMARY + (_PODMAN if connection.podman else "")
