"""The effective configuration as TOML, with what set each value."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from scanrun.config.load import Loaded


def values(loaded: Loaded) -> dict[str, Any]:
    """Return the settings as the file would say them: plain values, options beside common keys."""
    plain = loaded.settings.model_dump(mode="json")
    plain["scanner"] = {
        name: {**{k: v for k, v in table.items() if k not in _INTERNAL}, **table["options"]}
        for name, table in plain["scanner"].items()
    }
    return plain


def as_toml(loaded: Loaded) -> str:
    """Return TOML that means the same again; what is not set stands in a comment."""
    plain = values(loaded)
    waivers, scanners = plain.pop("waiver"), plain.pop("scanner")
    lines: list[str] = []
    for name, table in [*plain.items(), *((f"scanner.{n}", t) for n, t in scanners.items())]:
        lines += [f"[{name}]", *_table(name, table, loaded.origin), ""]
    for waiver in waivers:
        lines += [f"[[waiver]]  # {loaded.origin['waiver']}"]
        lines += [f"{key} = {_value(v)}" for key, v in waiver.items() if v is not None] + [""]
    return "\n".join(lines)


_INTERNAL = frozenset({"declared", "options"})


def _table(name: str, table: Mapping[str, Any], origin: Mapping[str, str]) -> Iterator[str]:
    for key, value in table.items():
        by = origin.get(f"{name}.{key}", "default")
        if value is None:
            yield f"# {key} is not set  # {by}"
        else:
            yield f"{_key(key)} = {_value(value)}  # {by}"


def _value(value: Any) -> str:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, dict):
        pairs = (f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    # TOML's basic strings, numbers and booleans are JSON's, but for the delete character
    return json.dumps(value).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    plain = key.replace("-", "").replace("_", "")
    return key if plain.isascii() and plain.isalnum() else _value(key)
