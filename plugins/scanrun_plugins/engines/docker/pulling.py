"""How is an image pulled in such a way that a run can be stopped meanwhile?"""

import threading
import time
from collections.abc import Iterator
from typing import Any

from docker.errors import APIError

from scanrun.api import MissingToolError
from scanrun_plugins.engines.docker.failures import explanation, plain
from scanrun_plugins.engines.docker.once import check_cancelled

STALL_S = 300.0
"""An engine tells of every layer as it comes, and of unpacking it."""
_POLL_S = 0.2


def pull(api: Any, name: str, cancel: threading.Event) -> None:  # noqa: ANN401 - the SDK's stubs lack decode
    """Pull an image, with the login that the docker configuration has for its registry.

    Raises:
        MissingToolError: it can't be pulled.
    """
    _Pull(api, name).finish(cancel)


class _Pull(threading.Thread):
    """A pull that can be left: the engine ends it when nobody listens any more."""

    def __init__(self, api: Any, name: str) -> None:  # noqa: ANN401 - as above
        super().__init__(name=f"pull {name}", daemon=True)
        self._api = api
        self._name = name
        self._left = threading.Event()
        self._error: Exception | None = None
        self._heard = time.monotonic()

    def finish(self, cancel: threading.Event) -> None:
        """Return when it is done; leave when asked to stop."""
        self.start()
        try:
            while self.is_alive():
                check_cancelled(cancel)
                self._check_stalled()
                self.join(_POLL_S)
        finally:
            self._left.set()
        if self._error is not None:
            hint = "check the name, the registry login (`docker login`) and the network"
            raise MissingToolError(
                f"image {self._name!r} can't be pulled: {_reason(self._error)}", hint=hint
            ) from self._error

    def _check_stalled(self) -> None:
        if time.monotonic() - self._heard > STALL_S:
            raise MissingToolError(
                f"image {self._name!r} can't be pulled: nothing came for {STALL_S:g} s",
                hint="see whether the registry answers, or load the image into the engine",
            )

    def run(self) -> None:
        try:
            for line in self._lines():
                self._heard = time.monotonic()
                if self._left.is_set():
                    return
                if "error" in line:
                    self._error = MissingToolError(plain(str(line["error"])))
                    return
        except Exception as error:  # noqa: BLE001 - raised again on the thread that waits
            self._error = error

    def _lines(self) -> Iterator[dict[str, Any]]:
        lines: Iterator[dict[str, Any]] = self._api.pull(self._name, stream=True, decode=True)
        return lines


def _reason(error: Exception) -> str:
    return explanation(error) if isinstance(error, APIError) else plain(str(error))
