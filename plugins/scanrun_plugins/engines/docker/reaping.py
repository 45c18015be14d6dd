"""What did runs leave on the engine, and what of it is nobody's any more?"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from docker import APIClient
from docker.errors import DockerException

from scanrun_plugins.engines.docker.failures import TRANSPORT_ERRORS
from scanrun_plugins.engines.docker.owner import KEPT, RUN, Owner, orphaned

_TRIES = 3
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Thing:
    """A container, volume or network of scanrun's."""

    kind: str
    name: str
    labels: Mapping[str, str]
    remove: Callable[[], None]

    def removed(self) -> bool:
        """Try to remove it; True when it is gone. A volume may be held for a moment longer."""
        for attempt in range(_TRIES):
            with suppress(DockerException, *TRANSPORT_ERRORS):
                self.remove()
                return True
            if self.kind == "container":
                break
            time.sleep(_PAUSE_S * (attempt + 1))
        return False


def things(api: APIClient, label: str = RUN) -> Iterator[Thing]:
    """Yield what carries the label (`KEY` or `KEY=VALUE`): containers first, they hold the rest."""
    chosen = {"label": label}
    for found in api.containers(all=True, filters=chosen):
        yield _container(api, found["Id"], found.get("Labels") or {})
    for found in api.volumes(chosen)["Volumes"] or ():
        yield _volume(api, found["Name"], found.get("Labels") or {})
    for found in api.networks(filters=chosen):
        yield _network(api, found["Id"], found.get("Labels") or {})


def reap(api: APIClient, here: Owner) -> list[str]:
    """Remove what dead runs left; return a line for each thing. What can't be removed stays."""
    with suppress(DockerException, *TRANSPORT_ERRORS):
        return [
            f"{thing.kind} {thing.name[:40]}" for thing in orphans(api, here) if thing.removed()
        ]
    return []


def orphans(api: APIClient, here: Owner) -> list[Thing]:
    """Return what dead runs left."""
    now = time.time()
    return [thing for thing in things(api) if orphaned(thing.labels, here, now)]


def sweep(api: APIClient, run_id: str) -> list[str]:
    """Remove all of a run; return what resisted. Raises nothing."""
    try:
        found = list(things(api, f"{RUN}={run_id}"))
    except (DockerException, *TRANSPORT_ERRORS):
        return ["the engine does not answer"]
    return [f"{thing.kind} {thing.name}" for thing in found if not thing.removed()]


def clear_kept(api: APIClient) -> list[str]:
    """Remove what is kept and in nobody's use; return a line for each."""
    lines = []
    for thing in list(things(api, KEPT)):
        with suppress(DockerException, *TRANSPORT_ERRORS):
            thing.remove()
            lines.append(f"{thing.kind} {thing.name}")
    return lines


def _container(api: APIClient, name: str, labels: Mapping[str, str]) -> Thing:
    return Thing("container", name, labels, lambda: api.remove_container(name, v=True, force=True))


def _volume(api: APIClient, name: str, labels: Mapping[str, str]) -> Thing:
    return Thing("volume", name, labels, lambda: api.remove_volume(name))


def _network(api: APIClient, name: str, labels: Mapping[str, str]) -> Thing:
    return Thing("network", name, labels, lambda: api.remove_network(name))
