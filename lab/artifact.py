"""Pushes Trivy's database to a registry, as the OCI artifact that `--db-repository` names."""

import gzip
import hashlib
import io
import json
import tarfile
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

CONFIG_TYPE = "application/vnd.aquasec.trivy.config.v1+json"
LAYER_TYPE = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def push(folder: Path, registry: str, repository: str, tag: str) -> str:
    """Push the database in `folder` to `registry` (plain http) and return the digest."""
    base = f"http://{registry}/v2/{repository}"
    layer = {"mediaType": LAYER_TYPE} | _upload(base, _pack(folder))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE} | _upload(base, b"{}"),
        "layers": [layer | {"annotations": {"org.opencontainers.image.title": "db.tar.gz"}}],
    }
    content = json.dumps(manifest).encode()
    answer = _send("PUT", f"{base}/manifests/{tag}", content, MANIFEST_TYPE)
    return str(answer["Docker-Content-Digest"])


def ping(registry: str) -> None:
    """Ask `registry` whether it is one; an OSError says no."""
    _send("GET", f"http://{registry}/v2/", None, "")


def _pack(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("metadata.json", "trivy.db"):
            tar.add(folder / name, name)
    return gzip.compress(packed.getvalue(), mtime=0)


def _upload(base: str, blob: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    place = _send("POST", f"{base}/blobs/uploads/", b"", "")["Location"]
    glue = "&" if "?" in place else "?"
    _send("PUT", f"{place}{glue}digest={digest}", blob, "application/octet-stream")
    return {"size": len(blob), "digest": digest}


def _send(method: str, url: str, body: bytes | None, kind: str) -> Message:
    headers = {"Content-Type": kind} if kind else {}
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - see `base`
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        found: Message = answer.headers
        return found
