"""What does a container print? Read while it runs, whole, straight into files.

The engine's own logs are rotated, and after a full disk hold an error's text instead. The SDK's
streams end silently when the connection breaks; here an end in the middle is an error.
"""

import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from docker.utils.socket import read

from scanrun.api import EngineLostError, Limits
from scanrun_plugins.engines.docker.failures import LOST

_HEADER = struct.Struct(">BxxxL")
_STDOUT = 1
_CHUNK = 1 << 16
_KEPT = 1 << 16


class Capture(threading.Thread):
    """Writes both streams to the log, or stdout to a file of its own.

    Beyond what `limits` allow nothing more is written, and `overflow` is set; reading goes on, so
    that the container can end.
    """

    def __init__(self, source: Any, log: Path, stdout: Path | None, limits: Limits) -> None:  # noqa: ANN401 - one of the SDK's sockets
        super().__init__(name="capture", daemon=True)
        self.overflow = threading.Event()
        self.allowed_mb = limits.log_mb
        """Which limit it was that overflowed."""
        self.error: Exception | None = None
        self._source = source
        self._log = log
        self._stdout = stdout
        self._limits = limits

    def run(self) -> None:
        """Read to the end."""
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 - raised again on the thread that waits
            self.error = error
            self._make_room()
        finally:
            # the SDK hangs the response on its socket; closing the one leaves the other open
            getattr(self._source, "_response", self._source).close()
            self._source.close()

    def _make_room(self) -> None:
        """Keep the beginning only: where a disk is full, the rest of the run needs the room."""
        for path in (self._log, self._stdout):
            with suppress(OSError):
                if path is not None and path.stat().st_size > _KEPT:
                    os.truncate(path, _KEPT)

    def _write(self) -> None:
        with ExitStack() as stack:
            log = stack.enter_context(self._log.open("wb", buffering=0))
            out = stack.enter_context(self._stdout.open("wb")) if self._stdout else log
            left: dict[object, int] = {log: self._limits.log_mb << 20}
            if out is not log:
                left[out] = self._limits.output_mb << 20
            for kind, chunk in frames(self._source):
                sink = out if kind == _STDOUT else log
                left[sink] -= len(chunk)
                if left[sink] >= 0:
                    sink.write(chunk)
                elif not self.overflow.is_set():
                    mine = sink is log
                    self.allowed_mb = self._limits.log_mb if mine else self._limits.output_mb
                    self.overflow.set()


def some(source: Any, size: int) -> bytes:  # noqa: ANN401 - as above
    """Return at least one byte; nothing at the end. The SDK's None means: try again."""
    while (part := read(source, size)) is None:
        continue
    return bytes(part or b"")


def frames(
    source: Any,  # noqa: ANN401 - as above
    some: Callable[[Any, int], bytes] = some,
) -> Iterator[tuple[int, bytes]]:
    """Yield stream number and bytes.

    Raises:
        EngineLostError: the connection ended in the middle.
    """
    while header := _header(source, some):
        kind, size = _HEADER.unpack(header)
        while size:
            chunk = some(source, min(size, _CHUNK))
            if not chunk:
                raise EngineLostError("what the scanner prints was cut off", hint=LOST)
            size -= len(chunk)
            yield kind, chunk


def _header(source: Any, some: Callable[[Any, int], bytes]) -> bytes:  # noqa: ANN401 - as above
    header = b""
    while len(header) < _HEADER.size:
        part = some(source, _HEADER.size - len(header))
        if not part and header:
            raise EngineLostError("what the scanner prints was cut off", hint=LOST)
        if not part:
            return b""
        header += part
    return header
