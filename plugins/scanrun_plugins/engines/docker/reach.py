"""Where does this host reach a service?"""

import errno
import socket
from collections.abc import Mapping
from typing import Any

from scanrun.api import Address, Service, StepError
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.forward import Forwarder
from scanrun_plugins.engines.docker.networks import Networks
from scanrun_plugins.engines.docker.served import Made
from scanrun_plugins.engines.docker.tunnel import PYTHON, ExecTunnel, find_tool

_CONNECT_S = 1
NOWHERE = Address("127.0.0.1", 0)
"""Of a service that has ended before it could be spoken to: nothing ever answers there."""


def address_of(
    containers: Containers,
    networks: Networks,
    service: Service,
    made: Made,
) -> tuple[Address, Forwarder | None]:
    """Return where this host reaches the service, and what forwards to it, if anything must.

    An application is reached through its porter: it is in no network with this host.

    Raises:
        StepError: nowhere.
    """
    found = containers.inspect(made.container)
    if not found["State"]["Running"]:
        return NOWHERE, None
    asked = made.porter or made.container
    front = made.front if made.porter else made.other
    if front and networks.here(front):
        direct = Address(_ip(containers.inspect(asked), front), service.port)
        if answers(direct):
            return direct, None
    inside = Address(_ip(found, made.private), service.port)
    try:
        tool = PYTHON if made.porter else find_tool(containers, made.container, service.name)
    except StepError:
        if containers.inspect(made.container)["State"]["Running"]:
            raise
        return NOWHERE, None
    command = tool.command(inside)
    forwarder = Forwarder(lambda: ExecTunnel(containers, asked, command))
    return forwarder.address, forwarder


def answers(address: Address) -> bool:
    """Say whether there is a host at the address; it may well refuse, so early."""
    try:
        socket.create_connection((address.host, address.port), timeout=_CONNECT_S).close()
    except OSError as error:
        return error.errno == errno.ECONNREFUSED
    return True


def _ip(found: Mapping[str, Any], network: str) -> str:
    return str(found["NetworkSettings"]["Networks"][network]["IPAddress"])
