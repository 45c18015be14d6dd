"""`scanrun lock` with an engine that answers from a table."""

import json

import pytest

from scanrun.cli.app import run
from scanrun.lockfile import LOCK_NAME, read_lock, write_lock

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"

PLUGIN = """
import json, os
from pathlib import Path
from scanrun.api import Applies, Isolation, MissingToolError, hookimpl

KNOWN = json.loads((Path(__file__).parent / "registry.json").read_text())


class Registry:
    endpoint, version = "registry", "1"
    isolation = Isolation(network=True, limits=True, summary="")

    def __init__(self, settings):
        assert not settings.digests

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def digest(self, reference):
        if reference not in KNOWN:
            raise MissingToolError(f"image {reference!r} is not known")
        return KNOWN[reference]

    def export(self, reference, archive):
        raise NotImplementedError

    locate = prepare = share = run = close = None


class Engine:
    name, runs = "fake", "image"

    def open(self, settings):
        return Registry(settings)

    def diagnose(self, settings):
        return iter(())


class Tool:
    def __init__(self, name, image, **more):
        self.name, self.image, self.more = name, image, more
        self.category = "sast"

    def applies(self, target):
        return Applies(yes=False, reason="what the tree holds", configured=self.name != "unset")

    def steps(self, target):
        from scanrun.api import Step
        return (Step(image=self.image, **self.more),)

    def convert(self, outputs):
        return iter(())


class Rare(Tool):
    on_request, embedded = True, False


@hookimpl
def scanrun_register_engines():
    return [Engine()]


@hookimpl
def scanrun_register_scanners():
    return [
        Tool("usual", "tools/usual:1"),
        Tool("homemade", "tools/homemade:1", pulled=False),
        Rare("rare", "tools/rare:1"),
        Tool("unset", "tools/unset:1"),
    ]
"""


@pytest.fixture
def lock(tmp_path):
    """Return a function that runs `scanrun lock` where a registry knows some images."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "fake_registry.py").write_text(PLUGIN)
    tree = tmp_path / "tree"
    tree.mkdir()

    def run_lock(known, *args, config=""):
        skip = ["bandit", "dependency-check", "detect-secrets", "ruff", "sonar", "trivy"]
        skip += ["trivy-image", "zizmor"]
        scan = f'[scan]\nengine = "fake"\nskip = {json.dumps(skip)}\n'
        (tree / "scanrun.toml").write_text(scan + config)
        (plugins / "registry.json").write_text(json.dumps(known))
        return run(["lock", str(tree), "--plugin", str(plugins / "fake_registry.py"), *args])

    run_lock.tree = tree
    return run_lock


def test_the_images_of_the_default_set_are_locked(lock, capsys):
    code = lock({"tools/usual:1": ONE})

    assert code == 0
    assert read_lock(lock.tree) == {"tools/usual:1": ONE}
    assert f"tools/usual:1: not locked -> {ONE}" in capsys.readouterr().err


def test_a_scanner_that_is_required_or_configured_is_locked(lock):
    known = {"tools/usual:2": TWO, "tools/rare:1": ONE}

    code = lock(known, config='[scanner.usual]\nimage = "tools/usual:2"\n[scanner.rare]\nargs = []')

    assert code == 0
    assert read_lock(lock.tree) == known


def test_an_image_that_does_not_resolve_is_an_error_and_nothing_is_written(lock, capsys):
    code = lock({})

    assert code == 3
    assert "'tools/usual:1' is not known" in capsys.readouterr().err
    assert not (lock.tree / LOCK_NAME).exists()


def test_check_passes_when_nothing_would_change(lock):
    lock({"tools/usual:1": ONE})

    assert lock({"tools/usual:1": ONE}, "--check") == 0


def test_check_fails_when_an_image_has_moved_and_writes_nothing(lock, capsys):
    lock({"tools/usual:1": ONE})

    code = lock({"tools/usual:1": TWO}, "--check")

    assert code == 1
    assert "out of date" in capsys.readouterr().err
    assert read_lock(lock.tree) == {"tools/usual:1": ONE}


def test_what_is_no_longer_used_is_taken_out(lock):
    write_lock(lock.tree, {"tools/old:1": ONE, "tools/usual:1": ONE})

    lock({"tools/usual:1": TWO})

    assert read_lock(lock.tree) == {"tools/usual:1": TWO}


def test_a_lock_file_that_is_not_understood_is_not_overwritten(lock):
    (lock.tree / LOCK_NAME).write_text("mine")

    assert lock({"tools/usual:1": ONE}) == 2
    assert (lock.tree / LOCK_NAME).read_text() == "mine"
