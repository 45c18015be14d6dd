"""A context that ZAP has exported: of it, what is not to be looked at."""

from xml.parsers import expat

from scanrun.api import Snapshot, StepError
from scanrun_plugins.scanners.zap.options import Crawling
from scanrun_plugins.scanners.zap.tree_file import tree_file

_EXCLUDED = ["configuration", "context", "excregexes"]


class _Reader:
    def __init__(self) -> None:
        self.found: list[str] = []
        self.is_context = False
        self._open: list[str] = []
        self._text = ""

    def parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add
        return parser

    def _refuse_doctype(self, *_: object) -> None:
        raise ValueError("a document type is refused")

    def _start(self, name: str, _: object) -> None:
        self._open.append(name)
        self._text = ""
        self.is_context = self.is_context or self._open == _EXCLUDED[:2]

    def _add(self, text: str) -> None:
        self._text += text

    def _end(self, _: str) -> None:
        if self._open == _EXCLUDED and self._text.strip():
            self.found.append(self._text.strip())
        self._open.pop()
        self._text = ""


def excluded_by(options: Crawling, snapshot: Snapshot) -> list[str]:
    """Return the patterns that the configured context excludes.

    `zap-baseline.py -n` would take the context itself, and with it ZAP's older mode, which tells of
    no warnings and scans other ports of the host.

    Raises:
        StepError: there is no such file, or it is no context.
    """
    if not options.context:
        return []
    reader = _Reader()
    try:
        reader.parser().Parse(tree_file(snapshot, options.context, "context"), True)  # noqa: FBT003 - expat's
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise StepError(f"the context {options.context!r} can't be read: {error}") from error
    if not reader.is_context:
        raise StepError(
            f"{options.context!r} is no context of ZAP's", hint="export it: File > Export Context"
        )
    return reader.found
