"""How Dependency-Check's XML report becomes what its JSON report of the same run would say.

Read with expat as a stream, one dependency at a time. A document type is refused: without one
there are no entities, neither to read other files with nor to blow the text up with.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from scanrun.api import ConversionError
from scanrun_plugins.scanners.xml_element import Element

Json = dict[str, Any]

_BETWEEN = " "
"""Stands between namespace and name."""
_NAMESPACE = re.compile(r"https?://[\w.-]+/DependencyCheck/dependency-check\.([1-4])\.\d+\.xsd")
_DEEPEST = 64
_NOT_READ = frozenset({"evidenceCollected", "projectReferences", "includedBy", "stackTrace"})
"""Most of a report is evidence."""


class _Reader:
    """Builds elements, and lets each dependency go as soon as it is whole."""

    def __init__(self, where: str) -> None:
        self.info: Json = {}
        self.dependencies: list[Json] = []
        self.listed = False
        self._where = where
        self._open: list[Element] = []
        self._unread = 0

    def parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(namespace_separator=_BETWEEN)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        return parser

    def _refuse_doctype(self, *_: object) -> None:
        raise ConversionError(f"{self._where!r} has a document type, which no such report has")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(_BETWEEN)
        if not self._open:
            self._check_root(namespace, local)
        if self._unread or local in _NOT_READ:
            self._unread += 1
            return
        if len(self._open) >= _DEEPEST:
            raise ConversionError(f"{self._where!r} is nested too deeply")
        element = Element(local, attributes)
        if self._open:
            self._open[-1].children.append(element)
        self._open.append(element)

    def _check_root(self, namespace: str, local: str) -> None:
        if local != "analysis" or not _NAMESPACE.fullmatch(namespace):
            raise ConversionError(f"{self._where!r} is no report of a known Dependency-Check")

    def _text(self, text: str) -> None:
        if self._open and not self._unread:
            self._open[-1].parts.append(text)

    def _end(self, _: str) -> None:
        if self._unread:
            self._unread -= 1
            return
        element = self._open.pop()
        match [each.name for each in self._open], element.name:
            case ["analysis"], "scanInfo":
                self.info = _info(element)
            case ["analysis"], "dependencies":
                self.listed = True
            case ["analysis", "dependencies"], name:
                _only(name, "dependency")
                self.dependencies.append(_dependency(element))
                self._open[-1].children.clear()


def read_xml(path: Path) -> tuple[Json, list[Json]]:
    """Return what the XML report in `path` says of the scan, and its dependencies, as JSON would.

    Raises:
        ConversionError: unreadable, cut off, another tool's, or of a form not yet known.
    """
    reader = _Reader(path.name)
    try:
        with path.open("rb") as stream:
            reader.parser().ParseFile(stream)
    except OSError as error:
        raise ConversionError(f"{path.name!r} can't be read: {error.strerror}") from error
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ConversionError(f"{path.name!r} is not the expected report: {error}") from error
    if not reader.listed:
        raise ConversionError(f"{path.name!r} lists no dependencies")
    return reader.info, reader.dependencies


def _info(element: Element) -> Json:
    exceptions = [each for some in element.all("analysisExceptions") for each in some.children]
    return {
        "engineVersion": element.text("engineVersion"),
        "dataSource": [
            {"name": each.text("name"), "timestamp": each.text("timestamp")}
            for each in element.all("dataSource")
        ],
        "analysisExceptions": [{"exception": _thrown(each)} for each in exceptions],
    }


def _thrown(element: Element) -> Json:
    cause = element.first("cause")
    return {"message": element.text("message"), "cause": _thrown(cause) if cause else None}


def _dependency(element: Element) -> Json:
    return {
        "fileName": _wanted(element, "fileName"),
        "filePath": element.text("filePath"),
        "sha256": element.text("sha256"),
        "packages": [*_identifiers(element, "package"), *_older(element, cpe=False)],
        "vulnerabilityIds": [
            *_identifiers(element, "vulnerabilityIds"),
            *_older(element, cpe=True),
        ],
        "relatedDependencies": [
            {
                "fileName": each.text("fileName"),
                "filePath": each.text("filePath"),
                "sha256": each.text("sha256"),
                "packageIds": [*_identifiers(each, "package"), *_older(each, cpe=False)],
            }
            for each in element.below("relatedDependencies", "relatedDependency")
        ],
        "vulnerabilities": _vulnerabilities(element, "vulnerability"),
        "suppressedVulnerabilities": _vulnerabilities(element, "suppressedVulnerability"),
    }


def _wanted(element: Element, name: str) -> str:
    text = element.text(name)
    if not text:
        raise ConversionError(f"a {element.name} in Dependency-Check's report has no {name}")
    return text


def _only(name: str, *known: str) -> None:
    """Refuse what a list is not known to hold: it could be a finding."""
    if name not in known:
        raise ConversionError(f"Dependency-Check's report lists a {name!r:.80}, which is unknown")


def _identifiers(element: Element, kind: str) -> list[Json]:
    return [{"id": each.text("id")} for each in element.below("identifiers", kind)]


def _older(element: Element, *, cpe: bool) -> Iterator[Json]:
    """Yield identifiers as they were written before version 5."""
    for each in element.below("identifiers", "identifier"):
        name = each.text("name").strip("()")
        if cpe and each.attributes.get("type") == "cpe":
            yield {"id": name}
        if not cpe and each.attributes.get("type") == "maven" and name.count(":") >= 2:  # noqa: PLR2004 - group:artifact:version
            group, artifact, version = name.split(":")[:3]
            yield {"id": f"pkg:maven/{group}/{artifact}@{version}"}


def _vulnerabilities(element: Element, kind: str) -> list[Json]:
    for each in (found for some in element.all("vulnerabilities") for found in some.children):
        _only(each.name, "vulnerability", "suppressedVulnerability")
    return [_vulnerability(each) for each in element.below("vulnerabilities", kind)]


def _vulnerability(element: Element) -> Json:
    return {
        "name": _wanted(element, "name"),
        "source": element.attributes.get("source", ""),
        "severity": element.text("severity"),
        "cvssv2": _cvss2(element),
        "cvssv3": _cvss(element.first("cvssV3")),
        "cvssv4": _cvss(element.first("cvssV4")),
        "knownExploitedVulnerability": _exploited(element.first("knownExploitedVulnerability")),
        "cwes": [each.content for each in (*element.all("cwe"), *element.below("cwes", "cwe"))],
        "description": element.text("description"),
        "notes": element.text("notes"),
        "references": [
            {"url": each.text("url") or None} for each in element.below("references", "reference")
        ],
        "vulnerableSoftware": [
            {"software": _software(each)}
            for each in element.below("vulnerableSoftware", "software")
        ],
    }


def _cvss2(element: Element) -> Json | None:
    newer = element.first("cvssV2")
    score = newer.text("score") if newer else element.text("cvssScore")
    return {"score": score} if score else None


def _cvss(element: Element | None) -> Json | None:
    if element is None:
        return None
    score, word = element.text("baseScore"), element.text("baseSeverity")
    return {"baseScore": score or None, "baseSeverity": word}


def _exploited(element: Element | None) -> Json | None:
    if element is None:
        return None
    names = ("dateAdded", "dueDate", "requiredAction")
    return {name[0].upper() + name[1:]: element.text(name) for name in names}


def _software(element: Element) -> Json:
    attributes = element.attributes
    # of a suppressed vulnerability it is `matched` before version 13
    matched = attributes.get("vulnerabilityIdMatched") or attributes.get("matched", "")
    ends = {
        name: attributes.get(name, "") for name in ("versionEndIncluding", "versionEndExcluding")
    }
    return {"id": element.content, "vulnerabilityIdMatched": matched, **ends}
