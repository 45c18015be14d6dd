"""Did the program make what it was told to? Asked of the engine, before anything starts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scanrun.api import StepError
from scanrun_plugins.engines.docker.networks import Networks

Found = Mapping[str, Any]


def check_containers(found: Sequence[Found], allowed: frozenset[str]) -> None:
    """See that containers have limits, and reach nothing that is not allowed.

    Raises:
        StepError: one has none, or does.
    """
    for container in found:
        name = str(container["Name"]).lstrip("/")
        wrong = [what for what, word in _reaches(container["HostConfig"]) if word not in allowed]
        if wrong:
            raise StepError(
                f"the engine made {name!r} otherwise than it was told to: {', '.join(wrong)}",
                hint="see `scanrun doctor`; rootless engines need cgroup v2 with delegation",
            )


def _reaches(host: Found) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, and the word that makes it right."""
    security = [str(each) for each in host.get("SecurityOpt") or ()]
    spaces = [str(host.get(f"{kind}Mode") or "") for kind in ("Pid", "Ipc", "UTS", "Userns")]
    spaces.append(str(host.get("CgroupnsMode") or ""))
    mounts = [each.get("Type") for each in host.get("Mounts") or ()]
    binds = [each for each in host.get("Binds") or () if str(each).startswith("/")]
    checks = (
        (not host.get("Memory"), "no memory limit", ""),
        ((host.get("PidsLimit") or 0) <= 0, "no process limit", ""),
        (bool(host.get("PortBindings")), "published ports", ""),
        (host.get("Privileged"), "privileged", "privileged"),
        (host.get("CapAdd"), "capabilities", "capabilities"),
        (host.get("Devices") or host.get("DeviceCgroupRules"), "devices", "devices"),
        (host.get("NetworkMode") == "host", "the host's network", "host-network"),
        (_only_unconfined(security), "security options", "unconfined"),
        (_is_foreign(spaces), "namespaces of the host", "host-namespaces"),
    )
    yield from ((what, word) for wrong, what, word in checks if wrong)
    if binds or "bind" in mounts:
        yield "binds", "engine-socket" if _only_sockets(binds, host) else "binds"


def _only_unconfined(security: Sequence[str]) -> bool:
    """Podman names its own profiles beside what was asked for."""
    return not any(each.startswith("no-new-privileges") for each in security) or any(
        "unconfined" in each or each.endswith("false") for each in security
    )


def _is_foreign(spaces: Sequence[str]) -> bool:
    # on cgroup v1 the host's cgroup namespace is everybody's
    return "host" in spaces[:-1]


def _only_sockets(binds: Sequence[object], host: Found) -> bool:
    sources = [str(each).partition(":")[0] for each in binds]
    sources += [str(e.get("Source")) for e in host.get("Mounts") or () if e.get("Type") == "bind"]
    return all(each.endswith(".sock") for each in sources)


def check_networks(found: Sequence[Found], networks: Networks, external: frozenset[str]) -> None:
    """See that no network of the containers has a way out but those that are `external`.

    Raises:
        StepError: one has.
    """
    joined = {name for each in found for name in each["NetworkSettings"]["Networks"]}
    for name in sorted(joined - external - {"none", "host"}):
        networks.check_private(name)
