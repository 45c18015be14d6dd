"""What several commands need: plugins, configuration and scanners, found once and in one way."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanrun.config import Loaded, load_settings
from scanrun.contracts import Scanner
from scanrun.declared import DeclaredScanner
from scanrun.errors import UsageError
from scanrun.plugins import Plugins, load_plugins


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What a command works with."""

    path: Path
    plugins: Plugins
    loaded: Loaded
    scanners: Mapping[str, Scanner]
    """All there are: the plugins', and those the configuration declares."""


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
    if not path.exists():
        raise UsageError(f"{str(path)!r} does not exist", hint="name a folder or a file to scan")
    root = path if path.is_dir() else path.parent
    found = load_plugins(plugins, scanned=root)
    loaded = load_settings(
        path,
        config=config,
        flags=flags or {},
        environment=os.environ,
        scanners=found.scanners,
        trusted=trusted,
    )
    declared: dict[str, Scanner] = {
        name: DeclaredScanner(name, settings)
        for name, settings in loaded.settings.scanner.items()
        if settings.declared
    }
    for name in loaded.settings.report.formats:
        if name not in found.reporters:
            known = ", ".join(found.reporters)
            raise UsageError(f"no report format {name!r}", hint=f"one of: {known}")
    scanners = dict(sorted({**found.scanners, **declared}.items()))
    return CommandContext(path, found, loaded, scanners)
