"""Which paths may a compose file name? Those of the scanned tree, links followed to their end."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scanrun.api import StepError

_SOCKETS = tuple(
    Path(folder, name)
    for folder in ("/run", "/var/run")
    for name in (
        "docker.sock",
        "docker/containerd/containerd.sock",
        "podman/podman.sock",
        "containerd/containerd.sock",
        "crio/crio.sock",
        "buildkit/buildkitd.sock",
    )
)
_SOCKET_NAME = re.compile(r"(?i)(docker|podman|containerd|crio|buildkitd)[\w.-]*\.sock")
_USERS = re.compile(
    r"(/var)?/run/user(/[^/]+(/podman)?)?|/home(/[^/]+)?(/\.docker(/(run|desktop))?)?"
)
"""Folders that hold the sockets of users' own engines."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a compose file asks for that reaches out of its containers."""

    where: str
    """`service 'web'`"""
    what: str
    word: str
    """What allows it in `compose_allow`; empty: nothing does."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.word})" if self.word else "")


@dataclass(frozen=True, slots=True)
class Ground:
    """The scanned tree, and the engine that the file is for."""

    root: Path
    """Without links."""
    socket: Path | None = None
    """The engine's own."""

    def holds(self, path: Path) -> bool:
        """Say whether a path lies in the tree, whatever links it goes through."""
        return Path(os.path.realpath(path)).is_relative_to(self.root)

    def is_socket(self, path: Path) -> bool:
        """Say whether a path is an engine's socket by its name, and no folder."""
        return path == self.socket or bool(_SOCKET_NAME.fullmatch(path.name))

    def holds_socket(self, path: Path) -> bool:
        """Say whether a path is an engine's socket, or a folder with one somewhere in it.

        The engine may run elsewhere, so what this host has there doesn't tell.
        """
        own = (self.socket,) if self.socket else ()
        for each in (Path(os.path.normpath(path)), Path(os.path.realpath(path))):
            if self.is_socket(each) or _USERS.fullmatch(str(each)):
                return True
            if any(known.is_relative_to(each) for known in (*_SOCKETS, *own)):
                return True
        return False


def refuse(refusals: Iterable[Refusal], allowed: frozenset[str], name: str) -> None:
    """Raise what is not allowed, all of it at once.

    Raises:
        StepError: the compose file asks for it.
    """
    found = list(dict.fromkeys(each for each in refusals if each.word not in allowed))
    if not found:
        return
    words = dict.fromkeys(each.word for each in found if each.word)
    listed = ", ".join(f'"{word}"' for word in sorted({*words, *allowed}))
    never = any(not each.word for each in found)
    raise StepError(
        f"{name!r} asks for what reaches out of its containers: {'; '.join(map(str, found))}",
        hint="take it out of the file"
        + (f", or allow it: [app] compose_allow = [{listed}]" if words and not never else ""),
    )
