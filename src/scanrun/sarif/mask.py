"""How secrets and terminal tricks are kept out of what scanrun writes and shows.

Masking is a second net: converters leave source text out, and this catches what a tool quotes in
a message, a log or its own report. It would rather hide too much.
"""

import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from scanrun.sarif.shapes import PEM_BEGIN, PEM_END, Span, printable, secrets_in, suspicious

MASK = "********"
SOURCE_KEYS = (
    "Authorization",
    "Cause",
    "Code",
    "Content",
    "Cookie",
    "Entropy",
    "Highlighted",
    "Line",
    "Match",
    "Message-Body",
    "Raw",
    "RawV2",
    "Secret",
    "attack",
    "code",
    "code_block",
    "content",
    "evidence",
    "hashed_secret",
    "http_request",
    "http_response",
    "line",
    "otherinfo",
    "param_value",
    "request-body",
    "request-header",
    "requestbody",
    "requestheader",
    "response-body",
    "response-header",
    "responsebody",
    "responseheader",
    "rendered",
    "snippet",
    "source",
    "sourceLine",
    "text_range_content",
)
"""Keys under which scanners' JSON reports quote source text or traffic."""

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|[ -/]*[0-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
"""ANSI: CSI, the strings (OSC, DCS, …) and two-character escapes."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, and what turns the direction of writing."""

_REMEMBERED = 2048
_LONGEST_REMEMBERED = 2048

_BLOCK = 1 << 20
_HELD = 1 << 17
"""What the end of a block may still become part of."""
_BEGIN_LENGTH = 512
"""No beginning or end of something to hide is longer."""
_MIN_VALUE = 4
"""Shorter values would blacken half of every text."""
_MIN_ENCODED = 8


def clean_text(text: str, limit: int = 0) -> str:
    """Return `text` without escape sequences and control characters, cut at `limit` characters."""
    if not text.isprintable():  # most are
        text = _CONTROL.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n")))
    return text[: limit - 1] + "…" if 0 < limit < len(text) else text


def one_line(text: str, limit: int = 0) -> str:
    """Return `text` clean and on one line: a file's name must not forge a line of our output."""
    return clean_text(" ".join(clean_text(text).split()), limit)


class Masker:
    """Puts `********` in the place of secrets: the given values, known shapes, assignments."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._learning = threading.Lock()
        self._known: set[str] = set()
        self._values: re.Pattern[str] | None = None
        self.learn(*values)

    def learn(self, *values: str) -> None:
        """Mask these values, too, from here on. Several threads may have something to tell."""
        lines = {line.strip() for value in values for line in value.splitlines()}
        with self._learning:
            self._known |= {line for line in lines if len(line) >= _MIN_VALUE}
            forms = {form for line in self._known for form in _forms(line)}
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            pattern = "|".join(map(re.escape, longest_first))
            self._values = re.compile(pattern) if pattern else None
            # texts repeat: rules, packages and fixes are the same in many results
            self._remembered = lru_cache(_REMEMBERED)(self._cleaned)

    def harmless(self, text: str) -> bool:
        """Say whether `clean` would surely leave `text` as it is, in a tenth of its time."""
        if self._values and self._values.search(text):
            return False
        return printable(text) and not suspicious(text)

    def text(self, text: str) -> str:
        """Return `text` masked."""
        return _masked(text, 0, len(text), self._spans(text))

    def clean(self, text: str) -> str:
        """Return `text` without escape sequences, masked."""
        if len(text) > _LONGEST_REMEMBERED:
            return self._cleaned(text)
        return self._remembered(text)

    def json(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return `value` with every text in it cleaned; keys stay as they are."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {key: self.json(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.json(each) for each in value]
        return value

    def _cleaned(self, text: str) -> str:
        return text if self.harmless(text) else self.text(clean_text(text))

    def file(self, source: Path, target: Path) -> None:
        """Write `source`, masked, to `target`, a block at a time.

        In JSON, whatever stands under a key that holds source text is masked whole.
        """
        with (
            source.open(encoding="utf-8", errors="surrogateescape", newline="") as given,
            target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as taken,
        ):
            for piece in self._pieces(given):
                taken.write(piece)

    def _pieces(self, stream: IO[str]) -> Iterator[str]:
        """Yield the masked text; no secret is cut in two where one block ends."""
        held = ""
        for block in _blocks(stream):
            held += block
            spans = self._spans(held)
            end = _safe_end(held, spans)
            yield _masked(held, 0, end, spans)
            held = held[end:]
        yield _masked(held, 0, len(held), self._spans(held))

    def _spans(self, text: str) -> list[Span]:
        """Return where secrets stand, in order, none overlapping."""
        found = [m.span() for m in self._values.finditer(text)] if self._values else []
        return _joined([*found, *secrets_in(text)])


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:
            joined.append((start, end))
    return joined


def _masked(text: str, start: int, end: int, spans: Iterable[Span]) -> str:
    parts = []
    for left, right in spans:
        if left >= end:
            break
        parts += [text[start:left], MASK]
        start = right
    parts.append(text[start:end])
    return "".join(parts)


def _safe_end(text: str, spans: Sequence[Span]) -> int:
    """Return up to where `text` can be written: before what may go on in the next block.

    The name before a value stays with it: without it the value would not be known for a secret.
    """
    end = last = max(0, len(text) - _HELD)
    for left, right in reversed(spans):
        if left - _BEGIN_LENGTH < end < right:
            end = max(0, left - _BEGIN_LENGTH)
    return end if len(text) - end < 4 * _BLOCK else last


def _blocks(stream: IO[str]) -> Iterator[str]:
    """Yield the text in blocks, with what only a view of the whole file can tell already masked."""
    hide = _Hidden()
    while block := stream.read(_BLOCK):
        yield hide.feed(block)
    yield hide.rest()


class _Hidden:
    """Masks what may be longer than any block: strings and lists under source keys, PEM keys.

    Of what is hidden only the state is kept: how deep in lists, and whether in a string.
    """

    _begin = re.compile(
        rf'"(?:{"|".join(map(re.escape, SOURCE_KEYS))})"\s{{0,64}}:\s{{0,64}}'
        rf'(?:\{{\s{{0,64}}"text"\s{{0,64}}:\s{{0,64}})?(?P<open>["\[])'
        rf"|{PEM_BEGIN.pattern}"
    )
    _token = re.compile(r'\\.|["\[\]]', re.DOTALL)

    def __init__(self) -> None:
        self._held = ""
        self._skip: Callable[[], str | None] | None = None
        self._depth = 0
        self._in_string = False

    def feed(self, block: str) -> str:
        """Return what can be told by now."""
        self._held += block
        out = []
        while (piece := self._show() if self._skip is None else self._skip()) is not None:
            out.append(piece)
        if self._skip is None:
            out.append(self._take(max(0, len(self._held) - _BEGIN_LENGTH)))
        return "".join(out)

    def rest(self) -> str:
        """Return what is left at the end of the file."""
        return "" if self._skip else self._held

    def _show(self) -> str | None:
        """Return the text up to the next thing to hide, and its mask; None: there is none yet."""
        match = self._begin.search(self._held)
        if match is None:
            return None
        opened = match["open"]
        self._skip = self._skip_json if opened else self._skip_pem
        self._depth, self._in_string = int(opened == "["), opened == '"'
        return self._take(match.end()) + ('"' if opened == "[" else "") + MASK

    def _skip_json(self) -> str | None:
        """Return what closes the hidden string or list; None: its end is not there yet."""
        for token in self._token.finditer(self._held):
            if token[0] == '"':
                self._in_string = not self._in_string
            elif token[0] in {"[", "]"} and not self._in_string:
                self._depth += 1 if token[0] == "[" else -1
            if not self._in_string and self._depth == 0:
                self._take(token.end())
                self._skip = None
                return '"' if token[0] == '"' else '"]'
        escapes = len(self._held) - len(self._held.rstrip("\\"))
        self._held = "\\" * (escapes % 2)
        return None

    def _skip_pem(self) -> str | None:
        match = PEM_END.search(self._held)
        if match is None:
            self._held = self._held[-_BEGIN_LENGTH:]
            return None
        self._take(match.start())
        self._skip = None
        return self._take(len(match[0]))

    def _take(self, length: int) -> str:
        piece, self._held = self._held[:length], self._held[length:]
        return piece


def _forms(secret: str) -> Iterator[str]:
    """Yield how a secret may stand somewhere: as it is, in JSON, in an address, in a header."""
    in_json = secret.replace("\\", "\\\\").replace('"', '\\"')
    in_address = quote(secret, safe="", errors="surrogateescape")
    yield from (secret, in_json, in_json.replace("=", "\\u003d"), in_address)
    if len(secret) >= _MIN_ENCODED:
        for each in (secret, f"{secret}:"):
            yield b64encode(each.encode("utf-8", "surrogateescape")).decode().rstrip("=")
