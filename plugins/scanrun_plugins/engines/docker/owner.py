"""Whose is a container, and is its owner still alive?

Engines are shared by users, machines and CI containers. A process is only known to be dead by
somebody who sees the same processes; so a host is machine, host name and process namespace.
"""

import hashlib
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

RUN = "scanrun.run"
SCANNER = "scanrun.scanner"
OWNER = "scanrun.owner"
EXPIRES = "scanrun.expires"
KEPT = "scanrun.kept"
BUILT = "scanrun.built"
"""Of an image: run, owner and expiry in one. Builders make a layer of each label by itself."""
LIFETIME_S = 24 * 3600
"""After this, another host may remove what a run has left."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from all others that ever were."""

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def here(cls) -> Self:
        """Return this process."""
        return cls(_host(), _boot(), os.getpid(), start_time(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the owner that a label names; None if it is no such label."""
        parts = text.split(":")
        if len(parts) != 4 or not parts[2].isdecimal():  # noqa: PLR2004 - as many as fields
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3])

    def __str__(self) -> str:
        return f"{self.host}:{self.boot}:{self.pid}:{self.started}"


def labels(owner: Owner, run_id: str) -> dict[str, str]:
    """Return the labels of all that a run makes on an engine."""
    return {RUN: run_id, OWNER: str(owner), EXPIRES: str(int(time.time()) + LIFETIME_S)}


def built_label(found: Mapping[str, str]) -> dict[str, str]:
    """Return the one label that an image carries in the place of a run's labels."""
    return {BUILT: ";".join(found[name] for name in (RUN, OWNER, EXPIRES))}


def labels_of_built(value: str) -> dict[str, str]:
    """Return the labels that `built_label` was made of; of another text, none."""
    parts = value.split(";")
    names = (RUN, OWNER, EXPIRES)
    return dict(zip(names, parts, strict=True)) if len(parts) == len(names) else {}


def orphaned(found: Mapping[str, str], here: Owner, now: float) -> bool:
    """Say whether the thing that carries these labels may be removed by `here`.

    When in doubt it is somebody's: only a process of this very host is known to be dead.
    """
    owner = Owner.parse(found.get(OWNER, ""))
    if owner is not None and owner.host == here.host:
        return owner.boot != here.boot or not alive(owner)
    expires = found.get(EXPIRES, "")
    return expires.isdecimal() and int(expires) < now


def alive(owner: Owner) -> bool:
    """Say whether the process is there and is the one that was meant, not its pid's next user."""
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    started = start_time(owner.pid)
    return not started or not owner.started or started == owner.started


def start_time(pid: int) -> str:
    """Return when a process started, in the system's own words; empty if that is not shown."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # the second field is the program's name, in brackets, and may hold anything
            return stat.read_text(errors="replace").rpartition(")")[2].split()[19]
        except (OSError, IndexError):
            return ""
    return _ask("/bin/ps", "-o", "lstart=", "-p", str(pid))


def _host() -> str:
    namespace = Path("/proc/self/ns/pid")
    seen = (
        _read("/etc/machine-id") or _ask("/usr/sbin/sysctl", "-n", "kern.uuid"),
        os.uname().nodename,
        str(namespace.readlink()) if namespace.is_symlink() else "",
    )
    return hashlib.sha256("\0".join(seen).encode()).hexdigest()[:16]


def _boot() -> str:
    found = _read("/proc/sys/kernel/random/boot_id")
    return found or _ask("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _ask(*command: str) -> str:
    """Run a program of macOS; what it says, fit for a label's field."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "-".join(done.stdout.replace(":", ".").split())
