"""How does a server come to run beside the steps? Its start; `served` has its life and end."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from docker.errors import APIError, NotFound

from scanrun.api import EngineSettings, Service, StepError
from scanrun_plugins.engines.docker.containers import Containers, unique_name, volume_mount
from scanrun_plugins.engines.docker.events import Kills, seconds
from scanrun_plugins.engines.docker.failures import engine_errors, explanation
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.once import check_cancelled
from scanrun_plugins.engines.docker.order import MOUNT, Facts, Order
from scanrun_plugins.engines.docker.owner import KEPT, SCANNER
from scanrun_plugins.engines.docker.porter import start_porter
from scanrun_plugins.engines.docker.reach import address_of
from scanrun_plugins.engines.docker.reaping import spoken_to
from scanrun_plugins.engines.docker.sealing import seal
from scanrun_plugins.engines.docker.served import Made, Served
from scanrun_plugins.engines.docker.volumes import EDITION

PRIVATE = "scanrun.private"
"""Label of a service's container: the network that steps join. Podman tells it nowhere else."""
_TRIES = 5
_PAUSE_S = 0.5
_FORMAT = 2
"""Of how a kept service is made. Another one makes all that is kept another edition."""


class Services:
    """Starts services for one run."""

    def __init__(
        self,
        containers: Containers,
        networks: Networks,
        settings: EngineSettings,
    ) -> None:
        self._api = containers.api
        self._containers = containers
        self._networks = networks
        self._caller = settings.environment

    def start(
        self,
        service: Service,
        image: str,
        *,
        scanner: str,
        cancel: threading.Event,
        secrets: Mapping[str, str] = MappingProxyType({}),
        porter: str = "",
    ) -> Served:
        """Start a service, or find it where it is kept. `porter` is the image of its porter."""
        order = Order(
            service=service,
            image=Facts.of(self._api, image),
            scanner=scanner,
            secrets=secrets,
            porter=porter,
        )
        if not service.keep:
            return self._begun(order, self._fresh(order, cancel))
        if secrets:
            raise StepError(f"{service.name!r} is to be kept, and secrets are not")
        order = replace(order, edition=edition_of(service, image))
        for _ in range(_TRIES):
            check_cancelled(cancel)
            running = self._kept(order, cancel)
            if running is not None:
                return running
            time.sleep(_PAUSE_S)
        raise StepError(f"{service.keep!r} is started and removed by others all the time")

    def _kept(self, order: Order, cancel: threading.Event) -> Served | None:
        """Return the kept service, begun if it is not there; None: others are at it, try again."""
        service = order.service
        found = self._find(service)
        if found is not None and found["Config"]["Labels"].get(EDITION) == order.edition:
            return self._resumed(order, found)
        if found is not None:
            self._drop(service, found)
        try:
            made = self._fresh(order, cancel)
        except _TakenError:
            return None
        return self._begun(order, made)

    def _find(self, service: Service) -> dict[str, Any] | None:
        try:
            found = self._inspect(kept_name(service.keep))
        except _GoneError:
            return None
        if (found["Config"].get("Labels") or {}).get(KEPT) != service.keep:
            name = kept_name(service.keep)
            raise StepError(
                f"the engine has a container {name!r}, which is no server of ours",
                hint="rename or remove it",
            )
        return found

    def _inspect(self, container: str) -> dict[str, Any]:
        with engine_errors("looking at the container"):
            try:
                found: dict[str, Any] = self._api.inspect_container(container)
            except NotFound:
                raise _GoneError from None
        return found

    def _resumed(self, order: Order, found: Mapping[str, Any]) -> Served | None:
        """Use one that is there; start it where it has ended."""
        service = order.service
        made = made_of(found)
        since = self._now()
        try:
            self._check(order, made)
            self._start(service, made.container)
            return self._running(order, made, fresh=False, since=since)
        except _GoneError:
            return None
        except StepError as error:
            hint = "`scanrun cache clear` removes it; the next run starts another"
            raise StepError(f"the server kept as {service.keep!r}: {error}", hint=hint) from error

    def _drop(self, service: Service, found: Mapping[str, Any]) -> None:
        """Remove a kept service of another edition.

        Raises:
            StepError: steps of another run are in its network.
        """
        with engine_errors("looking at who uses a kept server"):
            used = spoken_to(self._api, found["Id"])
        if used:
            raise StepError(
                f"the server kept as {service.keep!r} is another edition, and in use",
                hint="wait for the run that uses it",
            )
        made_of(found).remove(self._containers, self._networks)

    def _fresh(self, order: Order, cancel: threading.Event) -> Made:
        """Create and start it; what was made of one that can't be is removed."""
        made = Made()
        service = order.service
        labels = {**self._containers.labels, SCANNER: order.scanner}
        if service.keep:
            labels = {KEPT: service.keep, EDITION: order.edition}
        try:
            # at its end, the porter is whole or has failed: so all that was made of it is known
            with ThreadPoolExecutor(1) as pool:
                porter = self._networked(order, labels, made, pool)
                self._make(order, labels, made, cancel)
                self._start(service, made.container)
                porter.result()
        except BaseException:
            made.remove(self._containers, self._networks)
            raise
        return made

    def _networked(
        self, order: Order, labels: Mapping[str, str], made: Made, pool: Executor
    ) -> "Future[None]":
        """Make its networks, and begin with its porter where it has one."""
        service = order.service
        made.private = self._networks.make_private(service.name, labels)
        if service.open:
            # a kept one outlives the run, and the run's own network
            made.other = self._networks.make_outer(labels)
        elif not service.own_program:
            # the user's own program would reach what listens on this host
            made.other = self._networks.make_front(service.name, labels)
        if not order.porter:
            return pool.submit(lambda: None)
        return pool.submit(
            start_porter, service, order.porter, made, labels, self._containers, self._networks
        )

    def _make(
        self, order: Order, labels: Mapping[str, str], made: Made, cancel: threading.Event
    ) -> None:
        service = order.service
        mounts = self._mounts(order, labels, made, cancel)
        config = {
            **order.config(private=made.private, caller=self._caller),
            "HostConfig": order.host(mounts, private=made.private, podman=self._containers.podman),
            "Labels": {**labels, PRIVATE: made.private},
        }
        made.container = self._create(service, config)
        self._networks.join(made.container, [made.other] if made.other else [])
        self._check(order, made)
        check_cancelled(cancel)

    def _mounts(
        self, order: Order, labels: Mapping[str, str], made: Made, cancel: threading.Event
    ) -> list[dict[str, Any]]:
        """Make its volumes: those that it writes to, and the one that holds its secrets."""
        mounts = []
        for folder in order.service.writes:
            check_cancelled(cancel)
            volume = self._volume(order, labels, made)
            mounts.append(volume_mount(volume, folder.rstrip("/"), read_only=False, copy=True))
        if order.secrets:
            volume = self._volume(order, labels, made)
            seal(self._containers, volume, order, cancel)
            mounts.append(volume_mount(volume, MOUNT, read_only=True))
        return mounts

    def _volume(self, order: Order, labels: Mapping[str, str], made: Made) -> str:
        volume = self._containers.kept_volume(unique_name(order.service.name), labels)
        made.volumes.append(volume)
        return volume

    def _create(self, service: Service, config: Mapping[str, Any]) -> str:
        name = kept_name(service.keep) if service.keep else unique_name(service.name)
        with engine_errors(f"creating the container of {service.name!r}"):
            try:
                return str(self._api.create_container_from_config(config, name)["Id"])
            except APIError as error:
                if service.keep and _taken(error):
                    raise _TakenError from error
                raise

    def _check(self, order: Order, made: Made) -> None:
        """See that it is hardened, and where it was told to be."""
        self._networks.check_private(made.private)
        networks = [name for name in (made.private, made.other) if name]
        order.check(self._inspect(made.container), private=made.private, networks=networks)

    def _start(self, service: Service, container: str) -> None:
        with engine_errors(f"starting {service.name!r}"):
            try:
                self._api.start(container)
            except NotFound:
                raise _GoneError from None

    def _begun(self, order: Order, made: Made) -> Served:
        try:
            return self._running(order, made, fresh=True, since=0)
        except BaseException:
            made.remove(self._containers, self._networks)
            raise

    def _running(self, order: Order, made: Made, *, fresh: bool, since: int) -> Served:
        service = order.service
        begun, kills = self._watched(order, made)
        address, forwarder = address_of(self._containers, self._networks, service, made)
        return Served(
            name=service.name,
            host=service.host_name,
            address=address,
            containers=self._containers,
            networks=self._networks,
            made=made,
            memory_mb=service.limits.memory_mb,
            forwarder=forwarder,
            keep=bool(service.keep),
            fresh=fresh,
            since=since,
            begun=begun,
            kills=kills,
            sealed=bool(order.secrets),
            port=service.port,
            exposed=order.image.exposed,
        )

    def _watched(self, order: Order, made: Made) -> tuple[str, Kills | None]:
        """Return when it was started, and what tells of killed children, where that matters."""
        if not (order.service.watched or order.service.own_program):
            return "", None
        begun = str(self._containers.inspect(made.container)["State"]["StartedAt"])
        return begun, Kills(self._containers, made.container, begun)

    def _now(self) -> int:
        """Return the engine's own time: its log is asked for by it."""
        with engine_errors("asking for the time"):
            return int(seconds(str(self._api.info()["SystemTime"])))


class _TakenError(Exception):
    """Another run has made the container meanwhile."""


class _GoneError(Exception):
    """Another run has removed the container meanwhile."""


def _taken(error: APIError) -> bool:
    """Podman has no status of its own for a name that is taken."""
    return error.status_code == HTTPStatus.CONFLICT or "already in use" in explanation(error)


def kept_name(keep: str) -> str:
    """Return the name of a kept service's container: the same for all who ask for it."""
    return f"scanrun-kept-{re.sub(r'[^a-zA-Z0-9_.-]', '-', keep)}"


def edition_of(service: Service, image: str) -> str:
    """Return what tells one way to run a service from another."""
    limits = service.limits
    parts = (
        _FORMAT,
        image,
        service.name,
        service.port,
        sorted(service.env.items()),
        service.argv,
        service.writes,
        service.open,
        service.host,
        service.own_program,
        (limits.memory_mb, limits.pids, limits.scratch_mb, limits.output_mb, limits.log_mb),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def made_of(found: Mapping[str, Any]) -> Made:
    """Return what a service consists of that is there."""
    private = str(found["Config"]["Labels"][PRIVATE])
    joined = found["NetworkSettings"]["Networks"]
    others = [str(name) for name in joined if name != private]
    return Made(
        container=str(found["Id"]),
        private=private,
        other=others[0] if others else "",
        volumes=[str(each["Name"]) for each in found["Mounts"] if each["Type"] == "volume"],
    )
