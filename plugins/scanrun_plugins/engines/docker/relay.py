"""How does a scanner without a way out reach the one server outside that it is to scan?

A container of its own takes the connections (`relay_inside`), and hands them on through its
input and output. Here, in scanrun's own process, each is connected to that one server, whatever the
container asks for. So the server is found from this host, wherever the engine is, and no network
of the engine leads anywhere.
"""

import errno
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

from scanrun_plugins.engines.docker.failures import plain
from scanrun_plugins.engines.docker.relay_inside import (
    AT_ONCE,
    OPEN,
    READY,
    Frames,
    Line,
    Lines,
    Tell,
    frame,
)
from scanrun_plugins.engines.docker.remote import Remote, why

LINGER_S = 60.0
"""How long an answer may pause once its asker has said all."""
CONNECT_S = 30.0
"""How long the server may take to accept a connection: scanners make many at once."""
LOG_LIMIT = 1 << 20
_STDOUT = 1
_TURN_S = 1.0
_JOIN_S = 5
_WAITING = 8
"""Pieces of what has come that wait for their turn."""

_BELLS = 1 << 12
_HOSTILE = "the relay sent what no relay sends"

_Found = list[tuple[int, int, bytes]]


class Stream(Protocol):
    """Input and output of the relay's container."""

    frames: Iterator[tuple[int, bytes]]
    """1 or 2 for its streams, and what has come. Raises what it likes where it breaks off."""

    def write(self, data: bytes) -> None:
        """Send all of it."""
        ...

    def close(self) -> None:
        """End it. Safe to call twice, and from another thread."""
        ...


class Relay:
    """Connects to one server on behalf of the relay's container, until it is stopped.

    One thread reads what comes, one does all the rest: so what a container sends too fast waits on
    the engine, and nobody needs a lock.
    """

    def __init__(self, stream: Stream, to: Remote, *, watched: bool) -> None:
        self.ready = threading.Event()
        """The container listens."""
        self.connections = 0
        """How many the server has accepted for it."""
        self.refusals = 0
        """How many it has not."""
        self.ended = False
        """What the container says has ended: it may know more of why."""
        self.log = bytearray()
        """What the container printed, the beginning of it."""
        self._stream = stream
        self._to = to
        self._watched = watched
        self._problem = ""
        self._stopped = threading.Event()
        self._lines: Lines[_Far] = Lines()
        self._come: queue.Queue[_Found | None] = queue.Queue(_WAITING)
        self._bell, self._ear = socket.socketpair()
        for each in (self._bell, self._ear):
            each.settimeout(0)
        self._threads = [
            threading.Thread(target=job, name="relay", daemon=True)
            for job in (self._listen, self._pass)
        ]
        for thread in self._threads:
            thread.start()

    def problem(self) -> str:
        """Say what is wrong; empty while all is well. The first problem stays."""
        return self._problem

    def stop(self) -> None:
        """Break off all connections, and make no more. Never raises; safe to call twice."""
        self._stopped.set()
        self._stream.close()
        self._ring()
        for thread in self._threads:
            thread.join(_JOIN_S)
        self._bell.close()
        self._ear.close()

    def _blame(self, problem: str) -> None:
        if not self._problem and not self._stopped.is_set():
            self._problem = plain(problem)

    def _lost(self, problem: str) -> None:
        if not self._stopped.is_set():
            self.ended = True
            self._blame(problem)

    def _ring(self) -> None:
        """Wake up who waits for connections."""
        with suppress(OSError):
            self._bell.send(b"!")

    # what comes

    def _listen(self) -> None:
        frames = Frames()
        try:
            for kind, data in self._stream.frames:
                if kind == _STDOUT:
                    self._hand_on(frames.feed(data))
                else:
                    self.log += data[: LOG_LIMIT - len(self.log)]
                if self._stopped.is_set():
                    return
            self._lost(f"the relay ended{' in the middle of a frame' if frames.held else ''}")
        except ValueError as error:
            self._blame(f"{_HOSTILE}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing more will come
            self._lost(f"the relay's connection to the engine broke off: {error}")
        finally:
            self._hand_on(None)

    def _hand_on(self, found: _Found | None) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._come.put(found, timeout=_TURN_S)
                break
        self._ring()

    # what is done

    def _pass(self) -> None:
        try:
            self._lines.watch(self._ear, selectors.EVENT_READ)
            while not self._stopped.is_set() and self._turn():
                pass
        except ValueError as error:
            self._blame(f"{_HOSTILE}: {error}")
        except Exception as error:  # noqa: BLE001 - nothing is passed on from here: it has to be told
            self._blame(f"the relay can't go on: {_words(error)}")
        finally:
            self._stopped.set()
            self._stream.close()
            self._lines.close()

    def _turn(self) -> bool:
        """Do what can be done now; False at the end."""
        others = self._lines.turn(_TURN_S, room=True)
        now = time.monotonic()
        for line in self._lines.all.values():
            line.look(now)
        if self._ear not in others:
            return True
        self._ear.recv(_BELLS)
        with suppress(queue.Empty):
            while (found := self._come.get_nowait()) is not None:
                for number, kind, data in found:
                    self._one(number, kind, data)
            return False
        return True

    def _one(self, number: int, kind: int, data: bytes) -> None:
        if kind == READY and not self.ready.is_set():
            self.ready.set()
        elif kind != OPEN:
            self._lines.came(number, kind, data)
        elif number in self._lines.all:
            raise ValueError(f"connection {number} a second time")
        elif len(self._lines) >= AT_ONCE:
            raise ValueError(f"more than {AT_ONCE} connections at once")
        else:
            self._lines.all[number] = _Far(number, self._to, self._tell, self._tried)

    def _tell(self, number: int, kind: int, data: bytes) -> None:
        if self._stopped.is_set():
            return
        try:
            self._stream.write(frame(number, kind, data))
        except Exception as error:
            self._lost(f"the relay's connection to the engine broke off: {error}")
            raise

    def _tried(self, error: OSError | None) -> None:
        """Remember how a connection to the server came out."""
        if error is None:
            self.connections += 1
            return
        self.refusals += 1
        if self._watched:
            self._blame(f"{self._to.address} took no connection any more: {why(error)}")


class _Far(Line):
    """One connection to the server."""

    def __init__(
        self, number: int, to: Remote, tell: Tell, tried: Callable[[OSError | None], None]
    ) -> None:
        super().__init__(number, to.socket(), tell)
        self._tried = tried
        self._connecting = True
        self._last = time.monotonic()
        code = self.near.connect_ex(to.number)
        if code not in (0, errno.EINPROGRESS):
            self._refused(OSError(code, os.strerror(code)))

    def wants(self, *, room: bool) -> int:
        """Return what its socket is waited for; at first, that it is connected."""
        if self._connecting:
            return selectors.EVENT_WRITE
        return super().wants(room=room)

    def read(self) -> None:
        """Pass on what the server says."""
        self._last = time.monotonic()
        super().read()

    def write(self) -> None:
        """See that it is connected, and tell the server what has come for it."""
        self._last = time.monotonic()
        if self._connecting:
            if code := self.near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._refused(OSError(code, os.strerror(code)))
                return
            self._connecting = False
            self._tried(None)
        super().write()

    def settle(self) -> None:
        """End what has ended; nothing has before it is connected."""
        if not self._connecting:
            super().settle()

    def look(self, now: float) -> None:
        """Break off what has taken too long."""
        quiet = now - self._last
        if self.gone:
            return
        if self._connecting and quiet > CONNECT_S:
            self._refused(TimeoutError())
        elif self.ending and quiet > LINGER_S:
            self.break_off()

    def _refused(self, error: OSError) -> None:
        self._tried(error)
        self.break_off()


def _words(error: Exception) -> str:
    return why(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
