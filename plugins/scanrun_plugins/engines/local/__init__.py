"""Engine `local`: the tools' own executables on this host, without containers.

Nothing is isolated here, and the plan says so; the contract is otherwise that of a container.
"""

import os
from collections.abc import Iterator

from scanrun.api import Check, Engine, EngineSettings, Session, hookimpl
from scanrun_plugins.engines.local.executables import (
    embedded_executables,
    find_executable,
    version_of,
)
from scanrun_plugins.engines.local.session import ISOLATION, LocalSession


class LocalEngine:
    """Runs executables; there is always one."""

    name = "local"
    runs = "executable"

    def open(self, settings: EngineSettings) -> Session:
        """Return a session."""
        return LocalSession(settings)

    def diagnose(self, settings: EngineSettings) -> Iterator[Check]:
        """Say which programs of the embedded default are there."""
        yield Check("local isolation", None, ISOLATION.summary)
        if os.geteuid() == 0:
            yield Check("local user", None, "root: local scanners run as root")
        for name in embedded_executables():
            path = find_executable(name, settings.environment, None)
            if path is None:
                hint = "install scanrun with its extra: scanrun[local]"
                yield Check(f"local {name}", ok=False, detail="not installed", hint=hint)
            else:
                yield Check(f"local {name}", ok=True, detail=f"{version_of(path) or '?'} {path}")


@hookimpl
def scanrun_register_engines() -> list[Engine]:
    """Add the local engine."""
    return [LocalEngine()]
