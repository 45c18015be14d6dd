"""How an image of the lab is made: from a root folder, or upon another one."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import engine

LABEL = "scanrun-lab"


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its official name, what fills its root folder, and Dockerfile instructions."""

    reference: str
    fill: Callable[[Path], None]
    config: tuple[str, ...] = ()
    owners: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Folders that don't belong to root, with user and group."""
    sources: tuple[Path, ...] = ()
    """Files that say how it is made. They count as a whole: they are short."""

    @property
    def recipe(self) -> str:
        """Return a hash over the recipe."""
        return _hash(self.reference, *self.config, *(file.read_text() for file in self.sources))

    def make(self) -> None:
        """Lay out the root folder and import it."""
        with TemporaryDirectory() as folder:
            root = Path(folder)
            self.fill(root)
            config = (*self.config, f"LABEL {LABEL}={self.recipe}")
            with engine.importing(self.reference, config) as stream:
                pack(root, stream, self.owners)


@dataclass(frozen=True, slots=True)
class Upon:
    """An image upon another: with instructions that an import doesn't know, or with more files."""

    reference: str
    base: Image
    config: tuple[str, ...]
    add: Callable[[tarfile.TarFile], None] | None = None
    """Writes more files into the build's context, for an `ADD` in `config`."""
    sources: tuple[Path, ...] = ()

    @property
    def recipe(self) -> str:
        """Return a hash over the recipe, that of the other image included."""
        texts = (file.read_text() for file in self.sources)
        return _hash(self.reference, self.base.recipe, *self.config, *texts)

    def make(self) -> None:
        """Let the engine build it."""
        lines = (f"FROM {self.base.reference}", *self.config, f"LABEL {LABEL}={self.recipe}")
        dockerfile = "\n".join(lines).encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        with engine.building(self.reference) as context:
            context.addfile(entry, io.BytesIO(dockerfile))
            if self.add:
                self.add(context)


def build(image: Image | Upon) -> bool:
    """Make `image` unless the engine has it from the same recipe, and say whether it was made."""
    if engine.label(image.reference, LABEL) == image.recipe:
        return False
    old = engine.image_id(image.reference)
    image.make()
    engine.forget(old)
    return True


def pack(root: Path, tar: tarfile.TarFile, owners: Mapping[str, tuple[int, int]]) -> None:
    """Write all of `root` into `tar`, with one time: the same tree, same bytes."""
    for each in sorted(root.iterdir()):
        tar.add(each, each.name, filter=partial(_plain, owners))


def _plain(owners: Mapping[str, tuple[int, int]], entry: tarfile.TarInfo) -> tarfile.TarInfo:
    inside = (
        owner for folder, owner in owners.items() if f"{entry.name}/".startswith(f"{folder}/")
    )
    entry.uid, entry.gid = next(inside, (0, 0))
    entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]
