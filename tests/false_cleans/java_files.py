"""Jars, the index that says what they are, and images that hold them."""

import hashlib
import io
import json
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from datetime import UTC, datetime

APK = "P:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n\n"
ALPINE = {"etc/alpine-release": "3.10.0\n", "lib/apk/db/installed": APK}
LOG4J = ("org.apache.logging.log4j", "log4j-core", "2.14.1")
TABLES = """
CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT);
CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT, license TEXT);
"""


def packed(files):
    """Return a tar archive; names are taken as they are."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def saved(*layers, diff_ids=None, architecture="amd64"):
    """Return what `docker save` writes of an image with these layers."""
    names = [f"{number}.tar" for number, _ in enumerate(layers)]
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids or [digest(each) for each in layers]},
    }
    manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": names}]
    return packed(
        {
            "c.json": json.dumps(config),
            **dict(zip(names, layers, strict=True)),
            "manifest.json": json.dumps(manifest),
        }
    )


def jar(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def named_jar(group, name, version):
    """Return a jar that says what it is."""
    place = f"META-INF/maven/{group}/{name}/pom.properties"
    return jar({place: f"groupId={group}\nartifactId={name}\nversion={version}\n"})


def nested(levels, innermost):
    for _ in range(levels):
        innermost = jar({"lib/a.jar": innermost})
    return innermost


def java_index(folder, *libraries):
    """Write the index that knows these jars: group, name, version and content of each."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "trivy-java.db")) as database, database:
        database.executescript(TABLES)
        for number, (group, name, version, content) in enumerate(libraries):
            sha1 = hashlib.sha1(content, usedforsecurity=False).digest()
            database.execute("INSERT INTO artifacts VALUES (?, ?, ?)", (number, group, name))
            row = (number, version, sha1, "jar", "")
            database.execute("INSERT INTO indices VALUES (?, ?, ?, ?, ?)", row)
    now = datetime.now(UTC).isoformat()
    stamp = {"Version": 1, "UpdatedAt": now, "NextUpdate": now, "DownloadedAt": now}
    (folder / "metadata.json").write_text(json.dumps(stamp))
    return folder
