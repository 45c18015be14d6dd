"""What is ordered of the engine for a service's container, and did it take the order?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from scanrun.api import Service, StepError
from scanrun_plugins.engines.docker.failures import engine_errors
from scanrun_plugins.engines.docker.hardening import (
    confined,
    hardened,
    lines_of,
    not_enforced,
    proxies_of,
)
from scanrun_plugins.engines.docker.networks import NO_NAMES

MOUNT = "/scanrun-secrets"
"""Folder that holds a service's secrets."""
SECRETS = "environment"
"""Script in it, which a shell reads."""
_LOG_PARTS = 4
_TCP = re.compile(r"(\d+)(?:/tcp)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an image says of how it is run."""

    id: str
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    exposed: tuple[int, ...] = ()

    @classmethod
    def of(cls, api: Any, image: str) -> Self:  # noqa: ANN401 - partly untyped
        """Ask the engine."""
        with engine_errors("looking at the image"):
            config = api.inspect_image(image)["Config"] or {}
        ports = (_TCP.fullmatch(each) for each in config.get("ExposedPorts") or ())
        return cls(
            id=image,
            user=str(config.get("User") or ""),
            entrypoint=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
            exposed=tuple(sorted(int(port[1]) for port in ports if port)),
        )

    @property
    def uid(self) -> int | None:
        """Return the number of the image's own user; None where it is a name, or root."""
        number = self.user.partition(":")[0]
        return int(number) if number.isdecimal() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A service that is to be started: what it is, and for whom."""

    service: Service
    image: Facts
    scanner: str
    """For labels."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variable -> value."""
    edition: str = ""
    """Of one that is to be kept."""
    porter: str = ""
    """Image of what this host reaches it through; empty: this host reaches it by itself."""

    @property
    def argv(self) -> tuple[str, ...]:
        """Return the whole command: the image's entry point, and its arguments.

        Raises:
            StepError: there is none.
        """
        argv = self.image.entrypoint + (self.service.argv or self.image.command)
        if not argv:
            raise StepError(
                f"the image of {self.service.name!r} says of no command to run",
                hint="name one in `command`",
            )
        return argv

    def config(self, *, private: str, caller: Mapping[str, str]) -> dict[str, Any]:
        """Return how its container is made, but for its HostConfig and its labels."""
        service, argv = self.service, self.argv
        environment = {**(proxies_of(caller) if service.open else {}), **service.env}
        return {
            "Image": self.image.id,
            "Env": lines_of(environment),
            "Healthcheck": {"Test": ["NONE"]},
            "NetworkingConfig": {"EndpointsConfig": {private: {"Aliases": [service.host_name]}}},
            **({"Cmd": list(service.argv)} if service.argv else {}),
            **(_sealed(argv) if self.secrets else {}),
        }

    def host(
        self, mounts: Sequence[Mapping[str, Any]], *, private: str, podman: bool
    ) -> dict[str, Any]:
        """Return what steps get, with a log that is kept, and scratch space of the image's user.

        The user's own program keeps what most programs need.
        """
        limits = self.service.limits
        restricted = confined if self.service.own_program else hardened
        host = restricted(limits, network=private, mounts=mounts, podman=podman, uid=self.image.uid)
        part = max(1, limits.log_mb // _LOG_PARTS)
        log = {"max-size": f"{part}m", "max-file": str(_LOG_PARTS)}
        names = {} if self.service.open else NO_NAMES
        return {**host, **names, "LogConfig": {"Type": "json-file", "Config": log}}

    def check(self, found: Mapping[str, Any], *, private: str, networks: Sequence[str]) -> None:
        """See that its container is what was ordered, and in no other network.

        Raises:
            StepError: it is not.
        """
        asked = {
            "Memory": self.service.limits.memory_mb << 20,
            "PidsLimit": self.service.limits.pids,
            "NetworkMode": private,
            "Mounts": ({"Target": MOUNT, "ReadOnly": True},) if self.secrets else (),
        }
        dropped = not_enforced(
            asked, found, networks=networks, user=None, own_program=self.service.own_program
        )
        if dropped:
            raise StepError(
                f"the engine does not enforce for {self.service.name!r}: {', '.join(dropped)}",
                hint="see `scanrun doctor`; rootless engines need cgroup v2 with delegation",
            )


def _sealed(argv: Sequence[str]) -> dict[str, Any]:
    command = through_shell(argv)
    return {"Entrypoint": command[:_WORDS], "Cmd": command[_WORDS:]}


def through_shell(argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` with the secrets in its environment."""
    return ["/bin/sh", "-c", f'. {MOUNT}/{SECRETS} && exec "$@"', "sh", *argv]


_WORDS = len(through_shell(()))
"""Of the shell's own."""
