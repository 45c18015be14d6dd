"""The program, a tree for it, and things that a test may break."""

import subprocess
from pathlib import Path

import pytest
from harness import Program, need_root
from own_engines import OwnEngine, OwnPodman, new_folder
from relay import Relay


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("fault")


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "app.py").write_text("import subprocess\nsubprocess.call('ls', shell=True)\n")
    return folder


@pytest.fixture
def program(tree, tmp_path):
    return Program(tree, tmp_path / "scanrun-test.toml")


@pytest.fixture
def relay(tmp_path):
    """Return a function that starts relays; all are cut at the end."""
    started = []

    def start(**more):
        if "tls" not in more:
            more["path"] = tmp_path / f"relay-{len(started)}.sock"
        started.append(Relay(**more))
        return started[-1]

    yield start
    for each in started:
        each.cut()


@pytest.fixture
def small_disk(tmp_path):
    """Return a function that mounts a small file system; all are unmounted at the end."""
    need_root("mount", "umount")
    mounted = []

    def mount(options):
        place = tmp_path / f"disk-{len(mounted)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", place], check=True)
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(scope="session")
def own_engine():
    """Return an engine that a test may stop, kill and start again."""
    need_root("dockerd", "unshare")
    engine = OwnEngine(new_folder())
    engine.start()
    engine.load("busybox:1.35")
    yield engine
    engine.remove()


@pytest.fixture(scope="session")
def podman():
    """Return a Podman service of the tests' own."""
    need_root("podman", "catatonit", "runc", "docker")
    service = OwnPodman(new_folder())
    service.start()
    service.load("busybox:1.35")
    yield service
    service.remove()
