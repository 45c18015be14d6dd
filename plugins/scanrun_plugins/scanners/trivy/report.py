"""What Trivy's JSON report holds, as much of it as is read. Findings stay undecoded until wanted.

Three forms: schema 2 (`Results`), the bare array of Trivy before 0.20, and the tree of
`trivy k8s` (`Resources`, or `Findings` in its shorter form).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from scanrun.api import ConversionError, read_json

T = TypeVar("T")

SCHEMA = 2


class Section(Struct, rename="pascal"):
    """One entry of `Results`: what was found in one file, or of one kind of package."""

    target: str
    class_: str = msgspec.field(default="", name="Class")
    type: str = ""
    packages: list[Raw] | None = None
    vulnerabilities: list[Raw] | None = None
    misconfigurations: list[Raw] | None = None
    secrets: list[Raw] | None = None
    licenses: list[Raw] | None = None
    experimental_modified_findings: list[Raw] | None = None


class OperatingSystem(Struct, rename="pascal"):
    """What an image is based on."""

    family: str = ""
    name: str = ""
    eosl: bool = msgspec.field(default=False, name="EOSL")


class ImageConfig(Struct):
    """What an image says of itself. Its environment is not read."""

    architecture: str = ""


class Metadata(Struct, rename="pascal"):
    """What was scanned."""

    os: OperatingSystem | None = msgspec.field(default=None, name="OS")
    repo_tags: list[str] | None = None
    diff_ids: list[str] | None = msgspec.field(default=None, name="DiffIDs")
    image_config: ImageConfig | None = None


class Resource(Struct, rename="pascal"):
    """One resource of a cluster."""

    kind: str
    namespace: str = ""
    name: str = ""
    error: str = ""
    results: list[Section] | None = None


class Writer(Struct, rename="pascal"):
    """Who wrote the report."""

    version: str = ""


class _Versioned(Struct, rename="pascal"):
    trivy: Writer | None = None


class Document(Struct, rename="pascal"):
    """The report as a whole, in its two newer forms."""

    schema_version: int | None = None
    trivy: Writer | None = None
    artifact_name: str | None = None
    artifact_type: str = ""
    metadata: Metadata | None = None
    results: list[Section] | None = None
    cluster_name: str | None = None
    resources: list[Resource] | None = None
    findings: list[Resource] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One report, whatever its form."""

    sections: tuple[tuple[Section, str], ...]
    """Each with the resource of the cluster it belongs to, if any."""
    artifact: str = ""
    artifact_type: str = ""
    metadata: Metadata | None = None
    version: str = ""
    errors: tuple[str, ...] = ()
    """What Trivy says it could not look at."""


def read_report(path: Path) -> Report:
    """Return the report in `path`.

    Raises:
        ConversionError: unreadable, cut off, another tool's, or written by a Trivy not yet known.
    """
    found: list[Section] | Document = read_json(path, list[Section] | Document)  # type: ignore[arg-type]
    if isinstance(found, list):
        if not found:
            raise ConversionError(f"{path.name!r} is an empty list: any tool could have written it")
        return Report(tuple((section, "") for section in found))
    if found.cluster_name is not None:
        return _cluster(found, path)
    if found.schema_version is None or found.artifact_name is None:
        raise ConversionError(f"{path.name!r} is not a report of Trivy")
    if found.schema_version != SCHEMA:
        raise ConversionError(
            f"{path.name!r} has Trivy's schema {found.schema_version}, not {SCHEMA}",
            hint="use the Trivy version that this scanrun names",
        )
    return Report(
        sections=tuple((section, "") for section in found.results or ()),
        artifact=found.artifact_name,
        artifact_type=found.artifact_type,
        metadata=found.metadata,
        version=found.trivy.version if found.trivy else "",
    )


def read_version(path: Path) -> str:
    """Return the version of the Trivy that wrote the report, where it says so.

    Raises:
        ConversionError: it can't be read.
    """
    found: list[Raw] | _Versioned = read_json(path, list[Raw] | _Versioned, unique=False)  # type: ignore[arg-type]
    return "" if isinstance(found, list) or found.trivy is None else found.trivy.version


def _cluster(found: Document, path: Path) -> Report:
    resources = found.resources if found.resources is not None else found.findings
    if resources is None:
        raise ConversionError(f"{path.name!r} is not a report of Trivy")
    return Report(
        sections=tuple(
            (section, "/".join(filter(None, (each.namespace, each.kind, each.name))))
            for each in resources
            for section in each.results or ()
        ),
        artifact=found.cluster_name or "",
        artifact_type="kubernetes",
        errors=tuple(f"{each.kind}/{each.name}: {each.error}" for each in resources if each.error),
    )


def decoded(items: list[Raw] | None, shape: type[T]) -> Iterator[T]:
    """Yield the items one at a time, each as `shape`.

    Raises:
        ConversionError: one is of another shape.
    """
    decode = msgspec.json.Decoder(shape).decode  # made once: it looks the shape up
    for item in items or ():
        try:
            yield decode(item)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ConversionError(f"an item of Trivy's report can't be read: {error}") from error


class Identifier(Struct, frozen=True, rename="pascal"):
    """How a package is named everywhere."""

    purl: str = msgspec.field(default="", name="PURL")
    uid: str = msgspec.field(default="", name="UID")


class Lines(Struct, frozen=True, rename="pascal"):
    """Where something stands."""

    start_line: int = 0
    end_line: int = 0


class Package(Struct, rename="pascal"):
    """A package that a lock file, or the image, has."""

    id: str = msgspec.field(default="", name="ID")
    name: str = ""
    version: str = ""
    identifier: Identifier = Identifier()
    locations: list[Lines] | None = None
    file_path: str = ""


class Scores(Struct):
    """What one source scores a vulnerability with."""

    v40: float | None = msgspec.field(default=None, name="V40Score")
    v3: float | None = msgspec.field(default=None, name="V3Score")
    v2: float | None = msgspec.field(default=None, name="V2Score")


class Vulnerability(Struct, rename="pascal"):
    """A vulnerability of one package."""

    vulnerability_id: str = msgspec.field(name="VulnerabilityID")
    pkg_name: str = ""
    pkg_id: str = msgspec.field(default="", name="PkgID")
    pkg_path: str = ""
    pkg_identifier: Identifier = Identifier()
    installed_version: str = ""
    fixed_version: str = ""
    status: str = ""
    severity: str = ""
    severity_source: str = ""
    title: str = ""
    description: str = ""
    primary_url: str = msgspec.field(default="", name="PrimaryURL")
    vendor_ids: list[str] | None = msgspec.field(default=None, name="VendorIDs")
    cwe_ids: list[str] | None = msgspec.field(default=None, name="CweIDs")
    cvss: Mapping[str, Scores] | None = msgspec.field(default=None, name="CVSS")


class Cause(Lines, frozen=True, rename="pascal"):
    """What of a file breaks a check."""

    resource: str = ""


class Misconfiguration(Struct, rename="pascal"):
    """The outcome of one check."""

    id: str = msgspec.field(default="", name="ID")
    avd_id: str = msgspec.field(default="", name="AVDID")
    type: str = ""
    title: str = ""
    description: str = ""
    message: str = ""
    resolution: str = ""
    severity: str = ""
    status: str = ""
    primary_url: str = msgspec.field(default="", name="PrimaryURL")
    cause_metadata: Cause = Cause()


class Secret(Lines, frozen=True, rename="pascal"):
    """A secret. `Match` and `Code` are not read: they hold what stands beside it, unmasked."""

    rule_id: str = msgspec.field(default="", name="RuleID")
    category: str = ""
    severity: str = ""
    title: str = ""


class License(Struct, rename="pascal"):
    """A licence of a package or of a file."""

    name: str = ""
    category: str = ""
    severity: str = ""
    pkg_name: str = ""
    file_path: str = ""
    link: str = ""


class Modified(Struct, rename="pascal"):
    """A finding that an ignore file or a VEX document took out."""

    type: str
    finding: Raw
    status: str = ""
    statement: str = ""
    source: str = ""
