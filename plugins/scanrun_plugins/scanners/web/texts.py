"""How texts of a report become texts that may be told: they are the application's, and hostile."""

import re

MASK = "********"
_LONGEST = 300
_COOKIES = re.compile(r"(?i)\b((?:set-)?cookie2?\s{0,9}:\s{0,9})([^\r\n]*)")
_AUTHORIZATION = re.compile(r"(?i)\b((?:proxy-)?authorization\b[\"']?\s{0,9}[:=]\s{0,9})[^\r\n]+")
_SCHEME = re.compile(r"(?i)\b((?:bearer|basic|digest|negotiate)\s{1,9})[A-Za-z0-9+/=._~-]{6,}")
_NAMES = (
    r"passw|pwd|passphrase|secret|token|session|sess_?id|sid|auth|api[-_]?key|jwt|csrf|xsrf"
    r"|credential|signature|otp|pin|nonce|private[-_]?key|access[-_]?key|viewstate"
)
SENSITIVE = re.compile(rf"(?i)(?:{_NAMES})")
"""Somewhere in a name whose value is nobody's business."""
_PAIR = re.compile(
    rf"(?i)([\w.-]{{0,64}}(?:{_NAMES})[\w.-]{{0,64}}[\"']?\s{{0,9}}[=:]\s{{0,9}}[\"']?)"
    r"([^\s\"'&;<>]{1,4000})"
)
_FIELD = re.compile(r"(?i)(\bvalue\s{0,9}=\s{0,9}[\"']?)([^\s\"'>]{1,4000})")
_JWT = re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?")
_RANDOM = re.compile(r"(?=[\w+-]*\d)(?=[\w+-]*[A-Za-z])[A-Za-z0-9_+-]{32,}={0,2}")
_ATTRIBUTES = frozenset({"path", "domain", "expires", "max-age", "samesite", "priority"})


def one_line(text: str | None, longest: int = _LONGEST) -> str:
    """Return a text on one line, cut."""
    return cut(" ".join((text or "")[: 16 * longest].split()), longest)


def by_method(method: str) -> str:
    """Return how a page was asked for, where that is not as usual: ` by POST`."""
    return "" if method in {"", "GET"} else f" by {one_line(method, 20)}"


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return a text that is no longer than that."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def redacted(text: str | None, longest: int = _LONGEST) -> str:
    """Return a text on one line without values of cookies, tokens and the like; cut at the end.

    Masked first: half a secret is not known for one.
    """
    found = (text or "")[: 64 * longest]
    found = _COOKIES.sub(lambda match: match[1] + _cookies(match[2]), found)
    found = _AUTHORIZATION.sub(rf"\1{MASK}", found)
    found = _SCHEME.sub(rf"\1{MASK}", found)
    found = _PAIR.sub(rf"\1{MASK}", found)
    found = _FIELD.sub(rf"\1{MASK}", found)
    found = _JWT.sub(MASK, found)
    return one_line(_RANDOM.sub(MASK, found), longest)


def is_random(text: str) -> bool:
    """Say whether a text looks like a token."""
    return bool(_RANDOM.search(text) or _JWT.search(text))


def _cookies(text: str) -> str:
    """Return names and attributes of cookies, without the values."""
    return ";".join(_cookie(part) for part in text.split(";"))


def _cookie(part: str) -> str:
    name, sign, _ = part.partition("=")
    if not sign or name.strip().lower() in _ATTRIBUTES:
        return part
    return f"{name}={MASK}"
