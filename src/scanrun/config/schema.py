"""The JSON Schema of the configuration file, for editors and other tools."""

from collections.abc import Mapping
from typing import Any

from scanrun.config.models import ScannerSettings, Settings
from scanrun.config.scanners import INTERNAL, options_model
from scanrun.contracts import Scanner

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{model}"


def config_schema(scanners: Mapping[str, Scanner]) -> dict[str, Any]:
    """Return the schema of a `scanrun.toml`; `[scanner.NAME]` by what each scanner takes."""
    schema = Settings.model_json_schema(ref_template=_REF)
    definitions = schema.pop("$defs")
    del definitions["ScannerSettings"]
    for section in schema["properties"].values():
        section.pop("default", None)  # its keys have their own
    tables = {name: _table(scanner, definitions) for name, scanner in sorted(scanners.items())}
    schema["properties"]["scanner"] = {
        "type": "object",
        "description": "Settings of one scanner each; a new name declares a tool.",
        "properties": tables,
        "additionalProperties": _table(None, definitions),
    }
    for name in (each for each in tables if each not in Settings.model_fields):
        short = f"#/properties/scanner/properties/{name}"
        schema["properties"][name] = {"$ref": short, "description": f"Short for scanner.{name}."}
    return {
        "$schema": _DRAFT,
        **schema,
        "title": "scanrun.toml",
        "description": "The configuration of scanrun, or [tool.scanrun] of a pyproject.toml.",
        "$defs": dict(sorted(definitions.items())),
    }


def _table(scanner: Scanner | None, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one table: common keys and the scanner's own."""
    common = ScannerSettings.model_json_schema(ref_template=_REF)
    own = options_model(scanner).model_json_schema(ref_template=_REF)
    for model in (common, own):
        definitions |= model.pop("$defs", {})
    shared = {key: value for key, value in common["properties"].items() if key not in INTERNAL}
    table = {
        "type": "object",
        "properties": {**shared, **own.get("properties", {})},
        "additionalProperties": False,
    }
    return {**table, "required": own["required"]} if "required" in own else table
