"""How secrets and terminal tricks are kept out of what scanrun writes and shows.

Masking is a second net: converters leave source text out, and this catches what a tool quotes in
a message, a log or its own report. It would rather hide too much.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

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

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM = re.compile(rf"{_PEM_BEGIN.pattern}(?P<v>.*?)(?:{_PEM_END.pattern}|\Z)", re.DOTALL)
_QUOTED = r"\"(?:[^\"\\\n]|\\.){0,65536}\"|'(?:[^'\\\n]|\\.){0,65536}'|`[^`\n]{0,65536}`"
_ESCAPED = r"\\\"(?:(?!\\\").){0,65536}\\\""
"""A quoted value in source that stands, escaped, in a JSON text."""
_BARE = r"(?:(?i:bearer|basic)[ \t]+)?[^\s\"'`,;&|<>(){}\[\]\\]{1,65536}"
_ASSIGNED = re.compile(
    r"(?i:pass(?:word|wd|phrase|code)|pwd|pw|secret|token|credential|key)"
    r"(?:s|[_.-][\w.-]{1,40}|[A-Z0-9]\w{0,40})?"
    r"(?:\\?[\"'`])?\]?[ \t]{0,8}(?::=|=>|==?|:)[ \t]{0,8}"
    r"(?!(?i:true|false|yes|no|on|off|null|none)\b)"
    rf"(?P<v>{_ESCAPED}|{_QUOTED}|{_BARE})"
)
_BEFORE_KEY = re.compile(r"(?i:api|access|private|encryption|signing|account|auth)[_. -]?\Z")
_HEADER = re.compile(
    r"(?i:authorization|x-api-key|cookie)\\?[\"']?[ \t]{0,8}:[ \t]{0,8}"
    r"(?P<v>[^\r\n\"'\\]{1,8192})"
)
_BEARER = re.compile(r"(?i:bearer)[ \t]+(?P<v>[\w.~+/-]{16,8192}=*)")
_USERINFO = re.compile(r"://(?P<v>[^\s/@\"'<>\\]{1,512})@")
_SHAPES = {
    "AKIA": r"\bAKIA[A-Z2-7]{16}\b",  # AWS
    "ASIA": r"\bASIA[A-Z2-7]{16}\b",
    **{f"gh{kind}_": rf"\bgh{kind}_[A-Za-z0-9]{{20,255}}" for kind in "opsur"},  # GitHub
    "github_pat_": r"github_pat_\w{20,255}",
    "gl": r"\bgl(?:pat|ptt|dt|rt|cbt|oas|ft|soat|imt|agent|ffct)-[\w.-]{16,255}",  # GitLab
    "xox": r"\bxox[a-z]-[\w-]{8,255}",  # Slack
    "xapp-": r"\bxapp-[\w-]{8,255}",
    "hooks.slack.com/": r"hooks\.slack\.com/(?P<v>[\w/+-]{8,255})",
    "k_live_": r"k_live_(?P<v>[A-Za-z0-9]{10,255})",  # Stripe
    "k_test_": r"k_test_(?P<v>[A-Za-z0-9]{10,255})",
    "whsec_": r"whsec_(?P<v>[\w+/=]{16,255})",
    "eyJ": r"(?<![A-Za-z0-9])eyJ[\w-]{5,4096}+\.[\w-]{5,8192}(?:\.[\w-]{0,8192}){0,3}",  # JWT
    "AIza": r"AIza[\w-]{35}",  # Google
    "npm_": r"npm_[A-Za-z0-9]{36}",
    "pypi-": r"pypi-[\w-]{32,512}",
    "SG.": r"\bSG\.[\w-]{16,64}\.[\w-]{16,64}",  # SendGrid
    "hvs.": r"\bhvs\.[\w-]{20,255}",  # Vault
    "sk-": r"\bsk-[\w-]{20,255}",
}
_EXACT = (
    *((word, re.compile(pattern)) for word, pattern in _SHAPES.items()),
    ("://", _USERINFO),
)
"""Text that stands at the beginning of a secret -> pattern that is tried there, and only there:
searching with the patterns themselves would take a hundred times as long."""
_ANY_CASE = (
    *((word, _ASSIGNED) for word in ("pass", "pwd", "pw", "secret", "token", "credential")),
    ("authorization", _HEADER),
    ("cookie", _HEADER),
    ("x-api-key", _HEADER),
    ("bearer", _BEARER),
)

_BLOCK = 1 << 20
_HELD = 1 << 17
"""What the end of a block may still become part of."""
_BEGIN_LENGTH = 512
"""No beginning or end of something to hide is longer."""
_MIN_VALUE = 4
"""Shorter values would blacken half of every text."""

Span = tuple[int, int]


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
        lines = {line.strip() for value in values for line in value.splitlines()}
        known = sorted((line for line in lines if len(line) >= _MIN_VALUE), key=len, reverse=True)
        forms = [form for line in known for form in dict.fromkeys((line, _in_json(line)))]
        self._values = re.compile("|".join(map(re.escape, forms))) if forms else None

    def text(self, text: str) -> str:
        """Return `text` masked."""
        return _masked(text, 0, len(text), self._spans(text))

    def clean(self, text: str) -> str:
        """Return `text` without escape sequences, masked."""
        return self.text(clean_text(text))

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
        return _joined([*found, *_secrets(text)])


def _secrets(text: str) -> Iterator[Span]:
    """Yield where something stands that looks like a secret."""
    if "PRIVATE KEY" in text:
        yield from (match.span("v") for match in _PEM.finditer(text))
    for word, pattern in _EXACT:
        if word in text:  # seldom, and a generator for nothing costs more than this look
            yield from _values_at(pattern, text, _places(text, word))
    lower = text.lower()
    if len(lower) != len(text):  # one letter of Unicode becomes two
        lower = text.replace("\u0130", "I").lower()
    for word, pattern in _ANY_CASE:
        if word in lower:
            yield from _values_at(pattern, text, _places(lower, word))
    keys = (at for at in _places(lower, "key") if _BEFORE_KEY.search(text, max(0, at - 12), at))
    yield from _values_at(_ASSIGNED, text, keys)


def _places(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _values_at(pattern: re.Pattern[str], text: str, places: Iterable[int]) -> Iterator[Span]:
    """Yield where the secrets stand whose beginnings, or names, are at `places`; quotes are kept.

    What lies in one is not looked at again: `pw:pw:pw:…` would take the square of its length.
    """
    group, done = "v" if "v" in pattern.groupindex else 0, 0
    for at in places:
        match = pattern.match(text, at) if at >= done else None
        if match is not None:
            start, done = match.span(group)
            quoted = (each for each in ('\\"', '"', "'", "`") if text.startswith(each, start))
            width = len(next(quoted, ""))
            yield start + width, done - width


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
        rf"|{_PEM_BEGIN.pattern}"
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
        match = _PEM_END.search(self._held)
        if match is None:
            self._held = self._held[-_BEGIN_LENGTH:]
            return None
        self._take(match.start())
        self._skip = None
        return self._take(len(match[0]))

    def _take(self, length: int) -> str:
        piece, self._held = self._held[:length], self._held[length:]
        return piece


def _in_json(text: str) -> str:
    """Return `text` as it stands inside a JSON string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
