"""What is a scanner kept from, and did the engine really take the order?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scanrun.api import Limits, Step, StepError
from scanrun_plugins.engines.docker.packing import UID

SCRATCH = "/tmp"  # noqa: S108 - inside the container, its own
_MIB = 1 << 20
_MANY_CAPABILITIES = 10
_PODMAN_LIMIT = 4096
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CA_FILE = "/scanrun-ca/ca.pem"
PROXY_VARIABLES = tuple(
    name for word in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (word, word.lower())
)


def with_private_ca(step: Step, caller: Mapping[str, str]) -> Step:
    """Return a step that has a network with the caller's own certificate authorities.

    The file goes in by copy, and by each name that programs look for one under.
    """
    named = next((caller[name] for name in _CA_VARIABLES if caller.get(name)), "")
    if not step.network or not named:
        return step
    if not Path(named).is_file():
        raise StepError(f"the certificates {named!r} are not there", hint="mend SSL_CERT_FILE")
    return replace(
        step,
        host_files={**step.host_files, _CA_FILE: Path(named)},
        env={**dict.fromkeys((*_CA_VARIABLES, "NODE_EXTRA_CA_CERTS"), _CA_FILE), **step.env},
    )


def hardened(
    limits: Limits,
    *,
    network: str,
    mounts: Sequence[Mapping[str, Any]],
    podman: bool,
    uid: int | None = UID,
) -> dict[str, Any]:
    """Return the HostConfig of a scanner's container. `network` is `none` or a network's name.

    `uid` is whom the scratch space belongs to; None: root.
    """
    host = confined(limits, network=network, mounts=mounts, podman=podman, uid=uid)
    return {**host, "ReadonlyRootfs": True, "CapDrop": ["ALL"]}


def confined(
    limits: Limits,
    *,
    network: str,
    mounts: Sequence[Mapping[str, Any]],
    podman: bool,
    uid: int | None = UID,
) -> dict[str, Any]:
    """Return the HostConfig of the user's own program.

    Its root is writable, and its capabilities are the engine's usual ones.
    """
    memory = limits.memory_mb * _MIB
    return {
        "Memory": memory,
        "MemorySwap": memory,
        "PidsLimit": limits.pids,
        "Ulimits": _ulimits(limits, podman=podman),
        "SecurityOpt": ["no-new-privileges"],
        "NetworkMode": network,
        "Privileged": False,
        "Init": True,
        # it is listened to; kept on the engine too, short lines take fifteen times as long
        "LogConfig": {"Type": "none", "Config": {}},
        "Tmpfs": {SCRATCH: _scratch_options(limits, None if podman else uid)},
        "Mounts": list(mounts),
    }


def _ulimits(limits: Limits, *, podman: bool) -> list[dict[str, Any]]:
    """Bound a single file: what lies in a volume fills the engine's own disk.

    Podman, asked for one limit, forgets those of its containers.conf and sets others to a million,
    which it may not where it runs in a container itself. So it is told those, too.
    """
    asked = {"fsize": limits.output_mb * _MIB}
    if podman:
        asked |= dict.fromkeys(("nofile", "nproc"), _PODMAN_LIMIT)
    return [{"Name": name, "Soft": size, "Hard": size} for name, size in asked.items()]


def _scratch_options(limits: Limits, uid: int | None) -> str:
    """Say whose the scratch space is.

    runc 1.1 takes the mode from the image's own /tmp, whatever is asked for, so it has to belong
    to the scanner's user; Podman refuses `uid=`, and obeys the mode.
    """
    owner = "" if uid is None else f",uid={uid},gid={uid}"
    return f"rw,exec,nosuid,nodev,size={limits.scratch_mb}m,mode=1777{owner}"


def not_enforced(
    asked: Mapping[str, Any],
    found: Mapping[str, Any],
    *,
    networks: Sequence[str] = (),
    user: str | None = f"{UID}:{UID}",
    own_program: bool = False,
) -> list[str]:
    """Return what the engine did not take over, by comparing a container with its order.

    `networks` are all that it is to be in, where that is more than `none`; a `user` of None is the
    image's own; of `own_program`, what `confined` asks for is due.

    Some engines drop a limit without a word (rootless Podman on cgroup v1). Swap is left out:
    kernels that don't account for it are common, and memory is limited all the same.
    """
    config = found["HostConfig"]
    held = {
        "memory limit": config.get("Memory") == asked["Memory"],
        "process limit": config.get("PidsLimit") == asked["PidsLimit"],
        "read-only root": own_program or config.get("ReadonlyRootfs") is True,
        "dropped capabilities": not config.get("CapAdd")
        and (own_program or _capabilities_dropped(config, found)),
        "no-new-privileges": any(
            str(option).startswith("no-new-privileges") and not str(option).endswith("false")
            for option in config.get("SecurityOpt") or ()
        ),
        "network": _network_as_asked(asked["NetworkMode"], config.get("NetworkMode"))
        and _only_in(networks, found),
        "unprivileged": config.get("Privileged") is False,
        "user": user is None or found["Config"].get("User") == user,
        "init process": config.get("Init") is True,
        "scratch space": SCRATCH in (config.get("Tmpfs") or {}),
        "read-only copies": _mounted_read_only(asked["Mounts"], found.get("Mounts") or ()),
    }
    return [name for name, ok in held.items() if not ok]


def _mounted_read_only(
    asked: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
) -> bool:
    closed = {each["Destination"] for each in found if each.get("RW") is False}
    return all(each["Target"] in closed for each in asked if each.get("ReadOnly"))


def _capabilities_dropped(config: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Docker says `ALL`; Podman lists each, and says which are left."""
    dropped = config.get("CapDrop") or ()
    by_name = len(dropped) >= _MANY_CAPABILITIES and found.get("EffectiveCaps") in ([], None)
    return "ALL" in dropped or by_name


def _network_as_asked(asked: str, found: object) -> bool:
    if asked == "none":
        return found == "none"
    return found in (asked, "bridge")


def _only_in(networks: Sequence[str], found: Mapping[str, Any]) -> bool:
    return not networks or set(found["NetworkSettings"]["Networks"]) == set(networks)


def environment_of(
    step_environment: Mapping[str, str],
    caller: Mapping[str, str],
    *,
    network: bool,
    beside: Sequence[str] = (),
) -> list[str]:
    """Return the container's variables: of the caller's, only proxies, only with a network.

    `beside` are hosts that no proxy knows.
    """
    proxies = proxies_of(caller, beside) if network else {}
    merged = {"HOME": SCRATCH, "TMPDIR": SCRATCH, **proxies, **step_environment}
    return lines_of(merged)


def proxies_of(caller: Mapping[str, str], beside: Sequence[str] = ()) -> dict[str, str]:
    """Return the caller's proxies, with those hosts that are spoken to directly."""
    found = {name: caller[name] for name in PROXY_VARIABLES if caller.get(name)}
    if found and beside:
        for name in ("NO_PROXY", "no_proxy"):
            own = found.get(name) or caller.get("NO_PROXY") or caller.get("no_proxy")
            found[name] = ",".join(((own,) if own else ()) + tuple(beside))
    return found


def lines_of(environment: Mapping[str, str]) -> list[str]:
    """Return variables as the engine takes them."""
    return [f"{name}={value}" for name, value in sorted(environment.items())]
