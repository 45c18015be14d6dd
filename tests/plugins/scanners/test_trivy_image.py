import io
import json
import tarfile
from pathlib import Path

import pytest

from scanrun.api import CANARY_DIR, Notification, Outputs, Result
from scanrun.model import Snapshot, Target
from scanrun_plugins.scanners.trivy.archive import canary_archive
from scanrun_plugins.scanners.trivy.command import REPORT, ImageOptions
from scanrun_plugins.scanners.trivy.image import CANARY_REPORT, TrivyImage

DATA = Path(__file__).parents[1] / "data" / "trivy"
END_OF_LIFE = {REPORT: DATA / "image-eol.json", CANARY_REPORT: DATA / "image-canary.json"}


def target(image="a/b:1", archive=None, **options):
    return Target(
        snapshot=Snapshot(root=Path()),
        image=image,
        archive=archive,
        options=ImageOptions(**options).model_dump(),
    )


def converted(paths, **options):
    given = Outputs(paths, options=ImageOptions(**options).model_dump())
    return list(TrivyImage().convert(given))


def notes(items):
    """Return what is more than a note."""
    found = (item for item in items if isinstance(item, Notification))
    return [(item.level, item.text) for item in found if item.level != "note"]


def rule_ids(items):
    return [item.rule_id for item in items if isinstance(item, Result)]


def edited(tmp_path, name, edit):
    report = json.loads(END_OF_LIFE[name].read_text())
    edit(report)
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(report))
    return {**END_OF_LIFE, name: path}


def test_it_applies_only_where_an_image_is_named():
    assert not TrivyImage().applies(target(image=None)).yes
    assert TrivyImage().applies(target()).yes


def test_the_image_comes_as_an_archive_and_nothing_else_is_mounted(tmp_path):
    canary, scan = TrivyImage().steps(target(archive=tmp_path / "x.tar"))

    assert scan.argv[:1] == ("image",)
    assert scan.argv[-2:] == ("--input", "/in/image.tar")
    assert scan.host_files == {"/in/image.tar": tmp_path / "x.tar"}
    assert canary.argv[-2:] == ("--input", "/in/canary.tar")
    assert {canary.source, scan.source} == {None}
    assert not canary.network | scan.network


def test_the_java_database_is_had_only_where_it_is_asked_for():
    trivy = TrivyImage()

    assert [each.name for each in trivy.databases(target())] == ["trivy-db-2"]
    assert [each.name for each in trivy.databases(target(java=True))] == [
        "trivy-db-2",
        "trivy-java-db-1",
    ]
    assert trivy.databases(target(scanners=("secret",))) == ()
    assert "/cache/java-db" in trivy.steps(target(java=True))[1].caches
    assert "java = true" in trivy.applies(target()).reason


def test_the_canary_image_is_the_same_each_time_and_whole():
    archive = canary_archive()

    assert archive == canary_archive()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert {"manifest.json", "layer.tar"} < {*tar.getnames()}


def proven(paths):
    return TrivyImage().proven(Outputs(paths, options=ImageOptions().model_dump()))


def test_reports_conform(check_scanner):
    assert check_scanner(TrivyImage(), END_OF_LIFE) == []


def test_what_the_canary_image_holds_is_proof_and_left_out():
    items = converted(END_OF_LIFE, scanners=("vuln", "secret", "misconfig"))

    assert rule_ids(items) == []
    assert proven(END_OF_LIFE) == TrivyImage().canary().rule_ids
    assert not TrivyImage().canary().files


@pytest.mark.parametrize("folder", [CANARY_DIR, f"{CANARY_DIR}/trivy-image", f"tree/{CANARY_DIR}"])
def test_an_image_hides_nothing_in_a_folder_named_like_ours(tmp_path, folder):
    def vulnerable(report):
        found = {"VulnerabilityID": "CVE-2020-1", "PkgName": "x", "Severity": "HIGH"}
        target = f"{folder}/package-lock.json"
        report["Results"].append(
            {"Target": target, "Class": "lang-pkgs", "Type": "npm", "Vulnerabilities": [found]}
        )

    items = converted(edited(tmp_path, REPORT, vulnerable))

    assert rule_ids(items) == ["CVE-2020-1"]


@pytest.mark.parametrize(
    ("kind", "what"), [("Vulnerabilities", "its database"), ("Secrets", "its secret scanner")]
)
def test_a_canary_image_in_which_nothing_is_found_is_an_error(tmp_path, kind, what):
    def empty(report):
        for section in report["Results"]:
            section.pop(kind, None)

    paths = edited(tmp_path, CANARY_REPORT, empty)
    items = converted(paths)

    assert not proven(paths)
    assert [text.startswith(what) for level, text in notes(items) if level == "error"] == [True]


def test_an_operating_system_past_its_end_is_told():
    ((level, text),) = notes(converted(END_OF_LIFE))

    assert level == "warning"
    assert text.startswith("alpine 3.10.2 is past its end of life")


def test_no_operating_system_is_told(tmp_path):
    items = converted(edited(tmp_path, REPORT, lambda report: report["Metadata"].pop("OS")))

    assert [(level, "no operating system" in text) for level, text in notes(items)] == [
        ("warning", True)
    ]


def test_an_image_in_which_nothing_is_recognised_is_an_error(tmp_path):
    def bare(report):
        del report["Metadata"]["OS"], report["Results"]

    items = converted(edited(tmp_path, REPORT, bare))

    assert {level for level, _ in notes(items)} == {"error"}


def test_a_package_of_the_system_stands_on_the_images_name_without_its_tag(tmp_path):
    def vulnerable(report):
        report["Results"][0]["Vulnerabilities"] = [
            {"VulnerabilityID": "CVE-2020-1", "PkgName": "busybox", "Severity": "LOW"}
        ]

    items = converted(edited(tmp_path, REPORT, vulnerable))

    found = next(item for item in items if isinstance(item, Result))
    assert found.locations[0].physical_location.artifact_location.uri == "x/y"
    assert (
        next(item for item in items if not isinstance(item, Result)).properties["category"]
        == "container"
    )
