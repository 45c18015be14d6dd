"""A tiny image, made in memory, in which a working Trivy must find something known."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping

from scanrun_plugins.scanners.trivy.proof import CANARY_FILES, VERSION, VULNERABLE

_FOLDER = "canary"
_PACKAGE = f"{_FOLDER}/node_modules/{VULNERABLE}/package.json"


def canary_archive() -> bytes:
    """Return a `docker save` archive, the same bytes each time.

    In an image Trivy reads installed packages, not lock files.
    """
    package = json.dumps({"name": VULNERABLE, "version": VERSION}).encode()
    files = {f"{_FOLDER}/{name}": data for name, data in CANARY_FILES.items()}
    layer = _tar(files | {_PACKAGE: package})
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
        }
    ).encode()
    name = f"{_digest(config)}.json"
    manifest = json.dumps(
        [{"Config": name, "RepoTags": ["scanrun-canary:1"], "Layers": ["layer.tar"]}]
    ).encode()
    return _tar({name: config, "layer.tar": layer, "manifest.json": manifest})


def _tar(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
