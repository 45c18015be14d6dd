"""What looks like a secret in a text, and where it stands."""

import re
from collections.abc import Iterable, Iterator

Span = tuple[int, int]

_PRINTABLE = bytes(range(0x20, 0x7F))

PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM = re.compile(rf"{PEM_BEGIN.pattern}(?P<v>.*?)(?:{PEM_END.pattern}|\Z)", re.DOTALL)
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

_TELLING = {
    "_": ("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "k_live_", "k_test_", "whsec_",
          "npm_"),
    "x": ("xox", "xapp-"),
    "k": ("sk-", "hooks.slack.com/"),
    "y": ("pypi-",),
    "v": ("hvs.",),
    "B": ("-----BEGIN",),
    "G": ("SG.",),
    "I": ("AKIA", "ASIA", "AIza"),
    "J": ("eyJ",),
    "@": ("://",),
}  # fmt: skip
"""Character -> words of which one stands in any secret of `_EXACT` that has the character. The
rarest one of each word: to look for a character takes a sixth of the time."""
_GITLAB = re.compile(r"gl[a-z]{2,5}-")
_NAMES = ("pass", "pw", "secret", "token", "credential", "key", "authorization", "cookie")
"""Names of what is assigned."""
_IN_NAMES = ("ss", "pw", "cr", "ok", "key", "oriz")
"""One of these stands in each of `_NAMES`: fewer to look for."""
_NAMED = re.compile(rf"(?:{'|'.join(_NAMES)})[\w.-]{{0,60}}\\?[\"'`]?\]?[ \t]{{0,8}}[:=]")
"""Where `_ASSIGNED` and `_HEADER` may find something, in small letters."""


def printable(text: str) -> bool:
    """Do what `isprintable` does, for most texts in a third of its time."""
    if not text.isascii():
        return text.isprintable()
    return not text.encode().translate(None, _PRINTABLE)


def suspicious(text: str) -> bool:
    """Say whether `secrets_in` might find one: single characters are looked for first."""
    for character, words in _TELLING.items():
        if character in text and _has_any(text, words):
            return True
    if "gl" in text and _GITLAB.search(text):
        return True
    lower = _lower(text)
    if "bearer" in lower:
        return True
    return _has_any(lower, _IN_NAMES) and _has_any(lower, _NAMES) and bool(_NAMED.search(lower))


def _lower(text: str) -> str:
    """Return `text` in small letters, and as long as it is."""
    lower = text.lower()
    # one letter of Unicode becomes two
    return lower if len(lower) == len(text) else text.replace("\u0130", "I").lower()


def _has_any(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - a generator takes longer than what it looks for
        if word in text:
            return True
    return False


def secrets_in(text: str) -> Iterator[Span]:
    """Yield where something stands that looks like a secret."""
    if "PRIVATE KEY" in text:
        yield from (match.span("v") for match in _PEM.finditer(text))
    for word, pattern in _EXACT:
        if word in text:  # seldom, and a generator for nothing costs more than this look
            yield from _values_at(pattern, text, _places(text, word))
    lower = _lower(text)
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
