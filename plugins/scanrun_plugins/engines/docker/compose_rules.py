"""What may a compose file do? Judged is what its program makes of it, and only what is to run."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scanrun_plugins.engines.docker.compose_ground import Ground, Refusal
from scanrun_plugins.engines.docker.compose_parts import (
    Model,
    listed,
    mapping,
    mounts_of,
    networks_of,
    pairs,
    services_of,
    texts,
    words,
)

HARMLESS = words(
    "annotations attach blkio_config command container_name cpu_count cpu_percent cpu_period"
    " cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset depends_on develop dns dns_opt"
    " dns_search domainname entrypoint environment expose extra_hosts group_add healthcheck"
    " hostname image init isolation labels links logging mac_address mem_limit mem_reservation"
    " mem_swappiness memswap_limit oom_kill_disable oom_score_adj pids_limit platform ports"
    " profiles pull_policy read_only restart scale shm_size stdin_open stop_grace_period"
    " stop_signal storage_opt sysctls tmpfs tty ulimits user working_dir"
)
"""Keys of a service that reach nothing outside, or that are changed before it is run."""
_BUILD_HARMLESS = words(
    "args cache_from cache_to dockerfile_inline extra_hosts isolation labels no_cache platforms"
    " provenance pull sbom shm_size tags target ulimits"
)
_NETWORK_OPTIONS = frozenset({"com.docker.network.driver.mtu"})
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|github\.com/|docker-image:")
_TOP = frozenset({"services", "networks", "volumes", "secrets", "configs", "version", "name"})


def refusals(model: Model, ground: Ground) -> Iterator[Refusal]:
    """Yield what the services reach out for."""
    services = services_of(model)
    for key in sorted(set(model) - _TOP):
        if not str(key).startswith("x-"):
            yield Refusal("the file", f"{key!r:.100} is not known here", "unknown-keys")
    for name, service in services.items():
        where = f"service {name!r}"
        for key in sorted(set(service) - HARMLESS - set(_JUDGES)):
            if not str(key).startswith("x-"):
                yield Refusal(where, f"{key!r:.100} is not known here", "unknown-keys")
        for judge in dict.fromkeys(_JUDGES.values()):
            yield from judge(where, service, ground)
    yield from _networks(model, services.values())
    yield from _volumes(model, services.values(), ground)
    yield from _given(model, services.values(), ground)


def _privileges(where: str, service: Model, _: Ground) -> Iterator[Refusal]:
    if service.get("privileged"):
        yield Refusal(where, "privileged", "privileged")
    for key in ("post_start", "pre_stop"):
        if any(isinstance(each, dict) and each.get("privileged") for each in listed(service, key)):
            yield Refusal(where, f"{key} is privileged", "privileged")
    for name in texts(service, "cap_add"):
        yield Refusal(where, f"cap_add {name!r:.100}", "capabilities")
    for option in texts(service, "security_opt"):
        if not re.fullmatch(r"no-new-privileges([:=]true)?", option.strip()):
            yield Refusal(where, f"security_opt {option!r:.100}", "unconfined")


def _devices(where: str, service: Model, _: Ground) -> Iterator[Refusal]:
    for key in ("devices", "device_cgroup_rules", "gpus"):
        if service.get(key):
            yield Refusal(where, key, "devices")
    if service.get("runtime") not in (None, "", "runc"):
        yield Refusal(where, f"runtime {service['runtime']!r:.100}", "devices")
    resources = mapping(mapping(service, "deploy"), "resources")
    if mapping(resources, "reservations").get("devices"):
        yield Refusal(where, "deploy reserves devices", "devices")


_OWN: Mapping[str, tuple[str, ...]] = {
    "pid": ("service:",),
    "ipc": ("service:", "private", "shareable", "none"),
    "uts": (),
    "userns_mode": (),
    "cgroup": ("private",),
    "cgroup_parent": (),
}
"""Namespaces, and what of them is the file's own."""


def _namespaces(where: str, service: Model, _: Ground) -> Iterator[Refusal]:
    for key, own in _OWN.items():
        value = str(service.get(key) or "")
        if value and not value.startswith(own):
            yield Refusal(where, f"{key} {value!r:.100}", "host-namespaces")


def _network_mode(where: str, service: Model, _: Ground) -> Iterator[Refusal]:
    value = str(service.get("network_mode") or "bridge")
    if value == "host":
        yield Refusal(where, "network_mode 'host'", "host-network")
    elif value not in {"bridge", "default", "none"} and not value.startswith("service:"):
        yield Refusal(where, f"network_mode {value!r:.100}, which is not the file's", "external")
    for each in texts(service, "external_links"):
        yield Refusal(where, f"external_links {each!r:.100}", "external")


def _mounts(where: str, service: Model, ground: Ground) -> Iterator[Refusal]:
    if service.get("use_api_socket"):
        yield Refusal(where, "use_api_socket", "engine-socket")
    for each in mounts_of(service):
        if each.kind == "bind":
            yield from _bind(where, each.source, ground)
        elif each.kind == "npipe":
            yield Refusal(where, f"mounts {each.source!r:.200}", "engine-socket")
        elif each.kind not in {"volume", "tmpfs"}:
            yield Refusal(where, f"mounts a {each.kind!r:.100}, not known here", "unknown-keys")
    for other in texts(service, "volumes_from"):
        if other.startswith("container:"):
            yield Refusal(where, f"volumes_from {other!r:.100}", "external")


def _bind(where: str, source: str, ground: Ground) -> Iterator[Refusal]:
    path = Path(source)
    if ground.holds_socket(path):
        yield Refusal(where, f"binds {source!r:.200}, with an engine's socket", "engine-socket")
    if ground.is_socket(path):
        return
    if not path.is_absolute() or not ground.holds(path):
        yield Refusal(where, f"binds {source!r:.200}, outside of the scanned folder", "binds")


def _files(where: str, service: Model, ground: Ground) -> Iterator[Refusal]:
    for key in ("env_file", "label_file"):
        for each in listed(service, key):
            path = str(each.get("path") if isinstance(each, dict) else each)
            yield from _outside(where, f"{key} {path!r:.200}", path, ground)
    if service.get("credential_spec"):
        yield Refusal(where, "credential_spec", "outside-files")
    if service.get("provider") is not None:
        yield Refusal(where, "provider starts a program on this host", "")


def _outside(where: str, what: str, path: str, ground: Ground) -> Iterator[Refusal]:
    if not Path(path).is_absolute() or not ground.holds(Path(path)):
        yield Refusal(where, f"{what}, outside of the scanned folder", "outside-files")


def _build(where: str, service: Model, ground: Ground) -> Iterator[Refusal]:
    given = service.get("build")
    build = given if isinstance(given, dict) else {"context": given} if given else {}
    for key in sorted(set(build) - _BUILD_HARMLESS - _BUILD_JUDGED):
        yield Refusal(where, f"build: {key!r:.100} is not known here", "unknown-keys")
    if not build:
        return
    context = str(build.get("context") or "")
    yield from _context(where, "build context", context, ground)
    dockerfile = str(build.get("dockerfile") or "Dockerfile")
    if not _REMOTE.match(context):
        file = str(Path(context) / dockerfile)
        yield from _outside(where, f"Dockerfile {dockerfile!r:.200}", file, ground)
    for name, other in pairs(build, "additional_contexts").items():
        if not str(other).startswith("service:"):
            yield from _context(where, f"additional context {name!r:.100}", str(other), ground)
    yield from _build_reaches(where, build)


def _context(where: str, what: str, path: str, ground: Ground) -> Iterator[Refusal]:
    if _REMOTE.match(path):
        yield Refusal(where, f"{what} {path!r:.200} is fetched from elsewhere", "remote-builds")
    else:
        yield from _outside(where, f"{what} {path!r:.200}", path, ground)


_BUILD_JUDGED = words(
    "additional_contexts context dockerfile entitlements network privileged secrets ssh"
)


def _build_reaches(where: str, build: Model) -> Iterator[Refusal]:
    if build.get("privileged") or build.get("entitlements"):
        yield Refusal(where, "its build is privileged", "privileged")
    for key in ("ssh", "secrets"):
        if build.get(key):
            yield Refusal(where, f"its build is given {key} of this host", "outside-files")
    network = str(build.get("network") or "default")
    if network == "host":
        yield Refusal(where, "its build is in the host's network", "host-network")
    elif network not in {"default", "bridge", "none"}:
        yield Refusal(where, f"its build is in the network {network!r:.100}", "external")


_JUDGES = {
    "privileged": _privileges,
    "post_start": _privileges,
    "pre_stop": _privileges,
    "cap_add": _privileges,
    "cap_drop": _privileges,
    "security_opt": _privileges,
    "devices": _devices,
    "device_cgroup_rules": _devices,
    "gpus": _devices,
    "runtime": _devices,
    "deploy": _devices,
    **dict.fromkeys(_OWN, _namespaces),
    "network_mode": _network_mode,
    "networks": _network_mode,
    "external_links": _network_mode,
    "volumes": _mounts,
    "volumes_from": _mounts,
    "use_api_socket": _mounts,
    "env_file": _files,
    "label_file": _files,
    "credential_spec": _files,
    "provider": _files,
    # judged where they are defined
    "secrets": _files,
    "configs": _files,
    "build": _build,
}
"""Key of a service -> what judges it."""


def _networks(model: Model, services: Iterable[Model]) -> Iterator[Refusal]:
    used = dict.fromkeys(name for each in services for name in networks_of(each))
    defined = mapping(model, "networks")
    for name in used:
        network = defined.get(name) or {}
        where = f"network {name!r}"
        driver = network.get("driver") or "bridge"
        if network.get("external"):
            yield Refusal(where, "external", "external")
        if driver not in {"bridge", "default"}:
            yield Refusal(where, f"driver {driver!r:.100}", "host-network")
        for option in sorted(set(pairs(network, "driver_opts")) - _NETWORK_OPTIONS):
            yield Refusal(where, f"driver_opts {option!r:.100}", "host-network")


def _volumes(model: Model, services: Iterable[Model], ground: Ground) -> Iterator[Refusal]:
    named = (each.source for service in services for each in mounts_of(service))
    defined = mapping(model, "volumes")
    for name in dict.fromkeys(each for each in named if each in defined):
        volume = defined[name] or {}
        where = f"volume {name!r}"
        if volume.get("external"):
            yield Refusal(where, "external", "external")
        if (volume.get("driver") or "local") != "local":
            yield Refusal(where, f"driver {volume['driver']!r:.100}", "external")
        yield from _options(where, pairs(volume, "driver_opts"), ground)


def _options(where: str, options: Mapping[str, str | None], ground: Ground) -> Iterator[Refusal]:
    """A volume of the local driver may be a bind in disguise, or another machine's disk."""
    kind = str(options.get("type") or "")
    flags = str(options.get("o") or "").split(",")
    device = str(options.get("device") or "")
    if "bind" in flags or "rbind" in flags or device.startswith(("/", "~", ".")):
        yield from _bind(where, device, ground)
        if ground.holds(Path(device)):
            yield Refusal(where, "is a bind in disguise; write it as a bind", "binds")
    elif options and kind != "tmpfs":
        yield Refusal(where, f"driver_opts of type {kind!r:.100}", "external")


def _given(model: Model, services: Iterable[Model], ground: Ground) -> Iterator[Refusal]:
    """Judge the secrets and configs that services are given."""
    every = list(services)
    for kind in ("secrets", "configs"):
        used = dict.fromkeys(source_of(each) for one in every for each in listed(one, kind))
        defined = mapping(model, kind)
        for name in used:
            entry: Mapping[str, Any] = defined.get(name) or {}
            where = f"{kind[:-1]} {name!r}"
            if entry.get("external"):
                yield Refusal(where, "external", "external")
            elif "file" in entry:
                path = str(entry["file"])
                yield from _outside(where, f"file {path!r:.200}", path, ground)


def source_of(given: object) -> str:
    """Return the name of a secret or config that a service is given."""
    return str(given.get("source") if isinstance(given, dict) else given)
