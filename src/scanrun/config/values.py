"""How single values are written in a configuration: durations, sizes, severities, references."""

import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

DEFAULT = "default"
_DURATION = re.compile(
    r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?"
)
_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DURATION_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^(?=.)(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s?)?$"},
    ]
}
_LONGEST = 3_660 * 86_400.0
_SIZE = re.compile(r"(\d{1,9})\s*([mg])(?:i?b)?", re.IGNORECASE)
_SMALLEST_MB = 16
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,511}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_duration(value: object) -> float:
    """Return seconds: a number of them, or text such as `900`, `15m`, `1h30m`, `7d`.

    Raises:
        ValueError: no duration, or none above zero, or more than ten years.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip().lower())
        parts = match.groups() if match else ()
        if not any(parts):
            raise ValueError(f"{_short(value)} is no duration; write '15m', '1h30m' or '7d'")
        seconds = float(sum(int(n or 0) * size for n, (_, size) in zip(parts, _UNITS, strict=True)))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise ValueError("a duration is a number of seconds, or text such as '15m' or '7d'")  # noqa: TRY004 - pydantic reads ValueError
    if not (0 < seconds <= _LONGEST and math.isfinite(seconds)):
        raise ValueError("a duration lies above zero and below ten years")
    return seconds


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads back: `15m`, `1h30m`, `7d`."""
    if seconds != int(seconds):
        return f"{math.ceil(seconds)}s"
    parts, rest = [], int(seconds)
    for unit, size in _UNITS[1:]:
        count, rest = divmod(rest, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)


def parse_ages(value: object) -> dict[str, float]:
    """Return name -> seconds; a duration alone stands for `default`.

    Raises:
        ValueError: a value is no duration.
    """
    if not isinstance(value, Mapping):
        return {DEFAULT: parse_duration(value)}
    return {str(name): parse_duration(age) for name, age in value.items()}


def format_ages(ages: Mapping[str, float]) -> dict[str, str]:
    """Return a table that `parse_ages` reads back."""
    return {name: format_duration(age) for name, age in ages.items()}


def parse_size(value: object) -> int:
    """Return mebibytes: text such as `512m` or `2g`.

    Raises:
        ValueError: no size, or less than 16m.
    """
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{_short(value)} is no size; write '512m' or '2g'")
    megabytes = int(match[1]) * (1024 if match[2] in "gG" else 1)
    if megabytes < _SMALLEST_MB:
        raise ValueError(f"a size below {_SMALLEST_MB}m lets no scanner start")
    return megabytes


def format_size(megabytes: int) -> str:
    """Return text that `parse_size` reads back."""
    return f"{megabytes // 1024}g" if megabytes % 1024 == 0 else f"{megabytes}m"


def parse_date(value: object) -> dt.date:
    """Return the day that TOML's own date, or text such as `2030-01-31`, names.

    A time of day is refused: a waiver ends with a date, and guessing the zone would move it.

    Raises:
        ValueError: no such day.
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        return dt.date.fromisoformat(value)
    raise ValueError(f"{_short(value)} is no date; write 2030-01-31")


def parse_text(value: object) -> str:
    """Return `value` without white space around it.

    Raises:
        ValueError: no text, empty, or with control characters in it.
    """
    if not isinstance(value, str):
        raise ValueError(f"{_short(value)} is no text")  # noqa: TRY004 - pydantic reads ValueError
    text = value.strip()
    if not text:
        raise ValueError("it must not be empty")
    if not text.replace("\n", "").isprintable():
        raise ValueError("it has control characters in it")
    return text


def parse_reference(value: object) -> str:
    """Return an image reference or a registry prefix: no option, no URL, no white space.

    Raises:
        ValueError: it can't be one.
    """
    if not (isinstance(value, str) and _REFERENCE.fullmatch(value) and "//" not in value):
        raise ValueError(f"{_short(value)} is no reference; write 'registry.example/name:1.2'")
    return value


def parse_mirror(value: object) -> str:
    """Return a registry prefix; empty for none.

    Raises:
        ValueError: it can't be one.
    """
    return "" if value == "" else parse_reference(value).rstrip("/")


def parse_name(value: object) -> str:
    """Return the name of a plugin.

    Raises:
        ValueError: it can't be one.
    """
    if not (isinstance(value, str) and _NAME.fullmatch(value)):
        raise ValueError(f"{_short(value)} is no name: lower-case letters, digits, '-' and '_'")
    return value


def parse_secret_name(value: object) -> str:
    """Return the name of a secret; most are called as the variables that hold them.

    Raises:
        ValueError: it can't be one.
    """
    if not (isinstance(value, str) and _SECRET_NAME.fullmatch(value)):
        raise ValueError(f"{_short(value)} is no name: letters, digits, '-' and '_'")
    return value


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…'"  # noqa: PLR2004 - what fits a line


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_DURATION_SCHEMA),
]
"""Seconds; dumped as text."""

Ages = Annotated[
    Mapping[str, float],
    BeforeValidator(parse_ages),
    PlainSerializer(format_ages, return_type=dict[str, str]),
    WithJsonSchema(
        {"anyOf": [_DURATION_SCHEMA, {"type": "object", "additionalProperties": _DURATION_SCHEMA}]}
    ),
]
"""Database -> seconds, `default` for the rest; one duration alone is the default."""

Megabytes = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+ *[mMgG]([iI]?[bB])?$"}),
]
"""Mebibytes; dumped as text."""

Day = Annotated[
    dt.date, BeforeValidator(parse_date), WithJsonSchema({"type": "string", "format": "date"})
]

Text = Annotated[
    str, BeforeValidator(parse_text), WithJsonSchema({"type": "string", "minLength": 1})
]

Reference = Annotated[
    str,
    BeforeValidator(parse_reference),
    WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.:/@-]*$"}),
]
"""An image reference."""

Mirror = Annotated[
    str,
    BeforeValidator(parse_mirror),
    WithJsonSchema({"type": "string", "pattern": r"^([A-Za-z0-9][A-Za-z0-9_.:/@-]*)?$"}),
]
"""A registry prefix, or nothing."""

Name = Annotated[
    str,
    BeforeValidator(parse_name),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"}),
]
"""The name of a plugin."""

SecretName = Annotated[
    str,
    BeforeValidator(parse_secret_name),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_-]*$"}),
]
"""What a scanner calls a secret."""

Argument = Annotated[str, Field(strict=True, pattern=r"^[^\x00]*$", max_length=10_000)]
"""One word of a command line, whatever is in it but NUL."""

Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True)]

SeverityWord = Literal["critical", "high", "medium", "low", "info"]
FailOn = Literal["critical", "high", "medium", "low", "info", "never"]
Pull = Literal["missing", "never", "always"]
