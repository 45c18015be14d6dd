"""Images: archives that are not whole, and systems of which nothing is known."""

import gzip
import json

import pytest
from java_files import ALPINE, digest, packed, saved
from trivy_files import npm

pytestmark = pytest.mark.lab

KNOWN = "CVE-2021-44906"
INSTALLED = {"app/node_modules/minimist/package.json": '{"name":"minimist","version":"1.2.5"}'}


def oci(layer):
    """Return an archive in the other form, which has no `manifest.json`."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        }
    ).encode()
    parts = {"config": config, "layer": layer}
    named = {name: {"digest": digest(part), "size": len(part)} for name, part in parts.items()}
    manifest = json.dumps(
        {"schemaVersion": 2, "config": named["config"], "layers": [named["layer"]]}
    ).encode()
    index = {"schemaVersion": 2, "manifests": [{"digest": digest(manifest), "size": len(manifest)}]}
    blobs = (config, layer, manifest)
    return packed(
        {
            "oci-layout": '{"imageLayoutVersion": "1.0.0"}',
            "index.json": json.dumps(index),
            **{f"blobs/sha256/{digest(each)[7:]}": each for each in blobs},
        }
    )


@pytest.fixture
def scan(trivy, tmp_path):
    def call(archive):
        path = tmp_path / "image.tar"
        path.write_bytes(archive)
        options = ("--image", str(path), "--fail-on", "never")
        return trivy.scan({"a": ""}, *options, scanner="trivy-image")

    return call


WHOLE = packed(ALPINE | INSTALLED)
OTHER = packed({"a": "b"})
BIG = packed(INSTALLED | {"big": "x" * 4096})
BROKEN = {
    "trivy-2h-01": (saved(OTHER), "no operating system was recognised"),
    "trivy-2h-04a": (saved(WHOLE)[:2048], "exit code 1"),
    "trivy-2h-04b": (b"garbage" * 500, "exit code 1"),
    "trivy-2h-04c": (b"", "exit code 1"),
    "trivy-2h-05": (saved(BIG[:2000], diff_ids=[digest(BIG)]), "exit code 1"),
    "trivy-2h-06": (saved(WHOLE, diff_ids=[digest(BIG)]), f"'layer {digest(WHOLE)}'"),
    "trivy-2h-06b": (
        saved(WHOLE, OTHER, diff_ids=[digest(WHOLE)]),
        f"'layer {digest(OTHER)}'",
    ),
    "trivy-2h-06c": (
        saved(gzip.compress(WHOLE), diff_ids=[digest(OTHER)]),
        f"'layer {digest(WHOLE)}'",
    ),
    "trivy-2h-07": (oci(WHOLE), "exit code 1"),
}


@pytest.mark.parametrize("row", BROKEN)
def test_an_image_that_is_not_whole_or_holds_nothing_is_incomplete(row, scan):
    archive, reason = BROKEN[row]

    answer = scan(archive)

    assert answer.code == 3
    assert reason in answer.reason


@pytest.fixture(scope="module")
def alpine(trivy, tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "image.tar"
    path.write_bytes(saved(packed(ALPINE | INSTALLED | {"app/package-lock.json": npm()})))
    return trivy.scan({"a": ""}, "--image", str(path), scanner="trivy-image")


def test_a_system_past_its_end_of_life_is_told(alpine):
    assert alpine.told("is past its end of life")


def test_lock_files_that_an_image_scan_does_not_read_are_told(alpine):
    assert alpine.told("lock files are not")


def test_a_system_that_the_database_does_not_know_is_told(scan):
    answer = scan(saved(packed(ALPINE | INSTALLED | {"etc/alpine-release": "3.22.0\n"})))

    assert answer.complete
    assert answer.told("no vulnerability is known in any package of alpine 3.22.0")


def test_a_release_that_trivy_does_not_know_is_told(scan):
    answer = scan(saved(packed(ALPINE | INSTALLED | {"etc/alpine-release": "3.99.0\n"})))

    assert answer.told("this release is too new for this Trivy, or unknown")


def test_for_which_processor_an_image_is_is_told(scan):
    answer = scan(saved(WHOLE, architecture="arm64"))

    assert answer.complete, answer.reason
    assert answer.told("the image is for arm64")


PACKED = {
    "trivy-2h-09a": saved(gzip.compress(WHOLE), OTHER, WHOLE, diff_ids=[
        digest(WHOLE), digest(OTHER), digest(WHOLE)]),
    "trivy-2h-09b": gzip.compress(saved(WHOLE)),
}  # fmt: skip


@pytest.mark.parametrize("row", PACKED)
def test_a_packed_layer_or_archive_is_scanned_and_its_layers_accounted_for(row, scan):
    answer = scan(PACKED[row])

    assert answer.complete, answer.reason
    assert KNOWN in {rule for rule, _ in answer.found}
    assert answer.evidence["kinds"]["layer"] == len({WHOLE, OTHER}) - (row == "trivy-2h-09b")


def test_an_image_that_no_engine_has_is_incomplete(trivy, tmp_path):
    (tmp_path / "layout").mkdir()
    for image in ("a:1", str(tmp_path / "layout")):
        answer = trivy.scan({"a": ""}, "--image", image, scanner="trivy-image")

        assert answer.code == 3
        assert "has no images" in answer.reason
