"""How is a helper of scanrun's own held: a small program in a container of a scanner's image?

Hardened as a step is, with no file of its own: the program is its command line.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from scanrun.api import Limits, StepError
from scanrun_plugins.engines.docker.containers import Containers
from scanrun_plugins.engines.docker.hardening import SCRATCH, hardened, lines_of, not_enforced
from scanrun_plugins.engines.docker.networks import NO_NAMES
from scanrun_plugins.engines.docker.packing import UID

_LOW_PORTS = 1024


def helper_config(
    image: str,
    program: str,
    argv: Sequence[str],
    *,
    port: int,
    limits: Limits,
    private: str,
    podman: bool,
) -> dict[str, Any]:
    """Return how its container is made: `program` is a file beside this one, `port` its own."""
    script = files(__package__).joinpath(program).read_text(encoding="utf-8")
    host = {**hardened(limits, network=private, mounts=(), podman=podman), **NO_NAMES}
    if port < _LOW_PORTS:
        # without a capability; it holds for the container's own network alone
        host["Sysctls"] = {"net.ipv4.ip_unprivileged_port_start": "0"}
    return {
        "Image": image,
        "Entrypoint": ["python3", "-I", "-c", script],
        "Cmd": list(argv),
        "User": f"{UID}:{UID}",
        "WorkingDir": "/",
        "Env": lines_of({"HOME": SCRATCH, "TMPDIR": SCRATCH}),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
    }


def check_helper(
    name: str, container: str, containers: Containers, limits: Limits, networks: Sequence[str]
) -> None:
    """See that it is hardened, and in no network but these, of which the first is its own.

    Raises:
        StepError: the engine has made it otherwise.
    """
    asked = {
        "Memory": limits.memory_mb << 20,
        "PidsLimit": limits.pids,
        "NetworkMode": networks[0],
        "Mounts": (),
    }
    dropped = not_enforced(asked, containers.inspect(container), networks=networks)
    if dropped:
        raise StepError(
            f"the engine does not enforce for {name!r}: {', '.join(dropped)}",
            hint="see `scanrun doctor`; rootless engines need cgroup v2 with delegation",
        )
