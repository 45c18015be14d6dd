"""What a run was asked for: the command line, the configuration and the environment, made one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scanrun.config import Loaded, Settings


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

    @property
    def settings(self) -> Settings:
        """Return the settings."""
        return self.loaded.settings

    @property
    def root(self) -> Path:
        """Return the scanned folder (a single file's own folder)."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def output(self) -> Path:
        """Return the folder for the run's files."""
        return self.root / self.settings.output.dir
