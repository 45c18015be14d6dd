"""How a report on disk is read: strictly, and never more of it in memory than is needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from scanrun.model import Notification
from scanrun.sarif.build import Result, Rule

T = TypeVar("T")


def read_json(path: Path, shape: type[T]) -> T:
    """Return the JSON document in `path` as `shape` (a msgspec Struct, or a plain type).

    Raises:
        ConversionError: missing, empty, cut off, no JSON, or of another shape.
    """
    raise NotImplementedError


def read_sarif(path: Path) -> Iterator[Rule | Result | Notification]:
    """Yield the rules and results of the SARIF log that a tool wrote.

    Raises:
        ConversionError: as `read_json`, or not SARIF 2.1.0.
    """
    raise NotImplementedError
