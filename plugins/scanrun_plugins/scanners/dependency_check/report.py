"""What Dependency-Check's report holds, as much of it as is read, whether it came as JSON or XML.

The JSON is made by a text template and can come out malformed; the XML of the same run is then
read instead. Everything is decoded before anything is said: half a report is none.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from scanrun.api import ConversionError, read_json
from scanrun_plugins.scanners.dependency_check.xml_report import read_xml
from scanrun_plugins.scanners.twin import is_xml, read_either

T = TypeVar("T")

SCHEMA = "1.1"
"""Of every JSON report from 5.3 to 13.0, though the keys changed."""


class Software(Struct, rename="camel"):
    """One range of versions that a vulnerability is in."""

    id: str = ""
    vulnerability_id_matched: str = ""
    version_end_including: str = ""
    version_end_excluding: str = ""


class Listed(Struct):
    """How a range stands in its list."""

    software: Software


class Reference(Struct):
    """Where more is said."""

    url: str | None = None


class Exploited(Struct, rename="pascal"):
    """The entry in CISA's list of known exploited vulnerabilities."""

    date_added: str = ""
    due_date: str = ""
    required_action: str = ""


class Cvss2(Struct):
    """The score of CVSS 2."""

    score: float | None = None


class Cvss(Struct, rename="camel"):
    """The score of CVSS 3 and 4."""

    base_score: float | None = None
    base_severity: str = ""


class Vulnerability(Struct, rename="camel"):
    """A vulnerability of one dependency."""

    name: str
    source: str = ""
    severity: str = ""
    cvssv2: Cvss2 | None = None
    cvssv3: Cvss | None = None
    cvssv4: Cvss | None = None
    known_exploited_vulnerability: Exploited | None = None
    cwes: list[str] | None = None
    description: str | None = None
    notes: str | None = None
    references: list[Reference] = []
    vulnerable_software: list[Listed] = []
    """Once read, only what the dependency matched: the rest can be thousands."""


class Identifier(Struct):
    """A package URL, or a CPE."""

    id: str


class Related(Struct, rename="camel"):
    """A dependency that was put together with another one."""

    file_name: str = ""
    file_path: str = ""
    sha256: str = ""
    package_ids: list[Identifier] = []


class Dependency(Struct, rename="camel"):
    """A dependency. Every one is in the report, vulnerable or not."""

    file_name: str
    file_path: str = ""
    sha256: str = ""
    packages: list[Identifier] = []
    vulnerability_ids: list[Identifier] = []
    vulnerabilities: list[Vulnerability] = []
    suppressed_vulnerabilities: list[Vulnerability] = []
    related_dependencies: list[Related] = []


class Thrown(Struct):
    """An exception, with the one that caused it."""

    message: str = ""
    cause: "Thrown | None" = None


class Failure(Struct):
    """How an exception stands in its list."""

    exception: Thrown


class Source(Struct):
    """A source of data, and a date of it."""

    name: str = ""
    timestamp: str = ""


class ScanInfo(Struct, rename="camel"):
    """What the report says of the scan."""

    engine_version: str = ""
    data_source: list[Source] = []
    analysis_exceptions: list[Failure] = []


class _Document(Struct, rename="camel"):
    report_schema: str
    scan_info: ScanInfo
    dependencies: list[Raw]


@dataclass(frozen=True, slots=True)
class Report:
    """One report, whatever its form."""

    info: ScanInfo
    dependencies: tuple[Dependency, ...]
    instead_of: str = ""
    """Why the JSON report could not be read, where this is the XML of the same run."""


def read_report(path: Path, twin: Path | None = None) -> Report:
    """Return the report in `path`, JSON or XML; if it is unreadable, the one in `twin`.

    Raises:
        ConversionError: unreadable, cut off, another tool's, or of a form not yet known.
    """
    report, why = read_either(_read, path, twin)
    return replace(report, instead_of=why)


def _read(path: Path) -> Report:
    if is_xml(path):
        info, dependencies = read_xml(path)
        found = tuple(_slim(_shaped(each, Dependency)) for each in dependencies)
        return Report(_shaped(info, ScanInfo), found)
    document = read_json(path, _Document)
    if document.report_schema != SCHEMA:
        raise ConversionError(
            f"{path.name!r} has Dependency-Check's schema {document.report_schema!r}, not {SCHEMA}",
            hint="use the Dependency-Check version that this scanrun names",
        )
    return Report(document.scan_info, tuple(map(_dependency, document.dependencies)))


def _dependency(raw: Raw) -> Dependency:
    try:
        return _slim(msgspec.json.decode(raw, type=Dependency))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        text = f"a dependency in Dependency-Check's report can't be read: {error}"
        raise ConversionError(text) from error


def _shaped(found: dict[str, Any], shape: type[T]) -> T:
    """Return what the XML says as `shape`: there every number is a text."""
    try:
        return msgspec.convert(found, shape, strict=False)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConversionError(f"Dependency-Check's report can't be read: {error}") from error


def _slim(dependency: Dependency) -> Dependency:
    """Return the dependency without the ranges of versions that it does not lie in."""
    for each in (*dependency.vulnerabilities, *dependency.suppressed_vulnerabilities):
        each.vulnerable_software = [
            listed
            for listed in each.vulnerable_software
            if listed.software.vulnerability_id_matched
        ]
    return dependency
