"""How is a service reached from a host that sees none of the engine's networks?

A port on this host's loopback; each connection to it goes through a process that the engine starts
in the service's container. So it works wherever the engine itself can be spoken to.
"""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from scanrun.api import Address

AT_ONCE = 8
"""Connections beyond these wait for one of them to end."""
_WAITING = 64
_CHUNK = 1 << 16
_JOIN_S = 5
_PAUSE_S = 0.2
_RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: close by breaking off."""


class Tunnel(Protocol):
    """One connection to the service, made by somebody who can reach it."""

    def read(self) -> bytes:
        """Return what has come; nothing at the end.

        Raises:
            Exception: it broke off, and what has come may not be all.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send all of it."""
        ...

    def end(self) -> None:
        """Say that nothing more will be written; reading goes on."""
        ...

    def close(self) -> None:
        """End it. Safe to call twice, and from another thread."""
        ...


class Forwarder:
    """Passes connections to a port of this host on through tunnels, until it is stopped."""

    def __init__(self, open_tunnel: Callable[[], Tunnel]) -> None:
        self._open_tunnel = open_tunnel
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_WAITING)
        self.address = Address(*self._listener.getsockname()[:2])
        self._stopped = threading.Event()
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._open: set[_Bridge] = set()
        self._accepting = threading.Thread(target=self._accept, name="forward", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """End all connections, and take no more. Never raises; safe to call twice."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._end_all()
        with suppress(OSError):
            # not every system wakes up who accepts when the listener is closed
            socket.create_connection(self.address_pair, timeout=1).close()
        self._accepting.join(_JOIN_S)
        self._listener.close()
        self._end_all()

    @property
    def address_pair(self) -> tuple[str, int]:
        """Return where it listens, as sockets have it."""
        return self.address.host, self.address.port

    def _end_all(self) -> None:
        with self._lock:
            bridges = tuple(self._open)
        for bridge in bridges:
            bridge.close()
        for bridge in bridges:
            bridge.join(_JOIN_S)

    def _accept(self) -> None:
        while True:
            self._free.acquire()
            near = self._next()
            if self._stopped.is_set():
                if near is not None:
                    _break_off(near)
                    near.close()
                return
            if near is None:
                self._free.release()
                self._stopped.wait(_PAUSE_S)
                continue
            bridge = _Bridge(near, self._open_tunnel, self._done)
            with self._lock:  # who stops it joins all that are here: they have to be started
                self._open.add(bridge)
                bridge.start()

    def _next(self) -> socket.socket | None:
        """Return the next connection; None if there can't be one now (too many open files)."""
        try:
            return self._listener.accept()[0]
        except OSError:
            return None

    def _done(self, bridge: "_Bridge") -> None:
        with self._lock:
            self._open.discard(bridge)
        self._free.release()


def _break_off(near: socket.socket) -> None:
    """Have its end be no end of an answer: one without a length, cut off, would look whole."""
    with suppress(OSError):
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class _Bridge(threading.Thread):
    """One connection. A thread of its own for each direction; this one reads the tunnel."""

    def __init__(
        self,
        near: socket.socket,
        open_tunnel: Callable[[], Tunnel],
        done: Callable[["_Bridge"], None],
    ) -> None:
        super().__init__(name="bridge", daemon=True)
        self._near = near
        self._open_tunnel = open_tunnel
        self._done = done
        self._far: Tunnel | None = None
        self._closed = threading.Event()

    def run(self) -> None:
        """Pass bytes on until the service has ended the connection."""
        up: threading.Thread | None = None
        try:
            self._far = self._open_tunnel()
            if not self._closed.is_set():
                up = threading.Thread(target=self._send, args=(self._far,), daemon=True)
                up.start()
                self._answer(self._far)
        except Exception:  # noqa: BLE001 - whatever it was, the asker sees a broken connection
            _break_off(self._near)
        finally:
            self.close()
            if up is not None:
                up.join(_JOIN_S)
            self._near.close()
            self._done(self)

    def close(self) -> None:
        """End both sides, from whichever thread."""
        self._closed.set()
        with suppress(OSError):
            self._near.shutdown(socket.SHUT_RD)
        if self._far is not None:
            self._far.close()

    def _send(self, far: Tunnel) -> None:
        try:
            while data := self._near.recv(_CHUNK):
                far.write(data)
            far.end()
        except Exception:  # noqa: BLE001 - the asker, or the tunnel, is gone: end the answer too
            far.close()

    def _answer(self, far: Tunnel) -> None:
        """Pass the answer on. Nothing at all is none: there nobody listened."""
        some = False
        while data := far.read():
            self._near.sendall(data)
            some = True
        if not some:
            raise ConnectionResetError
        self._near.shutdown(socket.SHUT_WR)
