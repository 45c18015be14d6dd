"""A tiny image, made in memory, in which a working Trivy must find something known."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping

from scanrun_plugins.scanners.trivy.proof import CANARY_FILES

_FOLDER = "canary"
_INSTALLED = {
    f"{_FOLDER}/node_modules/minimist/package.json": b'{"name": "minimist", "version": "1.2.5"}',
    f"{_FOLDER}/lib/python3/site-packages/requests-2.19.1.dist-info/METADATA": (
        b"Metadata-Version: 2.1\nName: requests\nVersion: 2.19.1\n"
    ),
}
_JAR = f"{_FOLDER}/log4j-core.jar"
_PROPERTIES = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties"
_LIBRARY = "groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n"
_OF_JAVA = frozenset({"jar"})
_PROVEN = frozenset({"node-pkg", "python-pkg"})


def proven(*, java: bool) -> frozenset[str]:
    """Return the types of packages that the archive shows to be found.

    Most others need a whole program.
    """
    return _PROVEN | _OF_JAVA if java else _PROVEN


def canary_archive(*, java: bool = False) -> bytes:
    """Return a `docker save` archive, the same bytes each time; `java`: with a jar in it.

    In an image Trivy reads installed packages, not lock files. At a jar it stops where it has no
    Java database.
    """
    files = {f"{_FOLDER}/{name}": data for name, data in CANARY_FILES.items()}
    layer = _tar(files | _INSTALLED | ({_JAR: _jar()} if java else {}))
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


def _jar() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as jar:
        jar.writestr(zipfile.ZipInfo(_PROPERTIES), _LIBRARY)
    return stream.getvalue()


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
