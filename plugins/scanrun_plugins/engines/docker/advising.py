"""Why may a service that runs not be ready? What its image says, and what listens in it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address

from scanrun.api import ScanError
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.executing import execute

_SOCKETS = ("cat", "/proc/net/tcp", "/proc/net/tcp6")
_ASK_S = 5.0
_LISTENING = "0A"
_WORD = 8
_RESOLVER = "127.0.0.11"
"""Where the engine's own resolver listens, in every container with a network."""


def advice(
    containers: Containers, container: str, name: str, port: int, exposed: Sequence[int]
) -> Iterator[str]:
    """Yield what does not go with the port where it is asked."""
    elsewhere = set(exposed) if port not in exposed else set()
    if elsewhere:
        yield f"the image exposes {_listed(exposed)}, and {name}.port is {port}"
    listening = _listening(containers, container)
    if listening is None:
        return
    mine = [host for host, at in listening if at == port]
    if mine and all(ip_address(host).is_loopback for host in mine):
        yield f"it listens on {mine[0]} alone: have it listen on 0.0.0.0, where others reach it"
    elif not mine and (ports := sorted({at for _, at in listening} - elsewhere)):
        yield f"it listens on port {_listed(ports)}, and {name}.port is {port}"
    elif not listening:
        yield "nothing listens in its container yet"


def _listening(containers: Containers, container: str) -> list[tuple[str, int]] | None:
    """Return hosts and ports; None where it can't be found out: nothing there reads a file."""
    with suppress(ScanError, ValueError):
        code, printed = execute(
            containers, container, _SOCKETS, timeout_s=_ASK_S, cancel=threading.Event()
        )
        # without the second version of the protocol, one of the files is not there
        if code in (0, 1) and printed:
            return list(_sockets(printed.decode(errors="replace")))
    return None


def _sockets(table: str) -> Iterator[tuple[str, int]]:
    for line in table.splitlines():
        _, *fields = line.split()
        if len(fields) > 2 and fields[2] == _LISTENING:  # noqa: PLR2004 - the fourth column
            host, _, port = fields[0].partition(":")
            if (shown := _number(host)) != _RESOLVER:
                yield shown, int(port, 16)


def _number(text: str) -> str:
    """Return an address. The kernel writes each 32 bits of it in the machine's order."""
    words = [text[at : at + _WORD] for at in range(0, len(text), _WORD)]
    return str(ip_address(b"".join(bytes.fromhex(word)[::-1] for word in words)))


def _listed(ports: Sequence[int]) -> str:
    return ", ".join(map(str, ports))
