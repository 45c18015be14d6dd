"""The real Trivy, on a real engine, with the lab's small database."""

import json
from pathlib import Path

import pytest

from scanrun.cli.app import run
from scanrun.model import Snapshot, Target
from scanrun_plugins.engines.local.places import Places
from scanrun_plugins.scanners.trivy.image import TrivyImage
from scanrun_plugins.scanners.trivy.tree import Trivy

LOCK = {
    "name": "app",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "app", "version": "1.0.0", "dependencies": {"minimist": "1.2.5"}},
        "node_modules/minimist": {"version": "1.2.5"},
    },
}


@pytest.fixture
def scan(tmp_path, lab):
    """Return a function that scans files on the docker engine and returns code and verdict."""
    config = tmp_path / "lab.toml"
    tables = "".join(
        f'[scanner.{name}]\ndb_repository = "{lab["db_repository"]}"\n'
        for name in ("trivy", "trivy-image")
    )
    config.write_text(tables)

    def call(name, files, *more):
        tree = tmp_path / "tree"
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        code = run(
            ["scan", name, str(tree), "--engine", "docker", "--config", str(config), "-q", *more]
        )
        verdict = json.loads((tree / ".scanrun" / "verdict.json").read_text())
        return code, verdict, verdict["scanners"][0]

    return call


def host_places(scanner, tmp_path):
    target = Target(
        snapshot=Snapshot(root=Path()), image="x", options=scanner.options().model_dump()
    )
    step = next(each for each in scanner.steps(target) if each.caches)
    (tmp_path / "edition").mkdir()
    return Places.of(step, tmp_path / "root", None, {"trivy-db-2": tmp_path / "edition"})


@pytest.mark.parametrize("scanner", [Trivy(), TrivyImage()], ids=lambda each: each.name)
def test_on_a_host_the_database_lies_below_the_cache_folder(scanner, tmp_path):
    places = host_places(scanner, tmp_path)

    assert Path(places.text("/cache"), "db").samefile(tmp_path / "edition")


@pytest.mark.docker
@pytest.mark.lab
def test_a_vulnerable_package_in_a_folder_named_dev_fails_the_gate(scan):
    code, verdict, trivy = scan("trivy", {"dev/package-lock.json": json.dumps(LOCK)})

    assert (code, verdict["status"]) == (1, "failed")
    assert verdict["counts"]["critical"] == 1
    assert trivy["evidence"]["canary"] == "found"
    assert trivy["evidence"]["kinds"] == {"lock file": 1}


@pytest.mark.docker
@pytest.mark.lab
def test_a_clean_tree_passes_with_its_canary_found(scan):
    code, verdict, trivy = scan("trivy", {"README.md": "nothing\n"})

    assert (code, verdict["status"]) == (0, "passed")
    assert trivy["evidence"]["canary"] == "found"


@pytest.mark.docker
@pytest.mark.lab
def test_a_lock_file_that_trivy_can_not_parse_is_incomplete(scan):
    code, verdict, trivy = scan("trivy", {"a/package-lock.json": json.dumps(LOCK)[:150]})

    assert (code, verdict["status"]) == (3, "incomplete")
    assert trivy["evidence"]["missing"] == ["a/package-lock.json"]


@pytest.mark.docker
@pytest.mark.lab
def test_an_image_of_the_engine_is_scanned_by_name(scan):
    code, verdict, image = scan("trivy-image", {"a": ""}, "--image", "python:3.11-slim")

    assert (code, verdict["status"]) == (1, "failed")
    assert image["findings"] >= 1
    assert image["evidence"]["canary"] == "found"


@pytest.mark.docker
@pytest.mark.lab
def test_an_image_in_which_nothing_can_be_checked_is_incomplete(scan):
    code, verdict, image = scan("trivy-image", {"a": ""}, "--image", "busybox:1.35")

    assert (code, verdict["status"]) == (3, "incomplete")
    assert image["evidence"]["canary"] == "found"
