"""How JSON that a stranger wrote is read: what it holds may be anything, whatever SARIF says."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from scanrun.errors import ConversionError

T = TypeVar("T")
Json = Mapping[str, Any]


def as_map(value: object) -> Json:
    """Return the object that `value` is; an empty one where it is something else."""
    # the first look is ten times as fast, and nearly always enough
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def as_number(value: object) -> float | None:
    """Return the finite number that `value`, or the text in it, is."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_positive(value: object) -> int | None:
    """Return the whole number from 1 on that `value`, or the text in it, is."""
    number = as_number(value)
    return int(number) if number is not None and number >= 1 and number == int(number) else None


def objects_in(item: Json, name: str) -> list[Json]:
    """Return the objects in a list; none where there is no such list.

    Raises:
        ConversionError: something else stands where SARIF has a list of objects.
    """
    value = item.get(name)
    if value is None:
        return []
    if isinstance(value, list) and all(type(each) is dict for each in value):
        return value
    raise ConversionError(f"{name!r} is no list of objects: not SARIF")


def word_in(item: Json, name: str) -> str:
    """Return a text; empty where there is none."""
    value = item.get(name)
    return value if isinstance(value, str) else ""


def strings_in(value: object) -> list[str]:
    """Return the texts in a list; what else is in it is left out."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def item_at(items: Sequence[T], index: object, default: T) -> T:
    """Return the item that an index of SARIF's points at; `default` where it points nowhere."""
    return items[index] if isinstance(index, int) and 0 <= index < len(items) else default
