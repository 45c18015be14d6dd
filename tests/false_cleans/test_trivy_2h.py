"""Images: archives that are not whole, and systems of which nothing is known."""

import hashlib
import io
import json
import tarfile

import pytest
from trivy_files import npm

pytestmark = pytest.mark.lab

APK = "P:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n\n"
ALPINE = {"etc/alpine-release": "3.10.0\n", "lib/apk/db/installed": APK}
INSTALLED = {"app/node_modules/minimist/package.json": '{"name":"minimist","version":"1.2.5"}'}


def packed(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def image(files, change=lambda layer: layer):
    layer = packed(files)
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["layer.tar"]}]
    return packed(
        {
            "c.json": json.dumps(config),
            "layer.tar": change(layer),
            "manifest.json": json.dumps(manifest),
        }
    )


@pytest.fixture
def scan(trivy, tmp_path):
    def call(archive):
        path = tmp_path / "image.tar"
        path.write_bytes(archive)
        return trivy.scan({"a": ""}, "--image", str(path), scanner="trivy-image")

    return call


BROKEN = {
    "trivy-2h-01": image({"a": "b"}),
    "trivy-2h-04a": image(INSTALLED)[:2048],
    "trivy-2h-04b": b"garbage" * 500,
    "trivy-2h-04c": b"",
    "trivy-2h-05": image(INSTALLED | {"big": "x" * 4096}, lambda layer: layer[:2000]),
}


@pytest.mark.parametrize("row", BROKEN)
def test_an_image_that_is_not_whole_or_holds_nothing_is_incomplete(row, scan):
    answer = scan(BROKEN[row])

    assert answer.code == 3
    assert not answer.complete


@pytest.fixture(scope="module")
def alpine(trivy, tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "image.tar"
    path.write_bytes(image(ALPINE | INSTALLED | {"app/package-lock.json": npm()}))
    return trivy.scan({"a": ""}, "--image", str(path), scanner="trivy-image")


def test_a_system_past_its_end_of_life_is_told(alpine):
    assert alpine.told("is past its end of life")


def test_lock_files_that_an_image_scan_does_not_read_are_told(alpine):
    assert alpine.told("lock files are not")


def test_a_system_that_the_database_does_not_know_is_told(scan):
    answer = scan(image(ALPINE | INSTALLED | {"etc/alpine-release": "3.22.0\n"}))

    assert answer.complete
    assert answer.told("no vulnerability is known in any package of alpine 3.22.0")
