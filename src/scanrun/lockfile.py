"""Which image is meant by a reference? `scanrun.lock` says it by digest, and is obeyed."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanrun.errors import ConfigError
from scanrun.files import written

LOCK_NAME = "scanrun.lock"
_VERSION = 1
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_REFERENCE = re.compile(r"[!-~]+\Z")
_HINT = "write it again with `scanrun lock`"
_COMMENT = (
    "# Which image each reference means. Written by `scanrun lock`; commit it.\n"
    "# An image with another digest is not used, whatever its tag.\n"
)


def lock_folder(root: Path, config: Path | None) -> Path:
    """Return where scanrun.lock belongs: beside the configuration, else in the scanned root."""
    return config.parent if config else root


def read_lock(folder: Path) -> dict[str, str]:
    """Return reference -> digest; nothing where there is no lock file.

    Raises:
        ConfigError: there is one, and it says anything that is not understood.
    """
    path = folder / LOCK_NAME
    if not path.exists() and not path.is_symlink():
        return {}
    if not path.is_file():
        raise ConfigError(f"{str(path)!r} is no file", hint=_HINT)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(path)!r} can't be read: {error}", hint=_HINT) from error
    return _checked(content, path)


def render_lock(digests: Mapping[str, str]) -> str:
    """Return the file's text: the same digests give the same text."""
    # a TOML basic string is a JSON string, as long as it is plain ASCII
    lines = (f"{json.dumps(name)} = {json.dumps(digests[name])}\n" for name in sorted(digests))
    return f"{_COMMENT}version = {_VERSION}\n\n[images]\n{''.join(lines)}"


def write_lock(folder: Path, digests: Mapping[str, str]) -> Path:
    """Write the lock file, whole or not at all, and return its path.

    Raises:
        ConfigError: a reference or a digest that no lock file could hold.
        OutputError: it can't be written.
    """
    path = folder / LOCK_NAME
    _checked({"version": _VERSION, "images": dict(digests)}, path)
    with written(path) as stream:
        stream.write(render_lock(digests).encode("ascii"))
    return path


def _checked(content: Mapping[str, Any], path: Path) -> dict[str, str]:
    unknown = sorted({*content} - {"version", "images"})
    if unknown:
        raise ConfigError(f"{str(path)!r}: unknown key {unknown[0]!r}", hint=_HINT)
    version = content.get("version")
    if type(version) is not int or version != _VERSION:
        raise ConfigError(f"{str(path)!r}: version is {version!r}, not {_VERSION}", hint=_HINT)
    images = content.get("images")
    if not isinstance(images, dict):
        raise ConfigError(f"{str(path)!r}: there is no table 'images'", hint=_HINT)
    for reference, digest in images.items():
        if not _REFERENCE.match(reference):
            raise ConfigError(f"{str(path)!r}: {reference!r} is no image reference", hint=_HINT)
        if not isinstance(digest, str) or not _DIGEST.match(digest):
            raise ConfigError(f"{str(path)!r}: {reference!r} has no digest", hint=_HINT)
    return dict(images)
