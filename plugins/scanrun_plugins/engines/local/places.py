"""Where a step's container paths lie on this host."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from scanrun.api import Step, StepError, container_parent

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Places:
    """Container folder -> folder of this host, and texts rewritten by it."""

    root: Path
    """The step's own folder; what is not the tree or a cache lies below it."""
    folders: Mapping[str, Path]
    source: str | None = None

    @classmethod
    def of(cls, step: Step, root: Path, tree: Path | None, caches: Mapping[str, Path]) -> "Places":
        """Return the places of a step, and make its own folders.

        Raises:
            StepError: a path that can't be had on this host.
        """
        made = [container_parent(each) for each in (*step.outputs, *step.optional_outputs)]
        made += [container_parent(each) for each in (*step.files, *step.host_files, *step.links)]
        folders = {"/tmp": root / "tmp"}  # noqa: S108 - the container's, not ours
        for folder in made:
            folders[folder] = _own(root, folder)
        if tree is not None and step.source is not None:
            shared = _source(step.source, tree)
            folders |= shared
            if clash := [each for each in made if any(_under(each, top) for top in shared)]:
                raise StepError(f"{clash[0]!r} lies in the scanned copy, which is read-only")
        for path, name in step.caches.items():
            folders[path.rstrip("/")] = _linked(_own(root, path), caches[name])
        for folder in [*made, *(path.rstrip("/") for path in step.caches)]:
            parent = str(PurePosixPath(folder).parent)
            if parent != "/":  # a tool may be told `/cache` and look for `/cache/db` itself
                folders.setdefault(parent, _own(root, parent))
        for place in {root / "tmp", root / "home", root / "work", *map(folders.get, made)}:
            if place is not None:
                place.mkdir(parents=True, exist_ok=True)
        return cls(root, folders, step.source)

    def text(self, text: str) -> str:
        """Return `text` with each absolute path at or under a known folder replaced.

        One pass, longest folder first: a replacement is never replaced again.
        """
        if not self.folders:
            return text
        known = "|".join(re.escape(each) for each in sorted(self.folders, key=len, reverse=True))
        pattern = rf"(?:(?<=file://)|(?<![\w./-]))(?:{known})(?![\w.-])"
        return re.sub(pattern, lambda match: str(self.folders[match[0]]), text)

    def path(self, path: str) -> Path:
        """Return where a file of the step's own lies."""
        return _own(self.root, path)

    def workdir(self, path: str) -> Path:
        """Return the folder to run in; one that nothing lies in becomes an empty one."""
        text = self.text(path)
        return Path(text) if text != path else self.root / "work"

    def restore(self, file: Path) -> None:
        """Write the source's container path back where a report or log names the copy's.

        So converters see the same paths whichever engine ran. A binary file stays as it is.
        """
        if self.source is None or file.is_symlink() or not file.is_file():
            return
        place = os.fsencode(self.folders[self.source])
        quoted = quote(place).encode()
        pattern = re.compile(b"|".join(re.escape(each) for each in dict.fromkeys((place, quoted))))
        if _mentions(file, place) or _mentions(file, quoted):
            _replace(file, pattern, os.fsencode(self.source), keep=max(len(place), len(quoted)))


def take(places: Places, path: str, target: Path) -> bool:
    """Move an output out of the step's folder to `target`; say whether it was there.

    Raises:
        StepError: it is a link, not what was asked for, or lies elsewhere.
    """
    found = places.path(path)
    if not os.path.lexists(found):
        return False
    if Path(os.path.realpath(found)) != found:
        raise StepError(f"output {path!r} is or goes through a link")
    fits = found.is_dir() if path.endswith("/") else found.is_file()
    if not fits or any(_odd(each) for each in found.rglob("*")):
        raise StepError(f"output {path!r} is no {'folder' if path.endswith('/') else 'file'}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(found, target)
    return True


def _odd(path: Path) -> bool:
    return path.is_symlink() or not (path.is_dir() or path.is_file())


def _own(root: Path, path: str) -> Path:
    parts = PurePosixPath(path).parts
    if parts[:1] != ("/",) or len(parts) == 1 or ".." in parts:
        raise StepError(f"{path!r} has no place on this host")
    return root.joinpath("own", *parts[1:])


def _linked(place: Path, folder: Path) -> Path:
    """Let `place` stand for a folder of this host, for tools that come to it from above."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(folder.resolve(), target_is_directory=True)
    return folder


def _source(source: str, tree: Path) -> dict[str, Path]:
    """Return where the copy, and the folder that holds nothing else, lie."""
    parent = str(PurePosixPath(source).parent)
    return {source: tree} if parent == "/" else {source: tree, parent: tree.parent}


def _under(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def _mentions(file: Path, text: bytes) -> bool:
    rest = b""
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if text in rest + chunk:
                return True
            rest = chunk[-len(text) :]
    return False


def _replace(file: Path, pattern: re.Pattern[bytes], new: bytes, *, keep: int) -> None:
    """Rewrite the file piece by piece; the end of each is held back, it may hold half a path."""
    copy = file.with_name(file.name + ".restored")
    with file.open("rb") as stream, copy.open("xb") as out:
        rest = b""
        while chunk := stream.read(_CHUNK):
            text = pattern.sub(lambda _: new, rest + chunk)
            cut = max(0, len(text) - keep)
            out.write(text[:cut])
            rest = text[cut:]
        out.write(pattern.sub(lambda _: new, rest))
    copy.replace(file)
