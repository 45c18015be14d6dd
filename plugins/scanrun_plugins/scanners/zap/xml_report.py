"""How ZAP's XML report becomes what its JSON report of the same run would say.

Read with expat as a stream. A document type is refused: without one there are no entities, neither
to read other files with nor to blow the text up with.
"""

from pathlib import Path
from typing import Any
from xml.parsers import expat

from scanrun.api import ConversionError
from scanrun_plugins.scanners.xml_element import Element

Json = dict[str, Any]

_DEEPEST = 32
_ROOT = "OWASPZAPReport"


class _Reader:
    """Builds elements; each alert becomes its JSON as soon as it is whole."""

    def __init__(self, where: str) -> None:
        self.root: Element | None = None
        self.sites: list[Json] = []
        self._where = where
        self._open: list[Element] = []
        self._alerts: list[Json] = []

    def parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        return parser

    def _refuse_doctype(self, *_: object) -> None:
        raise ConversionError(f"{self._where!r} has a document type, which no such report has")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name != _ROOT:
            raise ConversionError(f"{self._where!r} is no report of ZAP's")
        if len(self._open) >= _DEEPEST:
            raise ConversionError(f"{self._where!r} is nested too deeply")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].parts.append(text)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        match [each.name for each in self._open], element.name:
            case ["OWASPZAPReport"], "site":
                _named(element, "alerts")
                self.sites.append(_site(element, self._alerts))
                self._alerts = []
                element.children.clear()
            case ["OWASPZAPReport", "site", "alerts"], name:
                _only(name, "alertitem")
                self._alerts.append(_alert(element))
                self._open[-1].children.clear()


def read_xml(path: Path) -> Json:
    """Return what the XML report in `path` says, as the JSON would.

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
    if reader.root is None:
        raise ConversionError(f"{path.name!r} is no report of ZAP's")
    root = reader.root
    stopping = [_texts(each) for each in root.all("stoppingInsight")]
    return {
        "@programName": root.attributes.get("programName", "ZAP"),
        "@version": root.attributes.get("version", ""),
        "created": root.attributes.get("created", ""),
        "site": reader.sites,
        "insights": [_texts(each) for each in root.below("insights", "insight")],
        "stoppingInsight": stopping[0] if stopping else None,
        "sequences": [_texts(each) for each in root.below("sequences", "sequence")],
    }


def _site(element: Element, alerts: list[Json]) -> Json:
    return {"@name": element.attributes.get("name", ""), "alerts": alerts}


def _alert(element: Element) -> Json:
    for part in element.all("instances"):
        _named(part, "instance")
    told = {key: value for key, value in _texts(element).items() if key != "instances"}
    instances = [_texts(each) for each in element.below("instances", "instance")]
    return {**told, "systemic": told.get("systemic") == "true", "instances": instances}


def _texts(element: Element) -> Json:
    """Return the texts of the children; one that comes twice would hide the first."""
    found: Json = {}
    for each in element.children:
        found.setdefault(each.name, each.content)
    return found


def _named(element: Element, *known: str) -> None:
    for each in element.children:
        _only(each.name, *known)


def _only(name: str, *known: str) -> None:
    """Refuse what a list is not known to hold: it could be a finding."""
    if name not in known:
        raise ConversionError(f"ZAP's report lists a {name!r:.80}, which is unknown")
