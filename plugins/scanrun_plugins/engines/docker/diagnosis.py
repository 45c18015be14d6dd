"""What is there to say about the engine before anything runs?"""

from collections.abc import Iterator, Mapping
from typing import Any

from docker import APIClient
from docker.errors import DockerException

from scanrun.api import Check, EngineError, EngineSettings, Limits, ScanrunError
from scanrun_plugins.engines.docker.connection import Connection, connect
from scanrun_plugins.engines.docker.containers import NEVER_STARTED, Containers
from scanrun_plugins.engines.docker.failures import TRANSPORT_ERRORS, plain
from scanrun_plugins.engines.docker.hardening import hardened, not_enforced
from scanrun_plugins.engines.docker.owner import KEPT, Owner, labels
from scanrun_plugins.engines.docker.packing import UID
from scanrun_plugins.engines.docker.reaping import orphans, things


def diagnose(settings: EngineSettings) -> Iterator[Check]:
    """Yield the engine's checks. An engine that is not there, or breaks off, is a failed one."""
    try:
        connection = connect(settings.environment)
    except EngineError as error:
        yield Check("engine", ok=False, detail=str(error), hint=error.hint)
        return
    try:
        yield _engine(connection)
        yield _hardening(connection, settings)
        yield _kept(connection.api)
        yield _orphans(connection.api)
    except (ScanrunError, DockerException, *TRANSPORT_ERRORS) as error:
        yield Check("engine", ok=False, detail=f"it breaks off: {plain(str(error))}")
    finally:
        connection.api.close()


def _engine(connection: Connection) -> Check:
    info = connection.api.info()
    rootless = any("rootless" in str(option) for option in info.get("SecurityOptions") or ())
    parts = (
        f"{connection.version} at {connection.endpoint.url} ({connection.endpoint.origin})",
        connection.platform,
        "rootless" if rootless else "as root",
        f"cgroup v{info.get('CgroupVersion', '?')}",
    )
    return Check("engine", ok=True, detail=", ".join(parts))


def _hardening(connection: Connection, settings: EngineSettings) -> Check:
    """Create a container from any image there is, look at it, and remove it: it never starts."""
    images = connection.api.images()
    if not images:
        detail = "not tried: the engine has no image to try it with"
        return Check("hardening", ok=None, detail=detail, hint="pull one, then ask again")
    containers = Containers(connection, labels(Owner.here(), settings.run_id))
    config = _trial(images[0]["Id"], podman=connection.podman)
    container = containers.create(config, scanner="doctor")
    try:
        dropped = not_enforced(config["HostConfig"], containers.inspect(container))
    finally:
        containers.remove(container)
    if dropped:
        detail = f"the engine does not enforce: {', '.join(dropped)}"
        hint = "rootless engines need cgroup v2 with delegation; scanners will not be started"
        return Check("hardening", ok=False, detail=detail, hint=hint)
    return Check("hardening", ok=True, detail="taken over whole: " + _ENFORCED)


_ENFORCED = (
    "user, read-only root, no capabilities, no new privileges, no network, memory and process limit"
)


def _trial(image: str, *, podman: bool) -> Mapping[str, Any]:
    host = hardened(Limits(), network="none", mounts=(), podman=podman)
    return {
        "Image": image,
        "User": f"{UID}:{UID}",
        "Entrypoint": [NEVER_STARTED],
        "Cmd": [],
        "HostConfig": host,
    }


def _kept(api: APIClient) -> Check:
    names = [thing.name for thing in things(api, KEPT)]
    detail = f"{len(names)} kept: {', '.join(sorted(names))}" if names else "nothing kept"
    return Check("engine cache", ok=None, detail=detail, hint="`scanrun cache clear`" * bool(names))


def _orphans(api: APIClient) -> Check:
    left = [f"{thing.kind} {thing.name[:40]}" for thing in orphans(api, Owner.here())]
    if not left:
        return Check("leftovers", ok=True, detail="nothing left by dead runs")
    detail = f"left by dead runs: {', '.join(left)}"
    return Check("leftovers", ok=None, detail=detail, hint="the next run removes them")
