"""A real engine behind a wire that can be slow, cut, or full of nonsense."""

import os
import socket
import threading
from contextlib import suppress

SHARED = "unix:///var/run/docker.sock"


class Last(bytes):
    """The last bytes that arrive before the connection breaks."""


def faithful(_request, data):
    return data


class Relay:
    """Passes bytes between its own address and an engine's socket, until it is cut.

    `spoil(request, data)` gets what the client last asked for and a piece of the answer; it
    returns what arrives, as `Last` or None where the connection breaks.
    """

    def __init__(self, path=None, *, spoil=faithful, tls=None, engine=None):
        host = engine or os.environ.get("DOCKER_HOST", SHARED)
        self._far = host.removeprefix("unix://")
        self._spoil = spoil
        self._tls = tls
        self._open = []
        self._threads = []
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
            self.url = f"unix://{path}"
        self._start(self._accept)

    def cut(self):
        """Break every connection, and take no new one."""
        for each in [self._listener, *self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in [self._listener, *self._open]:
            each.close()

    def _start(self, target, *args):
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with suppress(OSError):
                    self._connect(near)

    def _connect(self, near):
        if self._tls:
            near.settimeout(5)
            near = self._tls.wrap_socket(near, server_side=True)
            near.settimeout(None)
        far = socket.socket(socket.AF_UNIX)
        self._open += [near, far]
        far.connect(self._far)
        asked = [b""]
        self._start(self._ask, near, far, asked)
        self._start(self._answer, far, near, asked)

    def _ask(self, near, far, asked):
        with suppress(OSError):
            while data := near.recv(1 << 16):
                if data.split(b" ")[0] in {b"GET", b"POST", b"PUT", b"DELETE", b"HEAD"}:
                    asked[0] = data.split(b"\r\n")[0]
                far.sendall(data)
        _shut(far)

    def _answer(self, far, near, asked):
        with suppress(OSError):
            while data := far.recv(1 << 16):
                spoilt = self._spoil(asked[0], data)
                if spoilt is None:
                    break
                near.sendall(spoilt)
                if isinstance(spoilt, Last):
                    break
        _shut(near)
        _shut(far)


def _shut(end):
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
