"""What is scanned, what is left out and by which rule, and what would change a scan.

We walk the tree ourselves and ask git only what it tracks and ignores: what git does not speak
of (FIFOs, folders it can't read, nested repositories) is seen, and whatever it keeps quiet about
is scanned rather than lost.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path, PurePath
from types import MappingProxyType

from scanrun.errors import UsageError
from scanrun.git import GitError, WorkTree, read_work_tree
from scanrun.globs import Exclusion
from scanrun.model import CANARY_DIR, LeftOut, Snapshot, SnapshotFile, Tell
from scanrun.walk import is_readable, look_at, walk

OUTPUT_DIR = ".scanrun"
_OWN = ("scanrun's own output", "reserved for scanrun")
_NO_TELLS: Mapping[str, Mapping[str, str]] = MappingProxyType({})


def take_snapshot(
    path: Path,
    *,
    environment: Mapping[str, str],
    exclude: Iterable[str] = (),
    tells: Mapping[str, Mapping[str, str]] = _NO_TELLS,
    wanted: Iterable[str] = (),
    output_dir: str = OUTPUT_DIR,
) -> Snapshot:
    """Walk the folder `path` once; or look at `path` alone, where it is a file.

    `exclude` is read as in `scanrun.globs`. `tells` is scanner -> pattern -> effect, `wanted` are
    patterns of ignored files that a scanner asks for; both are patterns of `Snapshot.match`.
    A relative `output_dir` counts from the root.

    Raises:
        UsageError: there is no such file or folder, or it can't be read.
        ConfigError: an exclusion makes no sense.
    """
    place = _resolve(path)
    root = place if place.is_dir() else place.parent
    git, notes = _ask_git(root, environment)
    rules = _Rules.of(root, Exclusion(exclude), output_dir, git)
    if place.is_dir():
        files, left_out = _take_tree(root, rules, git)
    else:
        files, left_out = _sort_out([look_at(root, place.name)])
    dirty = None
    if git and git.commit:
        dirty = git.changed or any(git.is_foreign(file.path) for file in files)
    if place.is_dir():
        files, left_out = _add_wanted(root, rules, files, left_out, tuple(wanted))
    kept, told = _set_apart(files, tells)
    return Snapshot(
        root=root,
        files=tuple(sorted(kept, key=lambda file: os.fsencode(file.path))),
        left_out=tuple(sorted(left_out, key=lambda each: os.fsencode(each.path))),
        tells=tuple(sorted(told, key=lambda tell: (os.fsencode(tell.path), tell.scanner))),
        commit=git.commit if git else None,
        dirty=dirty,
        repository=git.address if git else "",
        notes=(*notes, *rules.notes(left_out)),
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    """Why a path is not entered. Asked on the way down: folders before what lies in them."""

    exclusion: Exclusion
    output: str
    git: WorkTree | None

    @classmethod
    def of(
        cls, root: Path, exclusion: Exclusion, output_dir: str, git: WorkTree | None
    ) -> "_Rules":
        place = PurePath(os.path.realpath(root / output_dir))
        inside = place.is_relative_to(root) and place != root
        return cls(exclusion, place.relative_to(root).as_posix() if inside else "", git)

    def rule(self, path: str, folder: bool) -> str:  # noqa: FBT001 - `walk.RuleOf`
        if not (rule := self.rule_but_ignored(path, folder)) and self.git:
            return "git ignore" if self.git.ignores(path, folder=folder) else ""
        return rule

    def rule_but_ignored(self, path: str, folder: bool) -> str:  # noqa: FBT001 - as above
        name = path.rpartition("/")[2]
        if name == ".git":
            return "git's own data"
        if path == self.output or (folder and name == OUTPUT_DIR):
            return _OWN[0]
        if path == CANARY_DIR:
            # findings below this path are taken for canaries
            return _OWN[1]
        return "exclude" if self.exclusion.fits(path, folder=folder) else ""

    def notes(self, left_out: Iterable[LeftOut]) -> tuple[str, ...]:
        """Tell of tracked files in our own folders: a place to hide what is not to be scanned."""
        own = tuple(each.path for each in left_out if each.rule in _OWN)
        hidden = sum(path.startswith(own) for path in self.git.tracked) if self.git else 0
        return (f"{hidden} tracked files in scanrun's own folders are not scanned",) * bool(hidden)


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
    fits = _matcher(wanted)
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


def _set_apart(
    files: Iterable[SnapshotFile], tells: Mapping[str, Mapping[str, str]]
) -> tuple[list[SnapshotFile], list[Tell]]:
    """Take out the files that would change a scan; each is told once for each scanner."""
    suspicious = _matcher(pattern for patterns in tells.values() for pattern in patterns)
    kept, told = [], []
    for file in files:
        if not suspicious(file.path):
            kept.append(file)
            continue
        for scanner, patterns in tells.items():
            fitting = (each for each in patterns if _matcher((each,))(file.path))
            if (pattern := next(fitting, None)) is not None:
                told.append(Tell(file.path, scanner, patterns[pattern]))
    return kept, told


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return all of `patterns` as one test of a path; they mean what `Snapshot.match` says."""
    listed = tuple(patterns)
    names = re.compile("|".join(translate(each) for each in listed if "/" not in each) or "(?!)")
    paths = re.compile("|".join(translate(each) for each in listed if "/" in each) or "(?!)")
    return lambda path: bool(names.match(path.rpartition("/")[2]) or paths.match(path))
