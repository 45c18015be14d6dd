"""What a run was asked for: the command line, the configuration and the environment, made one."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scanrun.config import Loaded, Settings
from scanrun.secrets import Secrets


def root_of(path: Path) -> Path:
    """Return the folder that is scanned where `path` is named: a single file's is its own."""
    return path if path.is_dir() else path.parent


_SECRET_NAME = re.compile(
    r"(?i)pass(?!age)|_pwd|secret|token(?!iz)|credential|(?:api|access|private)_?key"
)
_PATH_NAME = re.compile(r"(?i)_(?:dir|file|home|path)\Z")
_SHORTEST = 8
_PASSWORD = re.compile(rf"://[^\s/@:]*:([^\s/@]{{{_SHORTEST},512}})@")


def secrets_in(environment: Mapping[str, str], settings: Settings | None = None) -> tuple[str, ...]:
    """Return the values that look like secrets, and those that the settings name as such."""
    ours = {each.env for each in settings.secret.values() if each.env} if settings else set()
    named = (
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and not _is_path(name, value)
    )
    # shorter values are words such as `true`
    known = [each for each in named if len(each) >= _SHORTEST]
    addresses = (_PASSWORD.search(value) for value in environment.values())
    named_ours = (environment.get(name, "") for name in ours)
    return (*known, *named_ours, *(match[1] for match in addresses if match))


def _is_path(name: str, value: str) -> bool:
    """Say whether a value is no secret but where one lies: a key may well begin with a `/`."""
    return value.startswith("/") and bool(_PATH_NAME.search(name) or os.path.lexists(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One run, before anything is known of the tree."""

    run_id: str
    path: Path
    loaded: Loaded
    names: tuple[str, ...] = ()
    """Scanners asked for by name; empty: all that apply."""
    image: str | None = None
    lock: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    prove: bool = False
    """Run each scanner on its canary, whether it applies or not."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the values of the environment that are, or look like, secrets: they are masked."""
        return secrets_in(self.environment, self.settings)

    def secrets_by_name(self, learn: Callable[[str], None] = lambda _: None) -> Secrets:
        """Return the secrets that the configuration names, and the environment holds."""
        return Secrets(self.settings.secret, self.environment, learn)

    @property
    def settings(self) -> Settings:
        """Return the settings."""
        return self.loaded.settings

    @property
    def root(self) -> Path:
        """Return the scanned folder (a single file's own folder)."""
        return root_of(self.path)

    @property
    def output(self) -> Path:
        """Return the folder for the run's files."""
        return self.root / self.settings.output.dir
