"""Which files of a folder go to the engine's own builder, and how do they travel?"""

import stat
from collections.abc import Iterator
from pathlib import Path

from docker.utils.build import exclude_paths

from scanrun.api import StepError
from scanrun_plugins.engines.docker.packing import Packer, open_below
from scanrun_plugins.engines.docker.recipe import Recipe

IGNORES = ".dockerignore"
_MOST = 1 << 20


def context_pieces(recipe: Recipe) -> Iterator[bytes]:
    """Yield the pieces of the archive: what `.dockerignore` leaves, as it is, links as links.

    Raises:
        StepError: something can't be read, or changes meanwhile.
    """
    packer = Packer(".", uid=0)
    try:
        for name in sorted(_names(recipe)):
            yield from _piece(packer, recipe, name)
    except OSError as error:
        raise StepError(
            f"{error.filename!r} can't be read: {error.strerror}",
            hint="make it readable, or name it in .dockerignore",
        ) from error
    if packer.notes:
        raise StepError(packer.notes[0], hint="leave the folder alone while it is built")


def _piece(packer: Packer, recipe: Recipe, name: str) -> Iterator[bytes]:
    path = recipe.context / name
    status = path.lstat()
    if name == recipe.name:
        # a link may well lead to it: what it holds was read
        yield from packer.content(name, recipe.content)
    elif stat.S_ISDIR(status.st_mode):
        yield from packer.folder(name, stat.S_IMODE(status.st_mode))
    elif stat.S_ISLNK(status.st_mode):
        yield from packer.link(name, str(path.readlink()))
    elif stat.S_ISREG(status.st_mode):
        yield from packer.host_file(name, recipe.context, name, status.st_mode, exact=True)


def _names(recipe: Recipe) -> set[str]:
    found: set[str] = exclude_paths(str(recipe.context), _patterns(recipe.context), recipe.name)
    return found | {recipe.name}


def _patterns(context: Path) -> list[str]:
    if not (context / IGNORES).exists():
        return []
    stream = open_below(context, IGNORES)
    if stream is None:
        raise StepError(f"{IGNORES} is no plain file", hint="a link is not followed here")
    with stream:
        text = stream.read(_MOST).decode("utf-8", "surrogateescape")
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
