"""How a mistake in a configuration is told: where it is, what is wrong, what was meant."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from scanrun.errors import ConfigError
from scanrun.nearest import nearest

Path = tuple[str | int, ...]
_MOST = 5
_WORD = re.compile(r"'([^']*)'")
_MUST = {
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
}
"""pydantic's kind of mistake -> what would be right, in the words of the file."""


def dotted(path: Sequence[str | int]) -> str:
    """Return `gate.limits[0].maximum`, shortened where it is too long for a message."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_key(part)}"
    return text.removeprefix(".")


def config_error(
    error: ValidationError,
    model: type[BaseModel],
    *,
    place: Callable[[Path], str],
    within: Path = (),
    also: Iterable[str] = (),
) -> ConfigError:
    """Return what pydantic found as one error: a line for each mistake, and the first's hint.

    `place` says where a path was set; `within` is the path of `model` itself; `also` are keys
    that are known besides the model's.
    """
    lines, hint = [], ""
    found = _worth_telling(error)
    for each in found[:_MOST]:
        path = (*within, *each["loc"])
        text, help_text = _explain(each, path, model, also)
        lines.append(f"{place(path)}{text}")
        hint = hint or help_text
    if len(found) > _MOST:
        lines.append(f"and {len(found) - _MOST} more")
    return ConfigError("\n       ".join(lines), hint=hint)


def _worth_telling(error: ValidationError) -> list[Any]:
    """Return the mistakes, one for each place: a union tells one for each of its members."""
    first: dict[Path, Any] = {}
    for each in error.errors(include_url=False, include_context=True):
        *tables, last = each["loc"] or ("",)
        key = () if each["type"] != "extra_forbidden" and _is_branch(last) else (last,)
        loc = (*(part for part in tables if not _is_branch(part)), *key)
        first.setdefault(loc, {**each, "loc": loc})
    return list(first.values())


def _is_branch(part: str | int) -> bool:
    """Say whether pydantic means a member of a union, not a key of the file."""
    return isinstance(part, str) and ("[" in part or "(" in part)


def _explain(
    each: Mapping[str, Any], path: Path, model: type[BaseModel], also: Iterable[str]
) -> tuple[str, str]:
    """Return what is wrong, and what may have been meant."""
    kind, loc, given = each["type"], each["loc"], each.get("input")
    key = dotted(path)
    if kind == "extra_forbidden":
        known = {*known_keys(model, loc[:-1]), *(also if len(loc) == 1 else ())}
        place = f" in {dotted(path[:-1])}" if len(path) > 1 else ""
        return f"unknown key {quoted(loc[-1])}{place}", nearest(str(loc[-1]), known)
    if kind in {"literal_error", "enum"}:
        words = _WORD.findall(each["ctx"]["expected"])
        near = nearest(given, words, otherwise="") if isinstance(given, str) else ""
        return f"{key} must be one of {', '.join(words)}, not {quoted(given)}", near
    if kind == "missing":
        return f"{key} is missing", ""
    if kind in _MUST:
        must = _MUST[kind].format(**each.get("ctx", {}))
        return f"{key} must be {must}, not {quoted(given)}", ""
    said = str(each["msg"]).removeprefix("Value error, ")
    return (f"{key}: " if key else "") + said[:1].lower() + said[1:], ""


def known_keys(model: type[BaseModel], loc: Sequence[str | int]) -> set[str]:
    """Return the keys that are known at `loc` below `model`."""
    for part in loc:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = None if field is None else _model_in(field.annotation)
        if inner is None:
            return set()
        model = inner
    return set(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)


def _key(part: str) -> str:
    plain = part.replace("-", "").replace("_", "").isalnum() and part.isascii()
    return part[:60] if plain else quoted(part)


def quoted(value: object) -> str:
    """Return `value` for a message: short, on one line, without control characters."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    shown = ascii(value)
    return shown if len(shown) <= 70 else f"{shown[:66]}...'"  # noqa: PLR2004 - what fits a line
