"""What of a compose file is run, and how does it differ from what stands there?

Nothing of the scanned tree is mounted: a bind is a path of the engine's own machine, which need not
have the tree, and what is mounted can be written to. So it is copied.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from scanrun.api import Build, Service, StepError
from scanrun_plugins.engines.docker.compose_ground import Ground
from scanrun_plugins.engines.docker.compose_parts import (
    Model,
    Mounted,
    listed,
    mapping,
    mounts_of,
    needed,
    networks_of,
    pairs,
    services_of,
    texts,
    words,
)
from scanrun_plugins.engines.docker.compose_rules import source_of
from scanrun_plugins.engines.docker.networks import NO_NAMES

_DROPPED = words(
    "attach configs container_name deploy develop logging memswap_limit oom_kill_disable"
    " oom_score_adj ports profiles pull_policy restart scale secrets"
)
_BUILD_DROPPED = frozenset({"cache_from", "cache_to", "tags"})
_UNLIMITED = re.compile(r"\s*(0+|-.*)[a-zA-Z]*\s*")
_NO_HOST = "com.docker.network.bridge.inhibit_ipv4"
"""Else the engine's host stands in the network, with all that listens there."""
_OWN_LABELS = ("scanrun.", "com.docker.compose.")
_LOG = {"driver": "json-file", "options": {"max-size": "16m", "max-file": "4"}}


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that a container is given before it starts."""

    service: str
    target: str
    content: Path | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a compose file is run for."""

    service: Service
    project: str
    labels: Mapping[str, str]
    built: Mapping[str, str]
    """Labels of images."""
    ground: Ground
    proxies: Mapping[str, str] = field(default_factory=dict)
    podman: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def main(self) -> str:
        """Return the name of the compose file's service that is scanned."""
        return self.service.compose.service if self.service.compose else ""


@dataclass(slots=True)
class Plan:
    """What is given to the program."""

    model: dict[str, Any]
    folders: dict[str, Path] = field(default_factory=dict)
    """Volume -> the folder of the tree that it is to hold."""
    files: list[Copy] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    """Service -> what it runs, of those that are not built."""

    @property
    def built(self) -> tuple[str, ...]:
        """Return the services whose images are built."""
        return tuple(name for name, each in self.services.items() if "build" in each)

    @property
    def services(self) -> dict[str, Any]:
        """Return the services by name, to be changed."""
        services: dict[str, Any] = self.model["services"]
        return services


def pruned(model: Model, name: str) -> dict[str, Any]:
    """Return the model with a service and all that it needs, and no other service.

    What such a one runs may be what another service builds: then it builds that, too.
    """
    services = services_of(model)
    builds = {
        str(each["image"]): each["build"]
        for each in services.values()
        if each.get("image") and each.get("build")
    }
    kept = {}
    for each in needed(services, name):
        service = services[each]
        if not service.get("build") and service.get("image") in builds:
            service["build"] = builds[str(service["image"])]
        kept[each] = service
    return {**model, "services": kept}


def planned(model: Model, frame: Frame) -> Plan:
    """Return what is run of a model that was pruned and judged.

    Raises:
        StepError: it can't be run here.
    """
    plan = Plan({"services": {}, "networks": {}, "volumes": {}})
    _check_main(services_of(model)[frame.main], frame.main)
    for number, (name, service) in enumerate(services_of(model).items()):
        changed = {key: each for key, each in service.items() if key not in _DROPPED}
        plan.services[name] = changed
        _set_image(plan, name, number, frame)
        _set_limits(changed, service, frame)
        _set_words(changed, name, frame)
        _set_networks(plan, model, changed, frame)
        _set_mounts(plan, model, name, frame)
        _give(plan, model, name, service, frame)
        _check_shadows(plan, name)
    return plan


def _check_main(service: Model, name: str) -> None:
    mode = str(service.get("network_mode") or "bridge")
    if mode not in {"bridge", "default"}:
        raise StepError(
            f"service {name!r} has network_mode {mode!r:.100}, where no scanner reaches it",
            hint="take it out; one that is in the host's network is reached with `url`",
        )


def _set_image(plan: Plan, name: str, number: int, frame: Frame) -> None:
    """Name what is built for this run alone: the user's own names are left to the user."""
    service = plan.services[name]
    build = service.get("build")
    if not build:
        if not service.get("image"):
            raise StepError(f"service {name!r} has neither an image nor a build")
        plan.images[name] = str(service["image"])
        return
    given = build if isinstance(build, dict) else {"context": str(build)}
    kept = {key: each for key, each in given.items() if key not in _BUILD_DROPPED}
    service["build"] = {**kept, "labels": _labels(given, frame.built)}
    service["image"] = f"{frame.project}-{number}-{re.sub(r'[^a-z0-9]+', '-', name.lower())}x"


def plain_build(build: Model, root: Path) -> Build | None:
    """Return a build that is no more than a Dockerfile and its folder; None: it is."""
    if set(build) - {"context", "dockerfile", "args", "target", "labels"}:
        return None
    context, dockerfile = Path(str(build["context"])), str(build.get("dockerfile") or "Dockerfile")
    file = (context / dockerfile).resolve()
    if not file.is_relative_to(context.resolve()) or not context.resolve().is_relative_to(root):
        return None
    return Build(
        context=context,
        dockerfile=str(file.relative_to(context.resolve())),
        target=str(build.get("target") or ""),
        args={key: value for key, value in pairs(build, "args").items() if value is not None},
        root=root,
    )


def _set_limits(changed: dict[str, Any], service: Model, frame: Frame) -> None:
    given = mapping(mapping(mapping(service, "deploy"), "resources"), "limits")
    limits = frame.service.limits
    memory = _limit(service.get("mem_limit")) or _limit(given.get("memory"))
    changed["mem_limit"] = changed["memswap_limit"] = memory or f"{limits.memory_mb}m"
    pids = _limit(service.get("pids_limit")) or _limit(given.get("pids"))
    changed["pids_limit"] = int(pids or limits.pids)
    if given.get("cpus") and not changed.get("cpus"):
        changed["cpus"] = float(given["cpus"])
    options = texts(service, "security_opt")
    if not any(each.startswith("no-new-privileges") for each in options):
        changed["security_opt"] = [*options, "no-new-privileges:true"]
    changed["restart"] = "no"
    changed["logging"] = _LOG


def _limit(value: object) -> str:
    """Return a limit; empty where there is none, or one that is none."""
    text = "" if value is None else str(value)
    return "" if _UNLIMITED.fullmatch(text) else text


def _set_words(changed: dict[str, Any], name: str, frame: Frame) -> None:
    """Set the environment, the labels and the command.

    A variable without a value would be given the one that this process has.
    """
    own = {key: value for key, value in pairs(changed, "environment").items() if value is not None}
    added = frame.service.env if name == frame.main else {}
    changed["environment"] = {**frame.proxies, **own, **added}
    changed["labels"] = _labels(changed, frame.labels)
    if name == frame.main and frame.service.argv:
        changed["command"] = list(frame.service.argv)


def _labels(holder: Model, ours: Mapping[str, str]) -> dict[str, str]:
    own = {
        key: value or ""
        for key, value in pairs(holder, "labels").items()
        if not key.startswith(_OWN_LABELS)
    }
    return {**own, **ours}


def _set_networks(plan: Plan, model: Model, changed: dict[str, Any], frame: Frame) -> None:
    used = networks_of(changed)
    if used:
        changed.pop("network_mode", None)
        if not frame.service.open and not frame.podman:
            # what the file calls its services is found all the same
            changed["dns"], changed["dns_opt"] = NO_NAMES["Dns"], NO_NAMES["DnsOptions"]
    defined = mapping(model, "networks")
    for name in used:
        plan.model["networks"][name] = _network(defined.get(name) or {}, frame)


def _network(network: Model, frame: Frame) -> dict[str, Any]:
    """Return a network of the run's own, without a way out unless the application is open."""
    if network.get("external"):
        return dict(network)
    kept = {key: each for key, each in network.items() if key not in {"name", "external"}}
    closed = bool(network.get("internal")) or not frame.service.open
    options = dict(pairs(network, "driver_opts"))
    if closed and not frame.podman:
        options[_NO_HOST] = "true"
    changed = {**kept, "internal": closed, "labels": _labels(network, frame.labels)}
    return {**changed, "driver_opts": options} if options else changed


def _set_mounts(plan: Plan, model: Model, name: str, frame: Frame) -> None:
    service = plan.services[name]
    entries = []
    for given, each in zip(listed(service, "volumes"), mounts_of(service), strict=True):
        if each.kind == "bind" and frame.ground.holds(Path(each.source)):
            entries += _copied(plan, name, each, frame)
            continue
        entries.append(given)
        if each.kind == "volume" and each.source:
            volume = mapping(model, "volumes").get(each.source) or {}
            plan.model["volumes"][each.source] = _volume(volume, frame)
    service.pop("volumes", None)
    if entries:
        service["volumes"] = entries


def _volume(volume: Model, frame: Frame) -> dict[str, Any]:
    """Return a volume of the run's own: under its own name it might be one that is in use."""
    if volume.get("external"):
        return dict(volume)
    kept = {key: each for key, each in volume.items() if key not in {"name", "external"}}
    return {**kept, "labels": _labels(volume, frame.labels)}


def _copied(plan: Plan, name: str, bind: Mounted, frame: Frame) -> list[dict[str, Any]]:
    source = Path(bind.source).resolve()
    if source.exists() and not source.is_dir():
        plan.files.append(Copy(name, bind.target, source))
        return []
    known = [volume for volume, folder in plan.folders.items() if folder == source]
    volume = known[0] if known else f"{frame.project}-bind-{len(plan.folders)}"
    plan.folders[volume] = source
    plan.model["volumes"][volume] = {"external": True, "name": volume}
    mount = {"type": "volume", "source": volume, "target": bind.target}
    return [{**mount, "read_only": bind.read_only, "volume": {"nocopy": True}}]


def _give(plan: Plan, model: Model, name: str, service: Model, frame: Frame) -> None:
    """Copy the secrets and configs that a service is given, too: they would be binds."""
    for kind, folder in (("secrets", "/run/secrets"), ("configs", "/")):
        defined = mapping(model, kind)
        for each in listed(service, kind):
            source = source_of(each)
            entry = defined.get(source)
            if not isinstance(entry, dict):
                raise StepError(f"service {name!r} is given {source!r}, which the file has not")
            target = str((each.get("target") if isinstance(each, dict) else "") or source)
            at = str(PurePosixPath(folder, target))
            plan.files.append(Copy(name, at, _content(source, entry, frame)))


def _content(name: str, entry: Model, frame: Frame) -> Path | bytes:
    if "file" in entry:
        return Path(str(entry["file"])).resolve()
    if "content" in entry:
        return str(entry["content"]).encode()
    variable = str(entry.get("environment") or "")
    found = frame.secrets.get(variable, frame.service.env.get(variable))
    if found is None:
        raise StepError(
            f"{name!r} is the variable {variable!r}, which is not given",
            hint="name it in [app] env or secrets: nothing else is passed on",
        )
    return found.encode("utf-8", "surrogateescape")


def _check_shadows(plan: Plan, name: str) -> None:
    """See that no file is put where a mount of the start hides it."""
    service = plan.services[name]
    hidden = [each.partition(":")[0] for each in texts(service, "tmpfs")]
    hidden += [each.target for each in mounts_of(service) if each.kind == "tmpfs"]
    for copy in plan.files:
        if copy.service != name:
            continue
        # the engine puts no file into a root that is read-only
        service.pop("read_only", None)
        if any(PurePosixPath(copy.target).is_relative_to(each) for each in hidden):
            raise StepError(
                f"service {name!r} is given {copy.target!r}, which lies in a tmpfs",
                hint="files are copied before it starts, and a tmpfs is empty then",
            )
