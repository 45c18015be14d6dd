"""The scanner's settings as a file of Java properties: the only way for a token to get there."""

import re
from collections.abc import Mapping

_LINE = re.compile(r"[ \t\f\n]*+(?:[#!][^\n]*|((?:\\.|[^\\\n]|\\\Z)++))", re.DOTALL)
"""A comment, or a line with those that go on with it."""
_GOES_ON = re.compile(r"\\\n[ \t\f]*")
_PAIR = re.compile(r"((?:\\.|[^\\=: \t\f])*+)[ \t\f]*+[=:]?[ \t\f]*+(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[^u]|u|\Z)", re.DOTALL)
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def read_java_properties(content: bytes) -> dict[str, str]:
    """Return what SonarScanner reads in such a file (UTF-8): of two for one key the later.

    Raises:
        ValueError: an escape in it is none.
    """
    text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    found = {}
    for line in filter(None, _LINE.findall(text)):
        if pair := _PAIR.fullmatch(_GOES_ON.sub("", line)):
            found[_ESCAPE.sub(_read, pair[1])] = _ESCAPE.sub(_read, pair[2])
    return found


def _read(escape: re.Match[str]) -> str:
    said = escape[1]
    if said == "u":
        raise ValueError("a \\u without four digits")
    return chr(int(said[1:], 16)) if len(said) > 1 else _LETTERS.get(said, said)


def java_properties(values: Mapping[str, str]) -> bytes:
    """Return the file: Latin-1, one `key=value` a line, whatever stands in them."""
    lines = (f"{_escaped(key, key=True)}={_escaped(value)}\n" for key, value in values.items())
    return "".join(lines).encode("ascii")


def _escaped(text: str, *, key: bool = False) -> str:
    parts = []
    for at, letter in enumerate(text):
        if letter == "\\" or (key and letter in "=: #!") or (letter == " " and at == 0):
            parts.append(f"\\{letter}")
        elif " " <= letter <= "~":
            parts.append(letter)
        else:
            units = letter.encode("utf-16-be", "surrogatepass").hex()
            parts += [f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4)]
    return "".join(parts)
