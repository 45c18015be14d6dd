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
    limits: Limits, *, network: str, mounts: Sequence[Mapping[str, Any]], podman: bool
) -> dict[str, Any]:
    """Return the HostConfig of a scanner's container. `network` is `none` or a network's name."""
    memory = limits.memory_mb * _MIB
    return {
        "Memory": memory,
        "MemorySwap": memory,
        "PidsLimit": limits.pids,
        "Ulimits": [_file_size(limits)],
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "NetworkMode": network,
        "Privileged": False,
        "Init": True,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "Tmpfs": {SCRATCH: _scratch_options(limits, podman=podman)},
        "Mounts": list(mounts),
    }


def _file_size(limits: Limits) -> dict[str, Any]:
    """Bound a single file: what lies in a volume fills the engine's own disk."""
    size = limits.output_mb * _MIB
    return {"Name": "fsize", "Soft": size, "Hard": size}


def _scratch_options(limits: Limits, *, podman: bool) -> str:
    """Say whose the scratch space is.

    runc 1.1 takes the mode from the image's own /tmp, whatever is asked for, so it has to belong
    to the scanner's user; Podman refuses `uid=`, and obeys the mode.
    """
    owner = "" if podman else f",uid={UID},gid={UID}"
    return f"rw,exec,nosuid,nodev,size={limits.scratch_mb}m,mode=1777{owner}"


def not_enforced(asked: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return what the engine did not take over, by comparing a container with its order.

    Some engines drop a limit without a word (rootless Podman on cgroup v1). Swap is left out:
    kernels that don't account for it are common, and memory is limited all the same.
    """
    config = found["HostConfig"]
    held = {
        "memory limit": config.get("Memory") == asked["Memory"],
        "process limit": config.get("PidsLimit") == asked["PidsLimit"],
        "read-only root": config.get("ReadonlyRootfs") is True,
        "dropped capabilities": _capabilities_dropped(config, found),
        "no-new-privileges": any(
            str(option).startswith("no-new-privileges") and not str(option).endswith("false")
            for option in config.get("SecurityOpt") or ()
        ),
        "network": _network_as_asked(asked["NetworkMode"], config.get("NetworkMode")),
        "unprivileged": config.get("Privileged") is False,
        "user": found["Config"].get("User") == f"{UID}:{UID}",
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
    if config.get("CapAdd"):
        return False
    by_name = len(dropped) >= _MANY_CAPABILITIES and found.get("EffectiveCaps") in ([], None)
    return "ALL" in dropped or by_name


def _network_as_asked(asked: str, found: object) -> bool:
    if asked == "none":
        return found == "none"
    return found in (asked, "bridge")


def environment_of(
    step_environment: Mapping[str, str], caller: Mapping[str, str], *, network: bool
) -> list[str]:
    """Return the container's variables: of the caller's, only proxies, only with a network."""
    proxies = {name: caller[name] for name in PROXY_VARIABLES if network and caller.get(name)}
    merged = {"HOME": SCRATCH, "TMPDIR": SCRATCH, **proxies, **step_environment}
    return [f"{name}={value}" for name, value in sorted(merged.items())]
