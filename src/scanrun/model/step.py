"""What is run: a command as its container sees it, and how it ended."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Self

STEP_LOG = "step.log"
"""In a step's folder: what it has printed so far, where an engine writes that down as it comes."""


class Role(StrEnum):
    """What a step is for."""

    UPDATE = "update"
    SERVICE = "service"
    PROBE = "probe"
    SCAN = "scan"
    COLLECT = "collect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a step may use at the most."""

    memory_mb: int = 1024
    pids: int = 256
    scratch_mb: int = 256
    """Size of `/tmp`, `HOME` and `TMPDIR`. It counts as memory."""
    output_mb: int = 2048
    """Size of all its outputs together, and of what it prints."""
    log_mb: int = 64
    """Size of what it prints beside its outputs: signs are looked for in all of it."""

    def with_memory(self, memory_mb: int | None) -> Self:
        """Return these limits with another amount of memory; None changes nothing."""
        return replace(self, memory_mb=memory_mb) if memory_mb else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command, written as its container sees it.

    The `local` engine runs the same words: an absolute path at or under `source` (and its parent,
    where that is not `/`), an output's folder, a file's folder or a cache is replaced, wherever it
    stands in `argv`, `env` and `workdir`, by its place in the scratch folder.
    """

    role: Role = Role.SCAN
    name: str = "scan"
    """Unique among the steps of its scanner."""
    image: str = ""
    """Reference with a pinned version. Empty: this step can't run in a container."""
    pulled: bool = True
    """False: no registry has the image; it is there because somebody built it, or not at all."""
    executable: str = ""
    """Name of the program on the `local` engine. Empty: it can't run there."""
    entrypoint: tuple[str, ...] | None = None
    """Replaces the image's own entry point."""
    argv: tuple[str, ...] = ()
    """Arguments, without the program's name: the image's entry point takes them."""
    env: Mapping[str, str] = field(default_factory=dict)
    source: str | None = "/src"
    """Where the scanned copy lies, read-only. None: the step is not given it."""
    workdir: str = "/"
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Absolute path -> content of small files made for the step (its own configuration).

    Not shown: when the step starts, the sealed ones are among them."""
    host_files: Mapping[str, Path] = field(default_factory=dict)
    """Absolute path -> file of this host to be copied in (an image archive)."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Absolute path of a symbolic link made for the step -> what it points to."""
    sealed: Mapping[str, Callable[[Mapping[str, str]], bytes]] = field(default_factory=dict)
    """Absolute path -> makes the content of a small file of the secrets, by name.

    Called right before the step starts. The only way for a secret into a container."""
    services: tuple[str, ...] = ()
    """Names of the scanner's services that it speaks to."""
    caches: Mapping[str, str] = field(default_factory=dict)
    """Absolute folder -> name of the database that lies there, read-only."""
    outputs: tuple[str, ...] = ()
    """Absolute paths to fetch; one that ends in `/` is a folder."""
    optional_outputs: tuple[str, ...] = ()
    """Fetched where they are there."""
    stdout: str | None = None
    """The output that is what the step prints, instead of a file that it writes."""
    ok_exit_codes: frozenset[int] = frozenset({0})
    network: bool = False
    limits: Limits = Limits()
    timeout_s: float = 900.0

    @classmethod
    def scan(  # noqa: D102 - a short form of the constructor
        cls,
        image: str,
        argv: Iterable[str],
        *,
        output: str,
        ok_exit_codes: Iterable[int] = (0,),
        **more: Any,  # noqa: ANN401 - the constructor's own keywords
    ) -> Self:
        return cls(
            image=image,
            argv=tuple(argv),
            outputs=(output,),
            ok_exit_codes=frozenset(ok_exit_codes),
            **more,
        )


@dataclass(frozen=True, slots=True)
class Located:
    """What would run a step: an image or an executable, found without running or pulling it."""

    reference: str
    """Image reference as it will be asked for, or path of the executable."""
    version: str = ""
    digest: str = ""
    problem: str = ""
    """Why it can't be had; empty when it is there or can be pulled."""
    hint: str = ""
    note: str = ""
    """`to be pulled`, `pinned by scanrun.lock`, …"""
    to_pull: bool = False
    """It is not here yet."""
    foreign: str = ""
    """For which other processor it is, where the engine may not be able to run it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """How a step ended. Files are on this host, in the run's scratch folder."""

    exit_code: int
    outputs: Mapping[str, Path]
    log: Path
    """What it printed, both streams (stdout left out where that is an output)."""
    started: datetime
    ended: datetime
    oom_killed: bool = False
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """What of the tree it was not given as it was when the tree was walked: incomplete."""


def container_parent(path: str) -> str:
    """Return the folder of an absolute container path (`/out/` for a folder is itself)."""
    return path.rstrip("/") if path.endswith("/") else str(PurePosixPath(path).parent)
