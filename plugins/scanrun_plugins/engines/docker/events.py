"""Was a process of a container killed for its memory while the container goes on?

Some engines put that into the container's state only when it has ended, and tell it at once among
their events. Podman does neither.
"""

import re
import time
from datetime import datetime

from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.failures import engine_errors

_AHEAD_S = 0.05
"""An engine that is asked for events up to now and a little more has all that it knows by then."""


class Kills:
    """Asks for the kills of one container since its start."""

    def __init__(self, containers: Containers, container: str, begun: str) -> None:
        self._api = containers.api
        self._silent = containers.podman
        self._chosen = {"container": container, "event": "oom"}
        self._since = seconds(begun)
        with engine_errors("asking for the time"):
            self._ahead = seconds(str(self._api.info()["SystemTime"])) - time.time()
        self._seen = False

    def seen(self) -> bool:
        """Say whether there was one. Engines forget old events; what was seen stays seen."""
        if not self._seen and not self._silent:
            until = time.time() + self._ahead + _AHEAD_S
            with engine_errors("asking for the engine's events"):
                found = self._api.events(
                    since=f"{self._since:.6f}", until=f"{until:.6f}", filters=self._chosen
                )
                self._seen = any(True for _ in found)
                found.close()
        return self._seen


def seconds(moment: str) -> float:
    """Return the engine's way to write a time as seconds since 1970."""
    # nine digits of a second are more than are read here
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", moment)).timestamp()
