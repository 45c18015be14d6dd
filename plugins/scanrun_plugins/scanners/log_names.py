"""File names as a tool prints them in its log, and what can be made of them there."""

from collections.abc import Iterable

from scanrun.api import Snapshot


def unforged(named: Iterable[str], snapshot: Snapshot) -> frozenset[str]:
    """Return the paths that a log names, less those that a file's name could have put there.

    A name with a line break in it makes two lines of one, and the second can read like a line
    about another file.
    """
    broken = [file.path for file in snapshot.files if "\n" in file.path or "\r" in file.path]
    return frozenset(path for path in named if not any(path in each for each in broken))
