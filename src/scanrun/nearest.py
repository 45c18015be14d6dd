"""What a misspelt name may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 100
"""Of a longer name only the beginning is compared: it takes time."""


def nearest(name: str, known: Iterable[str], *, otherwise: str = "known: {}") -> str:
    """Return the hint for a `name` that is none of `known`."""
    spelt = {each.lower(): each for each in sorted(known, reverse=True)}
    near = get_close_matches(name[:_LONGEST].lower(), spelt, n=1)
    if near:
        return f"did you mean {spelt[near[0]]!r}?"
    return otherwise.format(", ".join(sorted(spelt.values()))) if spelt else ""
