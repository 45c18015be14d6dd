import gzip
import hashlib
import io
import json
import tarfile

from scanrun.api import Input
from scanrun_plugins.scanners.trivy.layers import layers

LAYER = b"what a layer holds"


def named(data):
    return Input(f"layer sha256:{hashlib.sha256(data).hexdigest()}", "layer")


def archive(folder, files, links=()):
    path = folder / "image.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for name, target in links:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return path


def manifest(*names):
    return ("manifest.json", json.dumps([{"Layers": names}]).encode())


def test_layers_are_named_by_what_they_hold_packed_or_not(tmp_path):
    files = [("a.tar", LAYER), ("b.tar", gzip.compress(b"other")), manifest("a.tar", "b.tar")]

    assert layers(archive(tmp_path, files)) == (named(LAYER), named(b"other"))


def test_a_layer_that_is_a_link_is_the_one_it_points_to(tmp_path):
    files = [("a/layer.tar", LAYER), manifest("b/layer.tar")]

    found = layers(archive(tmp_path, files, [("b/layer.tar", "../a/layer.tar")]))

    assert found == (named(LAYER),)


def test_of_two_entries_with_one_name_the_first_counts(tmp_path):
    files = [("a.tar", LAYER), ("a.tar", b"other"), manifest("a.tar")]

    assert layers(archive(tmp_path, files)) == (named(LAYER),)


def test_a_layer_that_is_not_there_or_cut_off_is_never_accounted_for(tmp_path):
    files = [("cut.tar", gzip.compress(LAYER)[:-9]), manifest("gone.tar", "cut.tar", "loop")]

    found = layers(archive(tmp_path, files, [("loop", "loop")]))

    assert [each.path for each in found] == ["layer gone.tar", "layer cut.tar", "layer loop"]


def test_what_is_no_archive_is_never_accounted_for(tmp_path):
    for number, data in enumerate((b"", b"garbage" * 500, gzip.compress(b"x")[:12])):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(data)

        assert layers(path) == (Input(path.name, "image archive"),)


def test_an_archive_whose_manifest_says_nothing_sensible_is_never_accounted_for(tmp_path):
    for text in (b"{", b"{}", b"[[]]", b'[{"Layers": 7}]'):
        path = archive(tmp_path, [("manifest.json", text)])

        assert layers(path) == (Input(path.name, "image archive"),)


def test_a_layer_packed_with_zstandard_is_left_out(tmp_path):
    files = [("a.tar", b"\x28\xb5\x2f\xfd" + LAYER), manifest("a.tar")]

    assert layers(archive(tmp_path, files)) == ()
