"""What a `[scanner.NAME]` table may say: it depends on which scanners there are."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from scanrun.config.models import ScannerSettings, Settings
from scanrun.config.problems import Path, config_error, dotted, quoted
from scanrun.contracts import HasOptions, Scanner
from scanrun.errors import ConfigError
from scanrun.nearest import nearest

Place = Callable[[Path], str]

INTERNAL = frozenset({"declared", "options"})
COMMON = frozenset(ScannerSettings.model_fields) - INTERNAL
"""Keys that every scanner has."""
DECLARING = ("image", "command")
"""A table of an unknown name with one of these declares a tool that writes SARIF."""


class NoOptions(BaseModel):
    """Stands for the options of a scanner that has none of its own."""

    model_config = ConfigDict(extra="forbid")


def scanner_tables(tables: object, scanners: Mapping[str, Scanner], place: Place) -> dict[str, Any]:
    """Return each table with the scanner's own keys validated and put under `options`.

    Raises:
        ConfigError: a table for a scanner that there is not, or a key that it does not have.
    """
    if not isinstance(tables, dict):
        raise ConfigError(f"{place(('scanner',))}scanner is no table; write [scanner.NAME]")
    return {name: _table(name, table, scanners, place) for name, table in tables.items()}


def check_names(settings: Settings, scanners: Mapping[str, Scanner], place: Place) -> None:
    """Refuse the name of a scanner that there is not, wherever it stands.

    Raises:
        ConfigError: a misspelt name would silently ask for nothing.
    """
    known = {*scanners, *settings.scanner}
    for path, name in _named(settings):
        if name not in known:
            raise ConfigError(f"{place(path)}no scanner {quoted(name)}", hint=nearest(name, known))


def _named(settings: Settings) -> Iterator[tuple[Path, str]]:
    for key in ("required", "skip"):
        yield from ((("scan", key), name) for name in getattr(settings.scan, key))
    yield from ((("evidence", "lower", name), name) for name in settings.evidence.lower)
    for number, limit in enumerate(settings.gate.limits):
        if limit.scanner is not None:
            yield ("gate", "limits", number, "scanner"), limit.scanner


def _table(
    name: str, table: object, scanners: Mapping[str, Scanner], place: Place
) -> dict[str, Any]:
    within = ("scanner", name)
    if not isinstance(table, dict):
        raise ConfigError(f"{place(within)}{dotted(within)} is no table; write [{dotted(within)}]")
    declared = name not in scanners
    if declared and not any(key in table for key in DECLARING):
        raise ConfigError(
            f"{place(within)}no scanner {quoted(name)}",
            hint=nearest(name, scanners)
            or f"a tool that writes SARIF is declared by {' or '.join(DECLARING)}",
        )
    model = options_model(None if declared else scanners[name])
    own = {key: value for key, value in table.items() if key not in COMMON or _has(model, key)}
    common = {key: value for key, value in table.items() if key in COMMON}
    try:
        ScannerSettings.model_validate(common)
    except ValidationError as error:
        raise config_error(error, ScannerSettings, place=place, within=within) from None
    try:
        options = model.model_validate(own)
    except ValidationError as error:
        raise config_error(error, model, place=place, within=within, also=COMMON) from None
    return {**common, "declared": declared, "options": options.model_dump()}


def options_model(scanner: Scanner | None) -> type[BaseModel]:
    """Return the model of a scanner's own keys; None stands for a declared scanner."""
    if scanner is None:
        from scanrun.declared import DeclaredOptions  # noqa: PLC0415 - seldom needed

        return DeclaredOptions
    return scanner.options if isinstance(scanner, HasOptions) else NoOptions


def _has(model: type[BaseModel], key: str) -> bool:
    return key in model.model_fields
