"""What is scanned, what is left out and by which rule, and what would change a scan.

We walk the tree ourselves and ask git only what it tracks and ignores: what git does not speak
of (FIFOs, folders it can't read, nested repositories) is seen, and whatever it keeps quiet about
is scanned rather than lost.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType

from scanrun.errors import UsageError
from scanrun.git import GitError, WorkTree, read_work_tree
from scanrun.globs import Exclusion, NameTest, name_test
from scanrun.model import (
    CANARY_DIR,
    OWN_TRACKED,
    RESERVED,
    Influence,
    LeftOut,
    Snapshot,
    SnapshotFile,
    Tell,
)
from scanrun.output import is_marked
from scanrun.source import read_regular
from scanrun.walk import is_readable, look_at, walk

OUTPUT_DIR = ".scanrun"
Tells = Mapping[str, Mapping[str, str | Influence]]

_OUTPUT = "scanrun's own output"
_NO_TELLS: Tells = MappingProxyType({})


def take_snapshot(
    path: Path,
    *,
    environment: Mapping[str, str],
    exclude: Iterable[str] = (),
    tells: Tells = _NO_TELLS,
    wanted: Iterable[str] = (),
    output_dir: str = OUTPUT_DIR,
) -> Snapshot:
    """Walk the folder `path` once; or look at `path` alone, where it is a file.

    `exclude` is read as in `scanrun.globs`. `tells` is scanner -> pattern -> influence, `wanted`
    are patterns of ignored files that a scanner asks for; both are patterns of `Snapshot.match`.
    A relative `output_dir` counts from the root.

    Raises:
        UsageError: there is no such file or folder, or it can't be read.
        ConfigError: an exclusion makes no sense.
    """
    place = _resolve(path)
    root = place if place.is_dir() else place.parent
    git, notes = _ask_git(root, environment)
    rules = _Rules.of(root, Exclusion(exclude), output_dir, git, marks=not git and not notes)
    if place.is_dir():
        files, left_out = _take_tree(root, rules, git)
    else:
        files, left_out = _sort_out([look_at(root, place.name)])
    dirty = None
    if git and git.commit:
        dirty = git.changed or any(git.is_foreign(file.path) for file in files)
    if place.is_dir():
        few = len(files)
        files, left_out = _add_wanted(root, rules, files, left_out, tuple(wanted))
        if more := len(files) - few:
            ignored = f"{more} that git ignores {'is' if more == 1 else 'are'} scanned all the same"
            notes = (*notes, f"{ignored}: a build's own, which a scanner asks for")
    kept, told = _set_apart(root, files, tells)
    return Snapshot(
        root=root,
        files=tuple(sorted(kept, key=lambda file: os.fsencode(file.path))),
        left_out=tuple(sorted(left_out, key=lambda each: os.fsencode(each.path))),
        tells=tuple(sorted(told, key=lambda tell: (os.fsencode(tell.path), tell.scanner))),
        commit=git.commit if git else None,
        dirty=dirty,
        repository=git.address if git else "",
        notes=(*notes, *rules.notes(left_out), *(rules.unused() if place.is_dir() else ())),
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    """Why a path is not entered. Asked on the way down: folders before what lies in them."""

    root: Path
    exclusion: Exclusion
    output: str
    git: WorkTree | None
    marks: bool
    """Believe the mark of an earlier run's folder. Anybody can commit one, so only where there is
    no repository; git itself ignores what a run leaves, and says what is tracked there."""

    @classmethod
    def of(
        cls,
        root: Path,
        exclusion: Exclusion,
        output_dir: str,
        git: WorkTree | None,
        *,
        marks: bool,
    ) -> "_Rules":
        place = PurePath(os.path.realpath(root / output_dir))
        inside = place.is_relative_to(root) and place != root
        output = place.relative_to(root).as_posix() if inside else ""
        return cls(root, exclusion, output, git, marks)

    def rule(self, path: str, folder: bool) -> str:  # noqa: FBT001 - `walk.RuleOf`
        if not (rule := self.rule_but_ignored(path, folder)) and self.git:
            return "git ignore" if self.git.ignores(path, folder=folder) else ""
        return rule

    def rule_but_ignored(self, path: str, folder: bool) -> str:  # noqa: FBT001 - as above
        name = path.rpartition("/")[2]
        if name == ".git":
            return "git's own data"
        if path == self.output or (self.marks and folder and self._is_of_earlier_run(path)):
            return _OUTPUT
        if self.exclusion.fits(path, folder=folder):
            return "exclude"
        # what a scanner says of such a path is taken for words on a canary
        return RESERVED if CANARY_DIR in name else ""

    def _is_of_earlier_run(self, path: str) -> bool:
        return path.rpartition("/")[2] == OUTPUT_DIR and is_marked(self.root / path)

    def hidden(self) -> Iterator[LeftOut]:
        """Yield what is tracked in our own folder: no run leaves that, and nobody scans it."""
        for path in self.git.tracked if self.git and self.output else ():
            inside = f"{path}/".startswith(f"{self.output}/")  # or a submodule in its place
            if inside and not self.exclusion.covers(path):
                yield LeftOut(path, OWN_TRACKED)

    def notes(self, left_out: Iterable[LeftOut]) -> tuple[str, ...]:
        """Tell of our own folders where they could hide what is not to be scanned."""
        left_out = tuple(left_out)
        own = [each.path for each in left_out if each.rule == _OUTPUT]
        others = [path for path in own if path != f"{self.output}/"]
        told = tuple(f"{path!r} holds the files of an earlier run: not scanned" for path in others)
        hidden = sum(each.rule == OWN_TRACKED for each in left_out)
        note = f"{hidden} tracked files in scanrun's own folders are not scanned"
        return (*told, note) if hidden else told

    def unused(self) -> Iterator[str]:
        """Tell of exclusions that nothing fits: they may be misspelt."""
        for pattern in self.exclusion.unused:
            yield f"exclusion {pattern!r} matched nothing in the tree"


def _resolve(path: Path) -> Path:
    try:
        place = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"there is no file or folder {str(path)!r}") from error
    if not place.is_dir() and not place.is_file():
        raise UsageError(f"{str(path)!r} is neither a file nor a folder")
    if not is_readable(place, folder=place.is_dir()):
        raise UsageError(f"{str(path)!r} can't be read")
    return place


def _ask_git(root: Path, environment: Mapping[str, str]) -> tuple[WorkTree | None, tuple[str, ...]]:
    try:
        return read_work_tree(root, environment), ()
    except GitError as error:
        return None, (f"every file is scanned, ignored ones too: {error}",)


def _sort_out(
    found: Iterable[SnapshotFile | LeftOut],
) -> tuple[list[SnapshotFile], list[LeftOut]]:
    files: list[SnapshotFile] = []
    left_out: list[LeftOut] = []
    for each in found:
        if isinstance(each, SnapshotFile):
            files.append(each)
        else:
            left_out.append(each)
    return files, left_out


def _take_tree(
    root: Path, rules: _Rules, git: WorkTree | None
) -> tuple[list[SnapshotFile], list[LeftOut]]:
    files, left_out = _sort_out(walk(root, rules.rule))
    if git:
        seen = {file.path for file in files} | {each.path for each in left_out}
        left_out.extend(_find_missing(root, git, rules.exclusion, seen))
        left_out.extend(rules.hidden())
    return files, left_out


def _find_missing(
    root: Path, git: WorkTree, exclusion: Exclusion, seen: set[str]
) -> Iterator[LeftOut]:
    """Yield what is tracked and was not met on the walk."""
    folders = {path for path in seen if path.endswith("/")}
    for path, why in git.tracked.items():
        if path in seen or _lies_in(path, folders) or exclusion.covers(path):
            continue
        if not why.startswith("submodule"):
            yield LeftOut(path, why or "not in the work tree")
        elif not _holds_anything(root / path):
            yield LeftOut(f"{path}/", why)


def _lies_in(path: str, folders: set[str]) -> bool:
    return any(f"{parent}/" in folders for parent in PurePath(path).parents)


def _holds_anything(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def _add_wanted(
    root: Path,
    rules: _Rules,
    files: list[SnapshotFile],
    left_out: list[LeftOut],
    wanted: tuple[str, ...],
) -> tuple[list[SnapshotFile], list[LeftOut]]:
    """Take ignored files that a scanner asks for; the folder they lie in stays told."""
    fits = name_test(wanted)
    more, less = list(files), []
    for each in left_out:
        if each.rule != "git ignore" or not wanted:
            less.append(each)
        elif each.path.endswith("/"):
            inner = _sort_out(walk(root, rules.rule_but_ignored, each.path[:-1]))
            more.extend(file for file in inner[0] if fits(file.path))
            less += [each, *(one for one in inner[1] if one.path.endswith("/") or fits(one.path))]
        elif fits(each.path):
            inner = _sort_out([look_at(root, each.path)])
            more.extend(inner[0])
            less.extend(inner[1])
        else:
            less.append(each)
    return more, less


@dataclass(frozen=True, slots=True)
class _Tale:
    """One thing that a scanner has to tell of files."""

    scanner: str
    fits: NameTest
    influence: Influence

    def about(self, root: Path, file: SnapshotFile) -> bool:
        """Say whether it is about this file."""
        if (self.influence.at_root and "/" in file.path) or not self.fits(file.path):
            return False
        pattern = self.influence.holding.encode()
        return not pattern or bool(re.search(pattern, read_regular(root / file.path), re.MULTILINE))


def _tales(tells: Tells) -> list[_Tale]:
    return [
        _Tale(
            scanner,
            name_test((pattern,)),
            Influence(effect=each) if isinstance(each, str) else each,
        )
        for scanner, patterns in tells.items()
        for pattern, each in patterns.items()
    ]


def _set_apart(
    root: Path, files: Iterable[SnapshotFile], tells: Tells
) -> tuple[list[SnapshotFile], list[Tell]]:
    """Take out the files that would change a scan; each is told once for each scanner."""
    suspicious = name_test(pattern for patterns in tells.values() for pattern in patterns)
    tales = _tales(tells)
    kept: list[SnapshotFile] = []
    told: list[Tell] = []
    for file in files:
        about = [each for each in tales if each.about(root, file)] if suspicious(file.path) else []
        first = {each.scanner: each.influence for each in reversed(about)}
        told += (
            Tell(file.path, scanner, found.effect, found.left_out, found.heeded)
            for scanner, found in first.items()
        )
        if not any(each.influence.left_out for each in about):
            kept.append(file)
    return kept, told
