"""How does a resolved compose file say a thing? Both generations of the program, one form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scanrun.api import StepError

Model = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """One entry of a service's `volumes`."""

    kind: str
    """`bind`, `volume`, `tmpfs`, or what is not known here."""
    source: str = ""
    """Path, or the volume's name; empty: a volume without one."""
    target: str
    read_only: bool = False


def services_of(model: Model) -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    return {str(name): dict(each or {}) for name, each in mapping(model, "services").items()}


def needed(services: Mapping[str, Model], name: str) -> tuple[str, ...]:
    """Return a service and all that it can't be without.

    Raises:
        StepError: it is not in the file.
    """
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop(0)
        if each in found:
            continue
        if each not in services:
            raise StepError(
                f"the compose file has no service {each!r}",
                hint=f"it has: {', '.join(sorted(services)) or 'none'}",
            )
        found[each] = None
        waiting += _leans_on(services[each])
    return tuple(found)


def _leans_on(service: Model) -> list[str]:
    names = [*keys(service, "depends_on")]
    names += [each.partition(":")[0] for each in texts(service, "links")]
    from_others = [each.split(":")[0] for each in texts(service, "volumes_from")]
    names += [each for each in from_others if each != "container"]
    for key in ("network_mode", "ipc", "pid"):
        kind, _, other = str(service.get(key) or "").partition(":")
        names += [other] if kind == "service" else []
    return names


def mounts_of(service: Model) -> list[Mounted]:
    """Return what is mounted in a service.

    Raises:
        StepError: an entry has no form that is known.
    """
    return [_mounted(each) for each in listed(service, "volumes")]


def _mounted(entry: object) -> Mounted:
    if isinstance(entry, dict):
        return Mounted(
            kind=str(entry.get("type") or "volume"),
            source=str(entry.get("source") or ""),
            target=str(entry.get("target") or ""),
            read_only=bool(entry.get("read_only")),
        )
    if not isinstance(entry, str):
        raise StepError(f"the compose file mounts {entry!r:.100}, which makes no sense")
    source, _, rest = entry.partition(":")
    if not rest:
        return Mounted(kind="volume", target=source)
    target, _, options = rest.partition(":")
    kind = "bind" if source.startswith(("/", ".", "~")) else "volume"
    return Mounted(kind=kind, source=source, target=target, read_only="ro" in options.split(","))


def networks_of(service: Model) -> dict[str, Any]:
    """Return the networks that a service is in: name -> how."""
    if service.get("network_mode") not in (None, "", "bridge", "default"):
        return {}
    return keys(service, "networks") or {"default": None}


def mapping(model: Model, key: str) -> dict[str, Any]:
    """Return a section that is a mapping; empty where there is none.

    Raises:
        StepError: it is something else.
    """
    found = model.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise StepError(f"the compose file's {key!r} is no mapping")
    return found


def keys(model: Model, key: str) -> dict[str, Any]:
    """Return what may be a list of names as the mapping that it stands for."""
    found = model.get(key)
    if isinstance(found, list):
        return {str(name): None for name in found}
    return mapping(model, key)


def pairs(model: Model, key: str) -> dict[str, str | None]:
    """Return what may be a list of `NAME=VALUE` as a mapping; None: a name alone."""
    found = model.get(key)
    if not isinstance(found, list):
        return {str(k): None if v is None else _text(v) for k, v in mapping(model, key).items()}
    split = (str(each).partition("=") for each in found)
    return {name: value if sign else None for name, sign, value in split}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


def listed(model: Model, key: str) -> list[Any]:
    """Return a section that may be one thing alone as a list."""
    found = model.get(key)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def texts(model: Model, key: str) -> list[str]:
    """Return a section as a list of texts."""
    return [str(each) for each in listed(model, key)]
