"""How quantities read, in one way everywhere: counts, sizes, spans of time."""

from datetime import timedelta

_UNITS = (("d", 86400, 2), ("h", 3600, 1), ("min", 60, 1))
"""Unit, its seconds, and how many of it there must be: a day is told in hours."""


def counted(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Return a number of bytes in kB or MB."""
    return f"{number / 1e6:.1f} MB" if number >= 10**6 else f"{number / 1e3:.1f} kB"


def span(time: timedelta) -> str:
    """Return a span of time in its largest unit; what is below nothing is nothing."""
    seconds = max(0, int(time.total_seconds()))
    for unit, length, least in _UNITS:
        if seconds >= length * least:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
