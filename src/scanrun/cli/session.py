"""What several commands need: plugins, configuration and scanners, found once and in one way."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scanrun.config import Loaded, load_settings
from scanrun.contracts import Scanner
from scanrun.declared import declared_scanner
from scanrun.errors import UsageError
from scanrun.lockfile import lock_folder, read_lock
from scanrun.nearest import nearest
from scanrun.plugins import Plugins, load_plugins
from scanrun.request import Request, root_of, secrets_in


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What a command works with."""

    path: Path
    plugins: Plugins
    loaded: Loaded
    scanners: Mapping[str, Scanner]
    """All there are: the plugins', and those the configuration declares."""

    @property
    def root(self) -> Path:
        """Return the scanned folder."""
        return root_of(self.path)

    @property
    def lock_folder(self) -> Path:
        """Return where scanrun.lock belongs."""
        return lock_folder(self.root, self.loaded.file)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the environment's secrets: they are masked in whatever is read, too."""
        return secrets_in(os.environ, self.loaded.settings)

    def request(self, *, names: tuple[str, ...] = (), image: str | None = None) -> Request:
        """Return a new run's request.

        Raises:
            ConfigError: there is a scanrun.lock that is not understood.
        """
        return Request(
            run_id=new_run_id(),
            path=self.path,
            loaded=self.loaded,
            names=names,
            image=image,
            lock=read_lock(self.lock_folder),
            environment=dict(os.environ),
        )


def gather(
    path: Path,
    *,
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    plugins: tuple[Path, ...] = (),
    trusted: bool = False,
) -> CommandContext:
    """Load plugins and configuration for `path`.

    Raises:
        ScanrunError: one of them can't be used.
    """
    must_exist(path, hint="name a folder or a file to scan")
    found = load_plugins(plugins, scanned=root_of(path))
    loaded = load_settings(
        path,
        config=config,
        flags=flags or {},
        environment=os.environ,
        scanners=found.scanners,
        trusted=trusted,
        isolated=[name for name, engine in found.engines.items() if engine.runs == "image"],
    )
    declared: dict[str, Scanner] = {
        name: declared_scanner(name, settings)
        for name, settings in loaded.settings.scanner.items()
        if settings.declared
    }
    for name in loaded.settings.report.formats:
        if name not in found.reporters:
            raise UsageError(f"no report format {name!r}", hint=nearest(name, found.reporters))
    scanners = dict(sorted({**found.scanners, **declared}.items()))
    return CommandContext(path, found, loaded, scanners)


def must_exist(path: Path, *, hint: str = "") -> None:
    """Refuse a path that nothing lies at.

    Raises:
        UsageError: a mistyped path; what is there and can't be read is another thing.
    """
    if not path.exists():
        raise UsageError(f"{str(path)!r} does not exist", hint=hint)


def new_run_id() -> str:
    """Return an id that sorts by time and is no two runs'."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
