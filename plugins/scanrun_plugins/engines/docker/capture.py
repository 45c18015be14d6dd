"""What does a container print? Read while it runs, whole, straight into files.

The engine's own logs are rotated, and after a full disk hold an error's text instead. The SDK's
streams end silently when the connection breaks; here an end in the middle is an error.
"""

import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from docker.utils.socket import read

from scanrun.api import EngineLostError
from scanrun_plugins.engines.docker.failures import LOST

_HEADER = struct.Struct(">BxxxL")
_STDOUT = 1
_CHUNK = 1 << 16


class Capture(threading.Thread):
    """Writes both streams to the log, or stdout to a file of its own.

    Beyond `limit` bytes nothing more is written, and `overflow` is set; reading goes on, so that
    the container can end.
    """

    def __init__(self, source: Any, log: Path, stdout: Path | None, limit: int) -> None:  # noqa: ANN401 - one of the SDK's sockets
        super().__init__(name="capture", daemon=True)
        self.overflow = threading.Event()
        self.error: Exception | None = None
        self._source = source
        self._log = log
        self._stdout = stdout
        self._left = limit

    def run(self) -> None:
        """Read to the end."""
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 - raised again on the thread that waits
            self.error = error
        finally:
            # the SDK hangs the response on its socket; closing the one leaves the other open
            getattr(self._source, "_response", self._source).close()
            self._source.close()

    def _write(self) -> None:
        with ExitStack() as stack:
            log = stack.enter_context(self._log.open("wb", buffering=0))
            out = stack.enter_context(self._stdout.open("wb")) if self._stdout else log
            for kind, chunk in frames(self._source):
                self._left -= len(chunk)
                if self._left < 0:
                    self.overflow.set()
                else:
                    (out if kind == _STDOUT else log).write(chunk)


def frames(source: Any) -> Iterator[tuple[int, bytes]]:  # noqa: ANN401 - as above
    """Yield stream number and bytes.

    Raises:
        EngineLostError: the connection ended in the middle.
    """
    while header := _header(source):
        kind, size = _HEADER.unpack(header)
        while size:
            chunk = _some(source, min(size, _CHUNK))
            if not chunk:
                raise EngineLostError("what the scanner prints was cut off", hint=LOST)
            size -= len(chunk)
            yield kind, chunk


def _header(source: Any) -> bytes:  # noqa: ANN401 - as above
    header = b""
    while len(header) < _HEADER.size:
        part = _some(source, _HEADER.size - len(header))
        if not part and header:
            raise EngineLostError("what the scanner prints was cut off", hint=LOST)
        if not part:
            return b""
        header += part
    return header


def _some(source: Any, size: int) -> bytes:  # noqa: ANN401 - as above
    """Return at least one byte; nothing at the end. The SDK's None means: try again."""
    while (part := read(source, size)) is None:
        continue
    return bytes(part or b"")
