"""What takes connections where a process that sits elsewhere can't, and hands them on to it?

A relay's container runs this file by itself, with the standard library alone: what is said to it on
the private network goes through its input and output, as frames. Whoever started it imports this
file for the other end of them, and judges what comes: a container is not to be trusted.

Each end may send `WINDOW` bytes of a connection before the other has said how much it has taken.
The container reads its input while its output is full, so its other end may wait when it writes.
"""

import os
import selectors
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

AT_ONCE = 256
"""Connections beyond these wait for one of them to end."""
WINDOW = 1 << 17
CHUNK = 1 << 15
_ROOM = 1 << 20
"""Of output that is not read; what is beyond is left to wait in the connections."""
_HEADER = struct.Struct(">IBI")
_AMOUNT = struct.Struct(">I")
_RESET = struct.pack("ii", 1, 0)
_WHOLE = struct.pack("ii", 0, 0)
"""For SO_LINGER: close by breaking off, and after all is sent."""

READY, OPEN, DATA, TAKEN, END, CLOSE, BROKEN = range(1, 8)
"""READY: it listens. TAKEN: how much of DATA. END: no more DATA; the other way goes on. CLOSE and
BROKEN are the last that an end says of a connection: both ways have ended, or one broke off."""

Tell = Callable[[int, int, bytes], None]
"""Sends a frame: number of the connection, kind, content."""


def frame(number: int, kind: int, data: bytes = b"") -> bytes:
    """Return a frame as it is sent."""
    return _HEADER.pack(number, kind, len(data)) + data


class Frames:
    """Cuts what comes into frames."""

    def __init__(self) -> None:
        self.held = bytearray()
        """What is no whole frame yet."""

    def feed(self, data: bytes) -> "list[tuple[int, int, bytes]]":
        """Return number, kind and content of each frame that is whole by now.

        Raises:
            ValueError: no such frame is ever sent.
        """
        self.held += data
        found = []
        start = 0
        while start + _HEADER.size <= len(self.held):
            number, kind, size = _HEADER.unpack_from(self.held, start)
            _check(kind, size)
            end = start + _HEADER.size + size
            if end > len(self.held):
                break
            found.append((number, kind, bytes(self.held[end - size : end])))
            start = end
        del self.held[:start]
        return found


def _check(kind: int, size: int) -> None:
    if not READY <= kind <= BROKEN:
        raise ValueError(f"a frame of kind {kind}")
    most = {DATA: CHUNK, TAKEN: _AMOUNT.size}.get(kind, 0)
    if size > most or (kind == TAKEN and size < most) or (kind == DATA and not size):
        raise ValueError(f"a frame of kind {kind} with {size} bytes")


class Line:
    """One connection: a socket at this end, and another one at the other."""

    def __init__(self, number: int, near: socket.socket, tell: Tell) -> None:
        self.number = number
        self.near = near
        self.gone = False
        """This end has said its last, and its socket is closed."""
        self.over = False
        """So has the other."""
        self.ending = False
        """The other end has no more to say."""
        self._tell = tell
        self._out = bytearray()
        self._credit = WINDOW
        self._owed = 0
        self._taken = 0
        self._reading = True
        self._writing = True
        self._deaf = False
        self._breaking = False
        near.settimeout(0)
        with suppress(OSError):
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # from the start: so an end that dies breaks off what it has open
        self._linger(_RESET)

    def wants(self, *, room: bool) -> int:
        """Return what its socket is waited for. `room`: there is some in the stream."""
        reads = self._reading and self._credit > 0 and room
        return selectors.EVENT_READ * reads | selectors.EVENT_WRITE * bool(self._out)

    def came(self, kind: int, data: bytes) -> None:
        """Take a frame from the other end.

        Raises:
            ValueError: it has no business to send that.
        """
        late = self.over or (self.ending and kind not in (TAKEN, CLOSE, BROKEN))
        if late or kind in (READY, OPEN):
            raise ValueError(f"a frame of kind {kind} in the wrong place")
        if kind == DATA:
            self._receive(data)
        elif kind == TAKEN:
            self._credit += _AMOUNT.unpack(data)[0]
            if self._credit > WINDOW:
                raise ValueError("more was taken than was sent")
        else:
            if kind == CLOSE and not self.ending:
                raise ValueError("a connection was closed before its end")
            self.ending = True
            self.over = kind != END
            self._breaking = kind == BROKEN
            self.settle()

    def _receive(self, data: bytes) -> None:
        self._owed += len(data)
        if self._owed > WINDOW:
            raise ValueError("more was sent than may be")
        if self._deaf or self.gone:
            self._take(len(data))
        else:
            self._out += data

    def read(self) -> None:
        """Pass on what the socket has."""
        try:
            data = self.near.recv(min(CHUNK, self._credit))
        except BlockingIOError:
            return
        except OSError:
            self.break_off()
            return
        if data:
            self._credit -= len(data)
            self._tell(self.number, DATA, data)
        elif self._deaf:
            # its end may be that of the error: what it sent may be cut off
            self.break_off()
        else:
            self._reading = False
            self._tell(self.number, END, b"")
            self.settle()

    def write(self) -> None:
        """Give the socket what has come for it."""
        try:
            sent = self.near.send(self._out)
        except BlockingIOError:
            return
        except OSError:
            self._fail()
            return
        del self._out[:sent]
        self._take(sent)
        self.settle()

    def settle(self) -> None:
        """End what has ended."""
        if self._out or self.gone:
            return
        if self._breaking:
            self.break_off()
        elif self.ending and self._writing:
            self._writing = False
            with suppress(OSError):
                self.near.shutdown(socket.SHUT_WR)
        if not self._reading and not self._writing and not self.gone:
            self._linger(_WHOLE)
            self._finish(CLOSE)

    def break_off(self) -> None:
        """End it so that nobody takes it for a good end: an answer cut off would look whole."""
        if not self.gone:
            self._finish(BROKEN)

    def _fail(self) -> None:
        """Go on after the socket takes no more: there may be an answer all the same."""
        self._deaf = True
        self._take(len(self._out))
        self._out.clear()
        if not self._reading or self._credit <= 0 or self._breaking:
            self.break_off()

    def _take(self, count: int) -> None:
        self._taken += count
        if self._taken >= WINDOW // 4 and not self.over and not self.gone:
            self._owed -= self._taken
            self._tell(self.number, TAKEN, _AMOUNT.pack(self._taken))
            self._taken = 0

    def _linger(self, how: bytes) -> None:
        with suppress(OSError):
            self.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)

    def _finish(self, how: int) -> None:
        self.gone = True
        self._out.clear()
        self.near.close()
        self._tell(self.number, how, b"")


L = TypeVar("L", bound=Line)


class Lines(Generic[L]):
    """All connections at one end, and what else is waited for there."""

    def __init__(self) -> None:
        self.all: dict[int, L] = {}
        """By number; also those that this end has closed, and the other not yet."""
        self._waiting: dict[socket.socket | int, int] = {}
        self._selector = selectors.DefaultSelector()

    def __len__(self) -> int:
        return sum(not (line.gone and line.over) for line in self.all.values())

    def came(self, number: int, kind: int, data: bytes) -> None:
        """Take a frame for one of them.

        Raises:
            ValueError: it can't be.
        """
        if number not in self.all:
            raise ValueError(f"a frame for connection {number}, which is not there")
        self.all[number].came(kind, data)

    def watch(self, place: "socket.socket | int", events: int, line: "L | None" = None) -> None:
        """Say what a socket or file is to be waited for from now on; 0: for nothing."""
        before = self._waiting.pop(place, 0)
        if events:
            self._waiting[place] = events
        if before and not events:
            self._selector.unregister(place)
        elif events and not before:
            self._selector.register(place, events, line)
        elif events != before:
            self._selector.modify(place, events, line)

    def turn(self, timeout: "float | None", *, room: bool) -> "dict[object, int]":
        """Wait, and have each connection do what it can; return what else can be done."""
        for line in list(self.all.values()):
            if line.gone:
                self._drop(line)
            else:
                self.watch(line.near, line.wants(room=room), line)
        others: dict[object, int] = {}
        for key, events in self._selector.select(timeout):
            line = key.data
            if line is None:
                others[key.fileobj] = events
                continue
            if events & selectors.EVENT_WRITE and not line.gone:
                line.write()
            if events & selectors.EVENT_READ and not line.gone:
                line.read()
        return others

    def _drop(self, line: L) -> None:
        # closed, it has no number by which a selector would know it: it has forgotten it itself
        if self._waiting.pop(line.near, 0):
            with suppress(KeyError, ValueError):
                self._selector.unregister(line.near)
        if line.over:
            del self.all[line.number]

    def close(self) -> None:
        """Break off all that is open."""
        for line in list(self.all.values()):
            with suppress(OSError):
                line.break_off()
        self._selector.close()


class _Inside:
    """The container's end."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("", port), backlog=AT_ONCE)
        self._listener.settimeout(0)
        self._lines: Lines[Line] = Lines()
        self._frames = Frames()
        self._out = bytearray()
        self._number = 0
        for stream in (0, 1):
            os.set_blocking(stream, False)

    def run(self) -> None:
        self._tell(0, READY, b"")
        self._lines.watch(0, selectors.EVENT_READ)
        while True:
            room = len(self._out) < _ROOM
            takes = room and len(self._lines) < AT_ONCE
            self._lines.watch(self._listener, selectors.EVENT_READ * takes)
            self._lines.watch(1, selectors.EVENT_WRITE * bool(self._out))
            can = self._lines.turn(None, room=room)
            if 0 in can and not self._read():
                self._lines.close()
                return
            if 1 in can:
                self._write()
            if self._listener in can:
                self._accept()

    def _tell(self, number: int, kind: int, data: bytes) -> None:
        self._out += frame(number, kind, data)

    def _read(self) -> bool:
        with suppress(BlockingIOError):
            data = os.read(0, 2 * CHUNK)
            for number, kind, content in self._frames.feed(data):
                self._lines.came(number, kind, content)
            return bool(data)
        return True

    def _write(self) -> None:
        with suppress(BlockingIOError):
            del self._out[: os.write(1, self._out[: 2 * CHUNK])]

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            near = self._listener.accept()[0]
            self._number = self._number % 0xFFFFFFFF + 1
            self._tell(self._number, OPEN, b"")
            self._lines.all[self._number] = Line(self._number, near, self._tell)


if __name__ == "__main__":
    _Inside(int(sys.argv[1])).run()
