"""What a run was asked for: the command line, the configuration and the environment, made one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scanrun.config import Loaded, Settings


def root_of(path: Path) -> Path:
    """Return the folder that is scanned where `path` is named: a single file's is its own."""
    return path if path.is_dir() else path.parent


_SECRET_NAME = re.compile(
    r"(?i)pass(?!age)|_pwd|secret|token(?!iz)|credential|(?:api|access|private)_?key"
)
_SHORTEST = 8
_PASSWORD = re.compile(rf"://[^\s/@:]*:([^\s/@]{{{_SHORTEST},512}})@")


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
    environment: Mapping[str, str] = field(default_factory=dict)
    prove: bool = False
    """Run each scanner on its canary, whether it applies or not."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the values of the environment that look like secrets: they are masked."""
        named = (value for name, value in self.environment.items() if _SECRET_NAME.search(name))
        # shorter values are words such as `true`, and those with a `/` in front are paths
        known = [each for each in named if len(each) >= _SHORTEST and not each.startswith("/")]
        addresses = (_PASSWORD.search(value) for value in self.environment.values())
        return (*known, *(match[1] for match in addresses if match))

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
