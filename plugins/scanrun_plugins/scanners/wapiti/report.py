"""What a report of wapiti's holds, as much of it as is read.

Requests and their headers are not: cookies and the header that signs in stand in them. Of each only
the `Host` is taken, which tells where it really went.
"""

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from scanrun.api import ConversionError, read_json

_MADE_BY = re.compile(r"Wapiti (\d+(?:\.\d+)+\S{0,20})")
_HOST = re.compile(r"(?mi)^host:[ \t]*([^\s]{1,300})")


class Finding(Struct):
    """One finding of one kind."""

    method: str
    path: str
    info: str
    level: Annotated[int, Meta(ge=0, le=4)]
    module: str
    parameter: str | None = ""
    http_request: str = ""

    @property
    def host(self) -> str:
        """Return the host, with its port, that the request went to; empty where none is told."""
        found = _HOST.search(self.http_request.partition("\n\n")[0])
        return found[1] if found else ""


class Kind(Struct):
    """What one kind of finding means."""

    desc: str = ""
    sol: str = ""
    ref: dict[str, str] = {}
    wstg: list[str] | None = None


class _Request(Struct):
    url: str
    method: str
    status_code: int | None = None


class _Page(Struct):
    request: _Request


class _Infos(Struct):
    target: str
    version: str
    crawled_pages_nbr: Annotated[int, Meta(ge=0)]
    crawled_pages: list[_Page] | None = None


class Report(Struct):
    """One report."""

    classifications: dict[str, Kind]
    vulnerabilities: dict[str, list[Finding]]
    anomalies: dict[str, list[Finding]]
    additionals: dict[str, list[Finding]]
    infos: _Infos

    @property
    def version(self) -> str:
        """Return the version that wrote it."""
        found = _MADE_BY.fullmatch(self.infos.version)
        return found[1] if found else ""

    @property
    def findings(self) -> list[tuple[str, Finding]]:
        """Return each finding with the name of its kind, in the order of the report."""
        parts = (self.vulnerabilities, self.anomalies, self.additionals)
        return [(name, each) for part in parts for name, found in part.items() for each in found]

    @property
    def answers(self) -> dict[tuple[str, str], int]:
        """Return method and address of each page that was asked for -> its status."""
        pages = (each.request for each in self.infos.crawled_pages or ())
        return {(each.method, each.url): each.status_code or 0 for each in pages}


def read_report(path: Path) -> Report:
    """Return the report in `path`.

    Raises:
        ConversionError: unreadable, cut off, or another tool's.
    """
    report = read_json(path, Report)
    if not report.version:
        raise ConversionError(f"{path.name!r} is no report of wapiti's")
    if not report.infos.target:
        raise ConversionError(f"{path.name!r} does not say what was scanned")
    return report
