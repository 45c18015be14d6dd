"""How does a relay come to stand beside the steps, and how does it fare?"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scanrun.api import Service, StepError
from scanrun_plugins.engines.docker.attached import Attached
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.failures import engine_errors
from scanrun_plugins.engines.docker.helper import check_helper, helper_config
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.once import check_cancelled
from scanrun_plugins.engines.docker.relay import Relay
from scanrun_plugins.engines.docker.remote import Remote
from scanrun_plugins.engines.docker.served import Made, Served

START_S = 60.0
_POLL_S = 0.05


@dataclass(kw_only=True)
class Relayed(Served):
    """A relay that runs. What is spoken to from this host is the server itself."""

    relay: Relay
    to: Remote

    def problem(self) -> str:
        """Say why nothing more can be reached through it; empty while all is well."""
        problem = self.relay.problem()
        if self.relay.ended or not problem:
            return super().problem() or problem
        return problem

    def execute(
        self,
        argv: Sequence[str],  # noqa: ARG002 - the contract's
        *,
        timeout_s: float,  # noqa: ARG002
        cancel: threading.Event,  # noqa: ARG002
    ) -> tuple[int, str]:
        """Refuse to."""
        raise StepError(
            f"{self.name!r} runs elsewhere: no command can be run beside it",
            hint="run it where the application runs",
        )

    def leave(self) -> None:
        """End all connections to the server."""
        self.relay.stop()

    def _printed(self, **_: object) -> Iterator[bytes]:
        """Return what its container printed, which no engine keeps, and what it has done."""
        relay = self.relay
        count = f"{relay.connections} connections to {self.to.address}, {relay.refusals} refused\n"
        yield bytes(relay.log)
        yield count.encode()


def start_relay(  # noqa: PLR0917 - all that a service is started with
    service: Service,
    to: Remote,
    image: str,
    containers: Containers,
    networks: Networks,
    scanner: str,
    cancel: threading.Event,
) -> Relayed:
    """Start the relay's container, and pass on what it takes to the server alone.

    Raises:
        StepError: its image has no Python 3, or the engine does not keep it in.
    """
    made = Made()
    relay: Relay | None = None
    try:
        made.private = networks.make_private(service.name)
        made.container = containers.create(
            _config(service, image, made.private, podman=containers.podman), scanner=scanner
        )
        check_helper(service.name, made.container, containers, service.limits, [made.private])
        check_cancelled(cancel)
        with engine_errors("speaking to the relay"):
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            source = containers.api.attach_socket(made.container, params=params)
        relay = Relay(Attached(source), to, watched=service.watched)
        with engine_errors(f"starting {service.name!r}"):
            containers.api.start(made.container)
        running = Relayed(
            name=service.name,
            host=service.host_name,
            address=to.pinned,
            to=to,
            containers=containers,
            networks=networks,
            made=made,
            memory_mb=service.limits.memory_mb,
            begun=str(containers.inspect(made.container)["State"]["StartedAt"]),
            port=service.port,
            relay=relay,
        )
        _await(running, cancel)
    except BaseException:
        if relay is not None:
            relay.stop()
        made.remove(containers, networks)
        raise
    return running


def _await(running: Relayed, cancel: threading.Event) -> None:
    """Return when it listens."""
    until = time.monotonic() + START_S
    while not running.relay.ready.wait(_POLL_S):
        check_cancelled(cancel)
        if problem := running.problem():
            hint = "the scanner's image has to have python3 for it"
            raise StepError(f"the relay {running.name!r} can't be used: {problem}", hint=hint)
        if time.monotonic() > until:
            raise StepError(f"the relay {running.name!r} did not listen after {START_S:g} s")


def _config(service: Service, image: str, private: str, *, podman: bool) -> dict[str, Any]:
    config = helper_config(
        image,
        "relay_inside.py",
        (str(service.port),),
        port=service.port,
        limits=service.limits,
        private=private,
        podman=podman,
    )
    return {
        **config,
        "NetworkingConfig": {"EndpointsConfig": {private: {"Aliases": [service.host_name]}}},
        # its input ends with this process, and it with its input
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
    }
