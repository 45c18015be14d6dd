"""What passes between this process and one in a container, over the engine's own connection?

The SDK hands out what it has answered over; what is read, written and closed by hand is here.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from docker.errors import DockerException

from scanrun_plugins.engines.docker.capture import frames
from scanrun_plugins.engines.docker.failures import TRANSPORT_ERRORS


class Attached:
    """Input and output of a process. One thread may read while another one writes."""

    def __init__(self, source: Any) -> None:  # noqa: ANN401 - one of the SDK's sockets
        self._source = source
        self._response = source._response  # noqa: SLF001 - the SDK hangs it there
        # over plain connections the SDK returns what only reads
        self._socket = getattr(source, "_sock", source)
        self._socket.settimeout(None)
        # not the socket: the SDK may have read more than the answer's head from it
        stream = self._response.raw._fp.fp  # noqa: SLF001 - nothing public leads there
        self.frames: Iterator[tuple[int, bytes]] = frames(stream, _some)
        """Number of the stream (1 or 2), and what has come; ends as they end.

        Raises:
            EngineLostError: they broke off in the middle.
        """
        self._closing = threading.Lock()
        self._closed = False

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(data)

    def end(self, linger_s: float) -> None:
        """Close the process's input, where the way to it can be closed by half.

        From then on it is waited for `linger_s` for more of its output.
        """
        self._socket.settimeout(linger_s)
        if (process := self._process) is not None:
            process.stdin.close()
        elif not hasattr(self._socket, "unwrap"):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End it. Safe to call twice, and from another thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        if (process := self._process) is not None:
            process.terminate()
        with suppress(OSError, ValueError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for each in (self._response, self._source):
            with suppress(OSError, ValueError, DockerException, *TRANSPORT_ERRORS):
                each.close()

    @property
    def _process(self) -> Any:  # noqa: ANN401 - a subprocess, where the engine is spoken to by ssh
        return getattr(self._socket, "proc", None)


def _some(stream: Any, size: int) -> bytes:  # noqa: ANN401 - one of several buffered readers
    return bytes(stream.read1(size))
