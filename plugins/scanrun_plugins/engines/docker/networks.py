"""Who can reach whom? One network for steps that go out, and a closed one for each service."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker.errors import DockerException

from scanrun.api import StepError
from scanrun_plugins.engines.docker.containers import Containers, unique_name
from scanrun_plugins.engines.docker.failures import TRANSPORT_ERRORS, engine_errors
from scanrun_plugins.engines.docker.once import Once

NONE = "none"
NO_NAMES = {"Dns": ["127.0.0.1"], "DnsOptions": ["timeout:1", "attempts:1"]}
"""Has a container ask itself for names: before version 26, Docker passes what it does not
know on to the host's name servers, from networks without a way out too."""
INTERFACES = Path("/sys/class/net")


class Networks:
    """The networks that one run makes."""

    def __init__(self, containers: Containers) -> None:
        self._api = containers.api
        self._podman = containers.podman
        self._labels = containers.labels
        self._once = Once()

    def outer(self, cancel: threading.Event) -> str:
        """Return the run's own way out, where containers can't reach each other."""
        return self._once.get("outer", self.make_outer, cancel)

    def make_outer(self, labels: Mapping[str, str] | None = None) -> str:
        """Create a network with a way out."""
        # Podman does not know the option
        apart = {"com.docker.network.bridge.enable_icc": "false"}
        return self._create("network", labels, options=None if self._podman else apart)

    def make_private(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """Create a network without a way out, not even to the engine's own host.

        Raises:
            StepError: the engine made one that has a way out.
        """
        # else the host stands in it, with all that listens there
        apart = {"com.docker.network.bridge.inhibit_ipv4": "true"}
        made = self._create(name, labels, internal=True, options=None if self._podman else apart)
        try:
            self.check_private(made)
        except BaseException:
            self.remove(made)
            raise
        return made

    def make_front(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """Create a network with this host in it, and without a way out.

        Returns nothing where this host does not see the engine's networks.
        """
        if self._podman or not INTERFACES.is_dir():
            return ""
        made = self._create(name, labels, internal=True)
        if self.here(made):
            return made
        self.remove(made)
        return ""

    def here(self, network: str) -> bool:
        """Say whether this host stands in a network: whether it has that very interface.

        Else a container's number may be somebody else's, who would be taken for it.
        """
        return (INTERFACES / f"br-{self.inspect(network)['Id'][:12]}").exists()

    def check_private(self, network: str) -> None:
        """See that a network has no way out."""
        if self.inspect(network).get("Internal") is not True:
            raise StepError("the engine does not enforce: a network without a way out")

    def inspect(self, network: str) -> dict[str, Any]:
        """Return what the engine says of a network."""
        with engine_errors("looking at a network"):
            found: dict[str, Any] = self._api.inspect_network(network)
        return found

    def join(self, container: str, networks: Sequence[str]) -> None:
        """Have a container join further networks."""
        with engine_errors("joining a network"):
            for network in networks:
                self._api.connect_container_to_network(container, network)

    def remove(self, network: str) -> None:
        """Remove a network. What resists is left to the end of the run."""
        with suppress(DockerException, *TRANSPORT_ERRORS):
            self._api.remove_network(network)

    def _create(
        self,
        stem: str,
        labels: Mapping[str, str] | None,
        *,
        internal: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> str:
        name = unique_name(stem)
        with engine_errors("creating a network"):
            self._api.create_network(
                name,
                driver="bridge",
                internal=internal,
                options=options,
                labels=dict(self._labels if labels is None else labels),
            )
        return name
