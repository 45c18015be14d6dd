"""A real engine with a tiny image: busybox, imported, so that no registry is needed."""

import io
import os
import shutil
import tarfile
import threading
import uuid
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from scanrun.api import EngineSettings, Snapshot, SnapshotFile, Step
from scanrun_plugins.engines.docker.session import open_session

APPLETS = (
    "sh",
    "cat",
    "id",
    "ls",
    "sleep",
    "wget",
    "dd",
    "mkdir",
    "ln",
    "touch",
    "yes",
    "head",
    "tee",
)


@pytest.fixture(scope="session")
def program():
    """Return a function that finds a program; without it, tests are skipped, but not in CI."""

    def find(name, package):
        found = shutil.which(name)
        if found is None and os.environ.get("TEST_REQUIRE_ENGINE"):
            pytest.fail(f"no {name} here: install {package}")
        if found is None:
            pytest.skip(f"no {name} here: install {package}")
        return Path(found)

    return find


def busybox_rootfs(program: bytes, *, marker: str) -> bytes:
    """Return a root filesystem; `marker` makes its digest another one."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for folder in ("bin", "tmp", "etc", "baked"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
        for name in ("data", "data/seed"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.uid = tarfile.DIRTYPE, 0o770, 1000
            tar.addfile(entry)
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
        for name in ("etc/marker", "baked/report.json"):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(marker), 0o644
            tar.addfile(entry, io.BytesIO(marker.encode()))
    return stream.getvalue()


@pytest.fixture(scope="session")
def client():
    client = docker.from_env(timeout=60)
    yield client
    client.close()


@pytest.fixture(scope="session")
def make_image(client, program):
    """Return a function that imports an image under a name; all are removed at the end."""
    made = []
    busybox = program("busybox", "busybox-static").read_bytes()

    def make(reference, *, marker="a"):
        repository, _, tag = reference.rpartition(":")
        data = busybox_rootfs(busybox, marker=marker)
        client.api.import_image_from_data(data, repository=repository, tag=tag)
        made.append(reference)
        return reference

    yield make
    for reference in made:
        with suppress(docker.errors.ImageNotFound):
            client.images.remove(reference, force=True)


@pytest.fixture(scope="session")
def image(make_image):
    return make_image(f"scanrun-test/busybox:{uuid.uuid4().hex[:12]}")


@pytest.fixture
def settings(tmp_path):
    """Return a function that makes the settings of a run, each with its own id."""

    def make(**more):
        scratch = tmp_path / f"scratch-{uuid.uuid4().hex[:6]}"
        scratch.mkdir(mode=0o700)
        environment = {"PATH": os.environ["PATH"], **more.pop("environment", {})}
        if host := os.environ.get("DOCKER_HOST"):
            environment.setdefault("DOCKER_HOST", host)
        run_id = f"test-{uuid.uuid4().hex}"
        return EngineSettings(run_id=run_id, scratch=scratch, environment=environment, **more)

    return make


@pytest.fixture
def open_run(settings):
    """Return a function that opens sessions, closed at the test's end."""
    opened = []

    def make(**more):
        session = open_session(settings(**more))
        opened.append(session)
        return session

    yield make
    for session in opened:
        session.close()


@pytest.fixture
def session(open_run):
    return open_run(pull="never")


@pytest.fixture
def tree(tmp_path):
    """Return a function that writes files and returns their snapshot."""

    def make(files):
        root = tmp_path / "tree"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        found = (SnapshotFile(name, len(content)) for name, content in sorted(files.items()))
        root.mkdir(exist_ok=True)
        return Snapshot(root=root, files=tuple(found))

    return make


@pytest.fixture
def shell(image, tmp_path):
    """Return a function that runs a line of shell as a step."""

    def run(
        session,
        line,
        *,
        name="probe",
        caches=None,
        step_caches=None,
        cancel=None,
        beside=(),
        **more,
    ):
        more.setdefault("source", None)
        more.setdefault("image", image)
        more.setdefault("entrypoint", ("/bin/sh", "-c"))
        step = Step(argv=(line,), caches=step_caches or {}, **more)
        folder = tmp_path / f"step-{uuid.uuid4().hex[:6]}"
        folder.mkdir()
        return session.run(
            step,
            name=name,
            caches=caches or {},
            folder=folder,
            cancel=cancel or threading.Event(),
            beside=beside,
        )

    return run
