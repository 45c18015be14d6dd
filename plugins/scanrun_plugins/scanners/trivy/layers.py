"""The layers of an image archive, hashed here: Trivy takes each for what the image says it is."""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from scanrun.api import Input

KIND = "layer"
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 4 * 2**20
_MOST_MEMBERS = 100_000
_MOST_LINKS = 8
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"

_Members = Mapping[str, tarfile.TarInfo]


class _Image(msgspec.Struct, rename="pascal"):
    layers: list[str] | None = None


def layers(archive: Path) -> tuple[Input, ...]:
    """Return the layers by what they really hold: `layer sha256:…`, of each once unpacked.

    One that can't be read is named as the archive names it, which no report ever does. One packed
    with Zstandard is left out: nothing here unpacks it.
    """
    try:
        with tarfile.open(archive) as tar:
            members = _members(tar)
            names = _names(tar, members)
            found = [_named(tar, members, name) for name in names]
    except (OSError, EOFError, ValueError, tarfile.TarError, zlib.error, msgspec.MsgspecError):
        return (Input(archive.name, "image archive"),)
    return tuple(dict.fromkeys(Input(each, KIND) for each in found if each))


def named(digest: str) -> str:
    """Return how a layer with this digest is called here."""
    return f"{KIND} {digest}"


def _members(tar: tarfile.TarFile) -> _Members:
    """Return name -> entry. Of two with one name Trivy reads the first."""
    found: dict[str, tarfile.TarInfo] = {}
    for number, member in enumerate(tar):
        if number >= _MOST_MEMBERS:
            raise ValueError("too many entries")
        found.setdefault(member.name, member)
    return found


def _names(tar: tarfile.TarFile, members: _Members) -> Iterator[str]:
    with _opened(tar, members, _MANIFEST) as stream:
        text = stream.read(_LARGEST_MANIFEST + 1)
    if len(text) > _LARGEST_MANIFEST:
        raise ValueError(_MANIFEST)
    for image in msgspec.json.decode(text, type=list[_Image]):
        yield from image.layers or ()


def _named(tar: tarfile.TarFile, members: _Members, name: str) -> str:
    try:
        with _opened(tar, members, name) as stream:
            head = stream.read(len(_ZSTANDARD))
            stream.seek(0)
            if head == _ZSTANDARD:
                return ""
            return named(f"sha256:{_digest(stream, packed=head.startswith(_GZIP))}")
    except (OSError, EOFError, ValueError, tarfile.TarError, zlib.error):
        return f"{KIND} {name}"


def _digest(stream: IO[bytes], *, packed: bool) -> str:
    found = hashlib.sha256()
    with gzip.open(stream) if packed else stream as content:
        while chunk := content.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _opened(tar: tarfile.TarFile, members: _Members, name: str) -> IO[bytes]:
    """Open an entry; a layer that an image has twice is a link to the first.

    Raises:
        ValueError: it is not there.
    """
    for _ in range(_MOST_LINKS):
        member = members.get(name)
        if member is None:
            break
        if member.issym():
            name = _joined(PurePosixPath(name).parent, member.linkname)
        elif member.islnk():
            name = member.linkname
        elif (stream := tar.extractfile(member)) is not None:
            return stream
        else:
            break
    raise ValueError(name)


def _joined(folder: PurePosixPath, link: str) -> str:
    parts = list(folder.parts)
    for part in PurePosixPath(link).parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
