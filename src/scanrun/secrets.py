"""The secrets of one run, by name: from the environment, a file, or a command."""

import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from scanrun.config.models import SecretSettings
from scanrun.errors import ScanError
from scanrun.model import Need, Step

_MAX_BYTES = 64_000
_COMMAND_S = 120.0
"""A command may ask somebody to unlock a vault."""
_OF_HEADERS = re.compile(
    r"(?i)(?:(?:apikey|basic|bearer|token)\s+|(?:^|;)\s*[\w.-]+=)(?P<core>[^\s;]{8,})"
)
"""What is secret in a header's value: `Bearer …`, `session=…`. Tools tell that part alone, too."""


@dataclass(slots=True)
class Secrets:
    """Looks each secret up once, when it is first asked for, and has it masked from then on."""

    settings: Mapping[str, SecretSettings]
    environment: Mapping[str, str] = field(repr=False)
    learn: Callable[[str], None]
    """Is told each value, and what is secret in it, to mask it."""
    _known: dict[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def source(self, name: str) -> str:
        """Say where a secret comes from, for the plan."""
        found = self._settings(name)
        if found.command:
            return f"command {found.command[0]!r}"
        return f"file {found.file!r}" if found.file else f"environment {found.env}"

    def variable(self, name: str) -> str:
        """Return the environment variable that a secret is read from; empty where it is none."""
        return self._settings(name).env or ""

    def problem(self, need: Need) -> str:
        """Say why a secret can't be had, as far as that is seen without running anything."""
        found = self._settings(need.name)
        if need.optional or found.command:
            return ""
        if found.file:
            there = Path(found.file).expanduser().is_file()
            return "" if there else f"{need.title}: there is no file {found.file!r}"
        return "" if self.environment.get(found.env or "") else _missing(need, found.env or "")

    def value(self, need: Need) -> str:
        """Return a secret; empty for an optional one that there is not.

        Raises:
            ScanError: it can't be had.
        """
        with self._lock:
            if need.name not in self._known:
                found = self._read(need).strip()
                for each in (found, *_cores(found)):
                    self.learn(each)
                self._known[need.name] = found
            value = self._known[need.name]
        if not value and not need.optional:
            raise ScanError(f"{need.title}: {self.source(need.name)} gives nothing")
        return value

    def _settings(self, name: str) -> SecretSettings:
        return self.settings.get(name, SecretSettings(env=name))

    def _read(self, need: Need) -> str:
        found = self._settings(need.name)
        if found.command:
            return _from_command(need, found.command, self.environment)
        if found.file:
            return _from_file(need, Path(found.file).expanduser())
        name = found.env or ""
        value = self.environment.get(name, "")
        if not value and not need.optional:
            raise ScanError(_missing(need, name), hint=where_to_say(need))
        return value


def _cores(value: str) -> Iterator[str]:
    return (found["core"] for found in _OF_HEADERS.finditer(value))


def with_sealed(step: Step, values: Mapping[str, str]) -> Step:
    """Return the step with the files that hold secrets, made of these `values`."""
    if not step.sealed:
        return step
    made = {path: make(values) for path, make in step.sealed.items()}
    return replace(step, files={**step.files, **made})


def _missing(need: Need, variable: str) -> str:
    return f"{need.title}: the environment variable {variable} is not set"


def where_to_say(need: Need) -> str:
    """Return what to do about a secret that can't be had."""
    return f"set it, or say where it is: [secret.{need.name}] with env, file or command"


def _from_file(need: Need, path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ScanError(
            f"{need.title}: {str(path)!r} can't be read: {error.strerror}", hint=where_to_say(need)
        ) from error
    return _text(need, content)


def _from_command(need: Need, command: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """Return what the command prints. What it says beside that may hold anything: it is dropped."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ScanError(
            f"{need.title}: {command[0]!r} gave no answer in {_COMMAND_S:g} s",
            hint="run it by hand",
        ) from None
    except OSError as error:
        raise ScanError(
            f"{need.title}: {command[0]!r} can't be run: {error.strerror}", hint=where_to_say(need)
        ) from error
    if done.returncode:
        raise ScanError(
            f"{need.title}: {command[0]!r} ended with exit code {done.returncode}",
            hint="run it by hand to see what it says",
        )
    return _text(need, done.stdout)


def _text(need: Need, content: bytes) -> str:
    if len(content) > _MAX_BYTES:
        raise ScanError(f"{need.title}: over {_MAX_BYTES:,} bytes is no secret")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ScanError(f"{need.title}: it is no UTF-8 text") from None
