"""How the configuration comes together: flags over environment over file over defaults."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from scanrun.config import environment as variables
from scanrun.config import trust
from scanrun.config.models import Settings
from scanrun.config.problems import Path as Keys
from scanrun.config.problems import config_error
from scanrun.config.scanners import Place, check_names, scanner_tables
from scanrun.config.source import Source, find, read
from scanrun.contracts import Scanner
from scanrun.errors import ConfigError

ADDED = frozenset({"scan.exclude", "scan.skip", "app.allowed_targets"})
"""Lists to which flags and variables add; any other value they replace."""
_FLAGS = {
    "app.allowed_targets": "--allow-target",
    "app.url": "--app-url",
    "output.dir": "--output",
}
"""Options of the command line whose names are not those of their keys."""


@dataclass(frozen=True)
class Loaded:
    """The configuration at hand, and where it comes from."""

    settings: Settings
    file: Path | None
    from_tree: bool
    """The file is the scanned tree's own: found there, not named by the user."""
    told: tuple[str, ...]
    """What the tree's own file weakens, a sentence each."""
    origin: Mapping[str, str]
    """Dotted key -> `flag --…`, `environment SCANRUN_…`, `file scanrun.toml` or `default`."""
    trusted: bool = True
    """False: nobody but the scanned tree itself says so."""


def load_settings(
    scanned: Path,
    *,
    config: Path | None,
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    scanners: Mapping[str, Scanner],
    trusted: bool,
    isolated: Collection[str] = (),
) -> Loaded:
    """Return the settings for a scan of `scanned`.

    `flags` has dotted keys; None and empty lists stand for flags that were not given. `scanners`
    are all that plugins registered: they say which tables and names there may be. `isolated`
    are the engines that run containers.

    Raises:
        ConfigError: something can't be used, or is refused because the tree itself asks for it.
    """
    named = config or _path(environment.get(variables.CONFIG, ""))
    source = _in_scanner_tables(read(named) if named else find(scanned), scanners)
    merge = _Merge(source, flags, environment)
    # the file by itself first: a flag must not hide a mistake in it
    of_file = _build(source.data if source else {}, scanners, merge.place_in_file)
    settings = _build(merge.data, scanners, merge.place)
    origin = dict(merge.origins(settings))
    from_tree = source is not None and named is None
    if from_tree and not trusted:
        trust.check_trust(settings, origin, isolated, scanners)
    return Loaded(
        settings=settings,
        file=source.path if source else None,
        from_tree=from_tree,
        told=trust.told(of_file, origin, isolated, scanners) if from_tree else (),
        origin=origin,
        trusted=trusted or not from_tree,
    )


def _in_scanner_tables(source: Source | None, scanners: Mapping[str, Scanner]) -> Source | None:
    """Return the source with `[NAME]`, which is short for `[scanner.NAME]`, in its place.

    A section stays one, whatever a plugin is called.

    Raises:
        ConfigError: both are there.
    """
    if source is None:
        return None
    short = tuple(
        key for key in source.data if key in scanners and key not in Settings.model_fields
    )
    tables = source.data.get("scanner", {})
    if not short or not isinstance(tables, dict):
        return source  # what is no table is told of with the other mistakes
    for name in short:
        if name in tables:
            raise ConfigError(
                f"{source.path}: both [{name}] and [scanner.{name}]; keep one of them"
            )
    rest = {key: value for key, value in source.data.items() if key not in short}
    moved = {**tables, **{name: source.data[name] for name in short}}
    return replace(source, data={**rest, "scanner": moved}, short=short)


def _path(text: str) -> Path | None:
    return Path(text) if text.strip() else None


def _build(data: Mapping[str, Any], scanners: Mapping[str, Scanner], place: Place) -> Settings:
    data = {**data, "scanner": scanner_tables(data.get("scanner", {}), scanners, place)}
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise config_error(error, Settings, place=place) from None
    check_names(settings, scanners, place)
    return settings


class _Merge:
    """The file's values with those of the environment and the flags laid over them."""

    def __init__(
        self, source: Source | None, flags: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        self.source = source
        self.data: dict[str, Any] = _copy(source.data) if source else {}
        self.file = f"file {source.name}" if source else "file"
        self.set_by: dict[str, str] = dict.fromkeys(_leaves(self.data), self.file)
        for key, (name, value) in variables.settings_of(environment).items():
            self._put(key, value, f"environment {name}")
        for key, value in flags.items():
            if value is not None and value not in ((), []):
                self._put(key, value, f"flag {flag_of(key)}")

    def _put(self, key: str, value: Any, by: str) -> None:  # noqa: ANN401 - any value
        *tables, last = key.split(".")
        table = self.data
        for name in tables:
            inner = table.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"{self.place_in_file((name,))}{name} is no table")
            table = inner
        if key in ADDED and isinstance(table.get(last), list):
            table[last] = [*table[last], *value]
            by = f"{by} and {self.set_by[key]}" if key in self.set_by else by
        else:
            table[last] = list(value) if isinstance(value, list | tuple) else value
        self.set_by[key] = by

    def place(self, keys: Keys) -> str:
        """Return where the value at `keys` was set, as the beginning of a message."""
        by = next((by for key, by in self.set_by.items() if _starts(keys, key)), self.file)
        if by.startswith("file"):
            return self.place_in_file(keys)
        return f"{by.removeprefix('flag ')}: "

    def place_in_file(self, keys: Keys) -> str:
        """Return file and line of `keys`."""
        if self.source is None:
            return ""
        line = self.source.line_of(keys)
        return f"{self.source.path}:{line}: " if line else f"{self.source.path}: "

    def origins(self, settings: Settings) -> Iterator[tuple[str, str]]:
        """Yield every key there is, with what set it."""
        for key in _keys(settings):
            yield key, self.set_by.get(key, "default")


def flag_of(key: str) -> str:
    """Return the option of the command line that sets a key."""
    table, _, last = key.rpartition(".")
    if table.startswith("scanner."):
        return f"--{table.removeprefix('scanner.')}"
    return _FLAGS.get(key, f"--{last.replace('_', '-')}")


def _copy(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in data.items()}


def _leaves(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys that are set, as deep as `Loaded.origin` tells them apart."""
    for section, value in data.items():
        if not isinstance(value, dict):
            yield section
        elif section == "scanner":
            for name, table in value.items():
                yield from (f"scanner.{name}.{key}" for key in _names_in(table))
        else:
            yield from (f"{section}.{key}" for key in value)


def _names_in(table: object) -> list[str]:
    return list(table) if isinstance(table, dict) else []


def _keys(settings: Settings) -> Iterator[str]:
    for section in Settings.model_fields:
        value = getattr(settings, section)
        if section == "scanner":
            for name, scanner in value.items():
                own = [
                    key for key in type(scanner).model_fields if key not in {"options", "declared"}
                ]
                yield from (f"scanner.{name}.{key}" for key in [*own, *scanner.options])
        elif section == "secret":
            yield from (f"secret.{name}" for name in value)
        elif isinstance(value, BaseModel):
            yield from (f"{section}.{key}" for key in type(value).model_fields)
        else:
            yield section


def _starts(keys: Keys, dotted: str) -> bool:
    parts = tuple(dotted.split("."))
    return tuple(map(str, keys[: len(parts)])) == parts
