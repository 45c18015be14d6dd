"""A report that comes as JSON or as XML, or as both: the XML is the twin that is read instead."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from scanrun.api import ConversionError

Report = TypeVar("Report")

_MARK = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<")


def read_either(
    read: Callable[[Path], Report], path: Path, twin: Path | None
) -> tuple[Report, str]:
    """Return what `read` makes of `path`; if that is unreadable, of `twin`, and why.

    Raises:
        ConversionError: neither can be read.
    """
    try:
        return read(path), ""
    except ConversionError as error:
        if twin is None:
            raise
        try:
            return read(twin), str(error)
        except ConversionError as other:
            raise ConversionError(f"{error}; nor does its twin help: {other}") from error


def is_xml(path: Path) -> bool:
    """Say whether the file begins as XML does.

    Raises:
        ConversionError: it can't be read.
    """
    try:
        with path.open("rb") as stream:
            return _MARK.match(stream.read(64)) is not None
    except OSError as error:
        raise ConversionError(f"{path.name!r} can't be read: {error.strerror}") from error
