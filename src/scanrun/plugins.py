"""Which plugins there are, and that no two of them claim one name.

Ours come in through the same entry-point group as a stranger's. Nothing is ever loaded from the
scanned tree: a pull request would run code in its own gate.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import Distribution, EntryPoint, distributions
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from scanrun import contracts, hookspecs
from scanrun.contracts import CIEmitter, Engine, Reporter, Scanner
from scanrun.deadline import within
from scanrun.errors import PluginError

GROUP = "scanrun"
_ABILITIES = tuple(
    each for name, each in sorted(vars(contracts).items()) if re.match("Has[A-Z]", name)
)
OBSERVE_S = 10.0
"""How long a plugin may look at a run before the run goes on without it."""


@dataclass(frozen=True)
class Plugins:
    """What all plugins registered, by name, sorted."""

    manager: pluggy.PluginManager
    scanners: Mapping[str, Scanner]
    reporters: Mapping[str, Reporter]
    ci_emitters: Mapping[str, CIEmitter]
    engines: Mapping[str, Engine]
    origins: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(kind, name) -> `scanrun 0.1.0`, or the file of a local plugin."""

    def observe(self, hook: str, **values: object) -> list[str]:
        """Call an observe hook plugin by plugin; return one complaint for each that raised."""
        complaints = []
        for name, plugin in self.manager.list_name_plugin():
            try:
                call = partial(_call_one, self.manager, plugin, hook, **values)
                within(OBSERVE_S, call, what=hook)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - costs only its own part
                complaints.append(f"plugin {name!r} failed in {hook}: {_what(error)}")
        return complaints


def load_plugins(paths: Iterable[Path] = (), *, scanned: Path | None = None) -> Plugins:
    """Find, check and index all plugins: installed ones, and the files or folders in `paths`.

    Raises:
        PluginError: one can't be loaded, lies in the scanned tree, or claims a taken name.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    origins: dict[str, str] = {}
    for point, distribution in _entry_points():
        origin = f"{distribution.metadata['Name']} {distribution.version}"
        _refuse_inside(_location(distribution), scanned, origin)
        if point.name in origins:
            raise PluginError(
                f"plugin name {point.name!r} claimed by {origins[point.name]} and {origin}",
                hint="uninstall one of them",
            )
        origins[point.name] = origin
        _register(manager, point.name, origin, point.load)
    for path in paths:
        if not path.exists():
            raise PluginError(f"--plugin: {str(path)!r} does not exist")
        name = path.stem if path.is_file() else path.name
        _refuse_inside(path.resolve(), scanned, str(path))
        origins[name] = str(path)
        _register(manager, name, str(path), partial(_load_file, path))
    return _index(manager, origins)


def _entry_points() -> list[tuple[EntryPoint, Distribution]]:
    """Return the group's entry points with their distributions, each distribution once.

    A distribution may be seen twice on a doubled `sys.path`; the first one is what Python imports.
    """
    found: dict[tuple[str, str], tuple[EntryPoint, Distribution]] = {}
    for distribution in distributions():
        for point in distribution.entry_points:
            if point.group == GROUP:
                key = (point.name, distribution.metadata["Name"])
                found.setdefault(key, (point, distribution))
    return [found[key] for key in sorted(found)]


def _location(distribution: Distribution) -> Path:
    return Path(str(distribution.locate_file(""))).resolve()


def _refuse_inside(place: Path, scanned: Path | None, origin: str) -> None:
    """Refuse what lies in the scanned tree, this Python's own environment excepted."""
    if scanned is None or not place.is_relative_to(scanned.resolve()):
        return
    if place.is_relative_to(Path(sys.prefix).resolve()):
        return
    raise PluginError(
        f"plugin {origin!r} lies in the scanned tree ({place})",
        hint="plugins run code: install it, or keep it outside of what is scanned",
    )


def _load_file(path: Path) -> ModuleType:
    file = path / "__init__.py" if path.is_dir() else path
    spec = spec_from_file_location(f"scanrun_local_{path.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file or package")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _register(
    manager: pluggy.PluginManager, name: str, origin: str, load: Callable[[], Any]
) -> None:
    try:
        manager.register(load(), name=name)
        manager.check_pending()
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"plugin {name!r} of {origin} can't be loaded: {_what(error)}",
            hint="mend or uninstall it",
        ) from error


def _what(error: BaseException) -> str:
    """Return what went wrong, and in which line where it is no Python."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    return f"{type(error).__name__}: {error}"


def _index(manager: pluggy.PluginManager, origins: Mapping[str, str]) -> Plugins:
    named: dict[tuple[str, str], str] = {}

    def collect(kind: str, protocol: type) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for plugin_name, plugin in manager.list_name_plugin():
            origin = origins[plugin_name]
            for item in _registered(manager, plugin, f"scanrun_register_{kind}", origin):
                if not isinstance(item, protocol):
                    raise PluginError(
                        f"{origin} registered {item!r} among the {kind}, which is none",
                        hint=f"it needs the members of scanrun.api.{protocol.__name__}",
                    )
                _refuse_halves(item, origin)
                name = item.name  # type: ignore[attr-defined]
                if (kind, name) in named:
                    raise PluginError(
                        f"name {name!r} among the {kind} claimed by "
                        f"{named[kind, name]} and {origin}",
                        hint="uninstall one of them",
                    )
                named[kind, name] = origin
                found[name] = item
        return dict(sorted(found.items()))

    return Plugins(
        manager=manager,
        scanners=collect("scanners", Scanner),
        reporters=collect("reporters", Reporter),
        ci_emitters=collect("ci_emitters", CIEmitter),
        engines=collect("engines", Engine),
        origins=named,
    )


def _refuse_halves(item: object, origin: str) -> None:
    """Refuse what has some members of a `Has…` protocol: it would be taken for having none."""
    for ability in _ABILITIES:
        members = {name for name in (*vars(ability), *ability.__annotations__) if name[0] != "_"}
        missing = sorted(name for name in members if not hasattr(item, name))
        if missing and len(missing) < len(members):
            given = ", ".join(sorted(members.difference(missing)))
            raise PluginError(
                f"{origin} registered {item!r} with {given}, but without {', '.join(missing)}",
                hint=f"they are of use only together: see scanrun.api.{ability.__name__}",
            )


def _registered(
    manager: pluggy.PluginManager, plugin: object, hook: str, origin: str
) -> list[object]:
    """Return what one plugin registers."""
    try:
        return [item for items in _call_one(manager, plugin, hook) for item in items]
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"plugin of {origin} failed in {hook}: {_what(error)}", hint="mend or uninstall it"
        ) from error


def _call_one(
    manager: pluggy.PluginManager, plugin: object, hook: str, **values: object
) -> list[Any]:
    """Call a hook of one plugin only: one that raises ends pluggy's whole call."""
    others = [other for other in manager.get_plugins() if other is not plugin]
    answers: list[Any] = manager.subset_hook_caller(hook, others)(**values)
    return answers
