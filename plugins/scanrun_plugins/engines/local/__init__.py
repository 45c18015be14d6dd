"""Engine `local`: the tools' own executables on this host, without containers.

Nothing is isolated here, and the plan says so; the contract is otherwise that of a container.
"""

import os
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

from scanrun.api import Check, Engine, EngineSettings, Session, hookimpl
from scanrun_plugins.engines.local.executables import find_executable, version_of
from scanrun_plugins.engines.local.session import ISOLATION, LocalSession

_EMBEDDED = re.compile(r"^([\w.-]+).*;.*\bextra\s*==\s*['\"]local['\"]")


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


def embedded_executables() -> tuple[str, ...]:
    """Return the tools of `scanrun[local]`, as scanrun's own metadata lists them."""
    try:
        found = (_EMBEDDED.match(each) for each in requires("scanrun") or ())
    except PackageNotFoundError:
        return ()
    return tuple(match[1] for match in found if match)


@hookimpl
def scanrun_register_engines() -> list[Engine]:
    """Add the local engine."""
    return [LocalEngine()]
