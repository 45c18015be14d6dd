"""Does a server outside the engine take connections from here, and if not, what is to be done?"""

import socket
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from scanrun.api import Address, StepError
from scanrun_plugins.engines.docker.once import Beside, check_cancelled

CONNECT_S = 10.0
"""How long one try to connect may take."""
_PAUSE_S = 0.5
_LOOPBACK = ("localhost", "127.", "::1")


@dataclass(frozen=True, slots=True)
class Remote:
    """A server outside the engine, by the one number under which it answered.

    Its name is not asked for again: from here on it can't come to mean another host.
    """

    address: Address
    family: int
    number: Any
    """As sockets have it; its shape hangs on the family."""

    @property
    def pinned(self) -> Address:
        """Return it for those who ask it themselves."""
        host, port, *_ = self.number
        return Address(str(host), int(port))

    def socket(self) -> socket.socket:
        """Return a socket that can be connected to it."""
        return socket.socket(self.family, socket.SOCK_STREAM)

    def check(self, timeout_s: float) -> None:
        """Connect, and hang up.

        Raises:
            OSError: it takes no connection.
        """
        with self.socket() as trial:
            trial.settimeout(timeout_s)
            trial.connect(self.number)


def find(address: Address, *, patience_s: float, cancel: threading.Event) -> Remote:
    """Return the server as soon as it takes connections.

    Raises:
        StepError: it has not done so for `patience_s`, and why.
    """
    until = time.monotonic() + patience_s
    while True:
        check_cancelled(cancel)
        try:
            return Beside(partial(_first, address)).unless(cancel)
        except OSError as error:
            if time.monotonic() >= until or _for_good(error):
                raise _refusal(address, error) from error
        cancel.wait(_PAUSE_S)


def _for_good(error: OSError) -> bool:
    """Say whether to wait is of no use: a name that is not there does not come by itself."""
    return isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN


def _first(address: Address) -> Remote:
    """Return the first of its numbers that takes connections; a name may have several."""
    last: OSError = OSError("it has no number")
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    for family, _, _, _, number in found:
        remote = Remote(address, family, number)
        try:
            remote.check(CONNECT_S)
        except OSError as error:
            last = error
        else:
            return remote
    raise last


def _refusal(address: Address, error: OSError) -> StepError:
    where = f"{address} (the application's `url`)"
    local = address.host.startswith(_LOOPBACK)
    if isinstance(error, socket.gaierror):
        return StepError(
            f"{where} can't be found: {why(error)}",
            hint="mend the name in `url`, or how this host looks names up",
        )
    if isinstance(error, ConnectionRefusedError):
        here = "; in a CI container, localhost is that container alone" if local else ""
        return StepError(
            f"{where} refuses connections",
            hint=f"start the application first, and see that it listens on that port{here}",
        )
    if isinstance(error, TimeoutError):
        return StepError(
            f"{where} does not answer: no connection after {CONNECT_S:g} s",
            hint="a firewall may drop what this host sends there; try it with curl from here",
        )
    return StepError(f"{where} can't be reached: {why(error)}", hint="try it with curl from here")


def why(error: OSError) -> str:
    """Return the system's own words."""
    if isinstance(error, TimeoutError):
        return "timed out"
    return (error.strerror or str(error) or type(error).__name__).lower()
