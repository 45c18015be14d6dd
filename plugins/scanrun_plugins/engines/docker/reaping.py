"""What did runs leave on the engine, and what of it is nobody's any more?"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from docker import APIClient
from docker.errors import DockerException

from scanrun_plugins.engines.docker.failures import TRANSPORT_ERRORS
from scanrun_plugins.engines.docker.owner import BUILT, KEPT, RUN, Owner, labels_of_built, orphaned

_NO_ANSWER = (
    *(DockerException, *TRANSPORT_ERRORS),
    *(
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        ValueError,
    ),  # of another shape than the API's
)
_TRIES = 3
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Thing:
    """A container, volume, network or image of scanrun's."""

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
    """Yield what carries the label (`KEY` or `KEY=VALUE`): containers first, they hold the rest.

    Images are those that were built for runs.
    """
    chosen = {"label": label}
    for found in api.containers(all=True, filters=chosen):
        name = next(iter(found.get("Names") or ()), found["Id"]).lstrip("/")
        yield _container(api, found["Id"], name, found.get("Labels") or {})
    for found in api.volumes(chosen)["Volumes"] or ():
        yield _volume(api, found["Name"], found.get("Labels") or {})
    for found in api.networks(filters=chosen):
        yield _network(api, found["Id"], found.get("Labels") or {})
    yield from _images(api, label)


def reap(api: APIClient, here: Owner) -> list[str]:
    """Remove what dead runs left; return a line for each thing. What can't be removed stays."""
    now = time.time()
    found, _ = _as_far_as_told(things(api))
    left = (thing for thing in found if orphaned(thing.labels, here, now))
    return [f"{thing.kind} {thing.name[:40]}" for thing in left if thing.removed()]


def orphans(api: APIClient, here: Owner) -> list[Thing]:
    """Return what dead runs left."""
    now = time.time()
    return [thing for thing in things(api) if orphaned(thing.labels, here, now)]


def sweep(api: APIClient, run_id: str) -> list[str]:
    """Remove all of a run; return what resisted. Raises nothing."""
    found, whole = _as_far_as_told(things(api, f"{RUN}={run_id}"))
    left = [f"{thing.kind} {thing.name}" for thing in found if not thing.removed()]
    return left if whole else [*left, "what else there is: the engine does not answer"]


def _as_far_as_told(there: Iterator[Thing]) -> tuple[list[Thing], bool]:
    """Return what the engine tells of before it fails, or talks nonsense; and whether it is all."""
    found: list[Thing] = []
    try:
        found.extend(there)
    except _NO_ANSWER:
        return found, False
    return found, True


def clear_kept(api: APIClient) -> list[str]:
    """Remove what is kept and in nobody's use; return a line for each."""
    lines = []
    # a server that is used keeps its networks: Podman would take them away from it
    used = set()
    for thing in list(things(api, KEPT)):
        with suppress(DockerException, *TRANSPORT_ERRORS):
            kept = thing.labels.get(KEPT, "")
            if thing.kind == "container" and spoken_to(api, thing.name):
                used.add(kept)
            if kept not in used:
                thing.remove()
                lines.append(f"{thing.kind} {thing.name}")
    return lines


def spoken_to(api: APIClient, container: str) -> bool:
    """Say whether other containers that run are in one of a server's networks."""
    found = api.inspect_container(container)
    joined = list(found["NetworkSettings"]["Networks"])
    members = api.containers(filters={"network": joined}) if joined else []
    return any(each["Id"] != found["Id"] for each in members)


def _container(api: APIClient, made: str, name: str, labels: Mapping[str, str]) -> Thing:
    return Thing("container", name, labels, lambda: api.remove_container(made, v=True, force=True))


def _volume(api: APIClient, name: str, labels: Mapping[str, str]) -> Thing:
    return Thing("volume", name, labels, lambda: api.remove_volume(name))


def _network(api: APIClient, name: str, labels: Mapping[str, str]) -> Thing:
    return Thing("network", name, labels, lambda: api.remove_network(name))


def _images(api: APIClient, label: str) -> Iterator[Thing]:
    key, _, value = label.partition("=")
    for found in api.images(filters={"label": BUILT}):
        carried = labels_of_built((found.get("Labels") or {}).get(BUILT, ""))
        if key in carried and value in ("", carried[key]):
            yield _image(api, found["Id"], (found.get("RepoTags") or [found["Id"]])[0], carried)


def _image(api: APIClient, made: str, name: str, labels: Mapping[str, str]) -> Thing:
    # what it was built of stays, for the next build to be quick; one of several tags needs `force`,
    # and all of them are the run's, for the label is the image's own
    return Thing("image", name, labels, lambda: api.remove_image(made, force=True, noprune=True))
