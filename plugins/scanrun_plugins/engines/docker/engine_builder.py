"""An image, built by the engine's own builder: the folder is sent, and its words come back."""

import json
import threading
from contextlib import suppress
from typing import Any, BinaryIO

from scanrun.api import InterruptedRunError
from scanrun_plugins.engines.docker.attached import Attached
from scanrun_plugins.engines.docker.connection import Connection
from scanrun_plugins.engines.docker.failures import engine_errors, plain
from scanrun_plugins.engines.docker.packing import stream
from scanrun_plugins.engines.docker.recipe import Job
from scanrun_plugins.engines.docker.sending import context_pieces

_JOIN_S = 5


class EngineBuilder:
    """Builds through the engine's API, which has no BuildKit."""

    title = "the engine's own builder"

    def __init__(self, connection: Connection) -> None:
        self._api: Any = connection.api  # partly untyped

    def begin(self, job: Job) -> "_EngineBuild":
        """Start a build."""
        building = _EngineBuild(self._api, job)
        building.start()
        return building


class _EngineBuild(threading.Thread):
    """Sends and listens, so that the other thread can look at the clock.

    The engine ends a build that nobody listens to any more.
    """

    def __init__(self, api: Any, job: Job) -> None:  # noqa: ANN401 - partly untyped
        super().__init__(name="build", daemon=True)
        self._api = api
        self._job = job
        self._left = threading.Event()
        self._answer: Attached | None = None
        self._failed = False
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            with self._job.log.open("ab", buffering=0) as log:
                self._listen(log)
        except Exception as error:  # noqa: BLE001 - raised again on the thread that waits
            self._error = error

    def ended(self, wait_s: float) -> bool:
        """Wait a moment; say whether it has ended."""
        self.join(wait_s)
        return not self.is_alive()

    def good(self) -> bool:
        """Say whether it ended well.

        Raises:
            ScanError: it could not be asked for, or broke off.
        """
        if self._error is not None:
            with engine_errors("building an image"):
                raise self._error
        return not self._failed

    def leave(self) -> None:
        """Stop sending and listening."""
        self._left.set()
        if self._answer is not None:
            self._answer.close()
        self.join(_JOIN_S)

    def _listen(self, log: BinaryIO) -> None:
        response = self._asked()
        self._answer = Attached(self._api._get_raw_response_socket(response))  # noqa: SLF001 - no public way to end it
        if self._left.is_set():
            self._answer.close()
        for line in response.iter_lines():
            if line:
                self._write(json.loads(line), log)

    def _write(self, said: dict[str, Any], log: BinaryIO) -> None:
        """Keep what it prints, and how it failed; not how each layer's pull goes on."""
        if "error" in said:
            self._failed = True
            log.write(f"\n{plain(str(said['error']))}\n".encode())
        log.write(str(said.get("stream") or "").encode())

    def _asked(self) -> Any:  # noqa: ANN401 - the SDK's
        """Send the folder. Without the SDK's own `build`, which none can end."""
        headers = {"Content-Type": "application/x-tar"}
        with suppress(AttributeError):
            self._api._set_auth_headers(headers)  # noqa: SLF001 - the logins of the docker configuration
        return self._api.post(
            f"{self._api.base_url}/v{self._api.api_version}/build",
            data=self._sent(),
            params=self._parameters(),
            headers=headers,
            stream=True,
            timeout=None,
        )

    def _sent(self) -> Any:  # noqa: ANN401 - chunks, which requests takes
        with suppress(InterruptedRunError):
            yield from stream(context_pieces(self._job.recipe), self._left)

    def _parameters(self) -> dict[str, str]:
        recipe = self._job.recipe
        return {
            "t": self._job.tag,
            "dockerfile": recipe.name,
            "target": recipe.build.target,
            "labels": json.dumps(dict(self._job.labels)),
            "buildargs": json.dumps({**self._job.proxies, **recipe.build.args}),
            "rm": "1",
            "forcerm": "1",
            **({} if self._job.network else {"networkmode": "none"}),
        }
