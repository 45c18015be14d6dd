"""Which paths the exclusions of a configuration mean.

A small part of what `.gitignore` knows: a pattern without `/` fits a file or folder of that name
anywhere; one with `/` counts from the root; one that ends in `/` means folders only; `**` stands
for any number of folders; a folder that fits takes all that lies in it along. No negation.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import cache

from scanrun.errors import ConfigError

NameTest = Callable[[str], bool]

_States = frozenset[int]


@dataclass(frozen=True, slots=True)
class _Glob:
    parts: tuple[str, ...]
    folders_only: bool

    def start(self) -> _States:
        return self._skip({0})

    def step(self, states: _States, name: str) -> _States:
        """Return where the pattern stands after one more name of a path.

        All places at once, so that no pattern of a hostile configuration takes for ever.
        """
        reached = set()
        for state in states:
            if state < len(self.parts) and self.parts[state] == "**":
                reached.add(state)
            elif state < len(self.parts) and fnmatchcase(name, self.parts[state]):
                reached.add(state + 1)
        return self._skip(reached)

    def _skip(self, states: set[int]) -> _States:
        for state in sorted(states):
            after = state
            while after < len(self.parts) and self.parts[after] == "**":
                after += 1
                states.add(after)
        return frozenset(states)

    def fits(self, states: _States, *, folder: bool) -> bool:
        return len(self.parts) in states and (folder or not self.folders_only)


class Exclusion:
    """All exclusions of a run. Folders are asked before what lies in them: see `fits`."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        self._globs = tuple(_read(pattern) for pattern in self._patterns)
        self._used: set[str] = set()
        self._states = cache(self._compute_states)

    def fits(self, path: str, *, folder: bool) -> bool:
        """Say whether a pattern fits `path` itself; no caller enters a folder that does."""
        parent, _, name = path.rpartition("/")
        fitting = [
            pattern
            for pattern, glob, states in zip(
                self._patterns, self._globs, self._states(parent), strict=True
            )
            if glob.fits(glob.step(states, name), folder=folder)
        ]
        self._used.update(fitting)
        return bool(fitting)

    @property
    def unused(self) -> tuple[str, ...]:
        """Return the patterns that have fitted nothing so far."""
        return tuple(each for each in dict.fromkeys(self._patterns) if each not in self._used)

    def covers(self, path: str) -> bool:
        """Say whether a pattern fits `path`, a file, or a folder above it."""
        parts = path.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        return any(self.fits(each, folder=True) for each in above) or self.fits(path, folder=False)

    def _compute_states(self, folder: str) -> tuple[_States, ...]:
        states = tuple(glob.start() for glob in self._globs)
        for name in folder.split("/") if folder else ():
            states = tuple(
                glob.step(each, name) for glob, each in zip(self._globs, states, strict=True)
            )
        return states


def _read(pattern: str) -> _Glob:
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    if not parts or pattern.startswith("!") or ".." in parts:
        raise ConfigError(
            f"exclusion {pattern!r} can't be used",
            hint="exclude takes file names, folders (`vendor/`) and paths with `*` and `**`",
        )
    if len(parts) == 1 and not pattern.startswith(("/", "./")):
        parts.insert(0, "**")
    if parts[-1] == "**":
        # `x/**` means what lies in x, not x: something has to follow
        parts.append("*")
    return _Glob(tuple(parts), folders_only=pattern.endswith("/"))


def name_test(patterns: Iterable[str]) -> NameTest:
    """Return all of `patterns` as one test of a path; they mean what `Snapshot.match` says."""
    listed = tuple(patterns)
    names = re.compile("|".join(translate(each) for each in listed if "/" not in each) or "(?!)")
    paths = re.compile("|".join(translate(each) for each in listed if "/" in each) or "(?!)")
    return lambda path: bool(names.match(path.rpartition("/")[2]) or paths.match(path))
