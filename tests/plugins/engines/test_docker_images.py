"""Images from a real registry on loopback: pulled, pinned, mirrored, refused."""

import hashlib
import io
import json
import socket
import subprocess
import tarfile
import threading
import time
import urllib.request
import uuid

import pytest

from scanrun.api import InterruptedRunError, MissingToolError, Step
from scanrun.cli.app import run
from scanrun.lockfile import read_lock
from scanrun.plugins import load_plugins

pytestmark = pytest.mark.docker

CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def registry(tmp_path_factory, program):
    """Return host and port of a registry that lives as long as this module's tests."""
    serve = program("docker-registry", "docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    config = folder / "config.yml"
    config.write_text(CONFIG.format(root=folder / "data", port=port))
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([serve, "serve", config], stdout=log, stderr=log) as process,
    ):
        wait_for(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}"
        process.terminate()


def wait_for(url):
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer")


@pytest.fixture
def push(client, registry, make_image):
    """Return a function that pushes an image, forgets it on the engine, and returns its digest."""

    def push(reference, *, marker="a"):
        make_image(reference, marker=marker)
        lines = client.api.push(reference, stream=True, decode=True)
        digests = [line["aux"]["Digest"] for line in lines if "aux" in line]
        forget(client, reference)
        return digests[0]

    yield push
    for image in client.images.list():
        names = image.attrs["RepoDigests"] or image.attrs["RepoTags"]
        if names and all(name.startswith(registry) for name in names):
            client.images.remove(image.id, force=True)


def forget(client, reference):
    client.images.remove(reference, force=True)


@pytest.fixture
def name(registry):
    return f"{registry}/tools/scanner-{uuid.uuid4().hex[:8]}:1.2"


def prepared(session, reference, **more):
    return session.prepare(Step(image=reference, **more), threading.Event())


def test_an_image_is_pulled_when_it_is_missing(open_run, push, name, shell):
    digest = push(name)
    session = open_run()

    planned = session.locate(Step(image=name))
    located = prepared(session, name)

    assert (planned.problem, planned.note, planned.version) == ("", "to be pulled", "1.2")
    assert (located.digest, located.version) == (digest, "1.2")
    assert shell(session, "cat /etc/marker", image=name).log.read_text() == "a"


@pytest.mark.parametrize("more", [{"pull": "never"}, {"offline": True}])
def test_a_missing_image_that_may_not_be_pulled_is_a_problem(open_run, push, name, more):
    push(name)
    session = open_run(**more)

    assert "not here" in session.locate(Step(image=name)).problem
    with pytest.raises(MissingToolError, match="not here"):
        prepared(session, name)


def test_an_image_that_no_registry_has_is_not_asked_for(open_run, push, name):
    push(name)

    located = open_run().locate(Step(image=name, pulled=False))

    assert "no registry has it" in located.problem


def test_the_local_image_is_used_unless_always_pulled(open_run, push, name, client):
    old = push(name, marker="old")
    prepared(open_run(), name)
    new = push_again(client, push, name)

    assert prepared(open_run(), name).digest == old
    assert prepared(open_run(pull="always"), name).digest == new


def push_again(client, push, name):
    """Push another image under the name, through another tag, so that the local one stays."""
    kept = client.images.get(name)
    kept.tag("scanrun-test/kept", "1")
    digest = push(name, marker="new")
    client.images.get("scanrun-test/kept:1").tag(*name.rsplit(":", 1))
    client.images.remove("scanrun-test/kept:1")
    return digest


def test_the_lock_is_obeyed_though_the_tag_has_moved(open_run, push, name, shell):
    locked = push(name, marker="locked")
    push(name, marker="moved")
    session = open_run(digests={name: locked})

    planned = session.locate(Step(image=name))
    located = prepared(session, name)

    assert planned.note == "to be pulled, pinned by scanrun.lock"
    assert located.digest == locked
    assert shell(session, "cat /etc/marker", image=name).log.read_text() == "locked"


def test_a_local_image_with_another_digest_than_locked_is_not_used(open_run, push, name):
    push(name)
    prepared(open_run(), name)
    session = open_run(digests={name: f"sha256:{'0' * 64}"}, pull="never")

    assert "with the digest of scanrun.lock" in session.locate(Step(image=name)).problem
    with pytest.raises(MissingToolError, match=r"digest of scanrun\.lock"):
        prepared(session, name)


def test_a_locked_digest_that_the_registry_does_not_have_is_an_error(open_run, push, name):
    push(name)
    session = open_run(digests={name: f"sha256:{'0' * 64}"})

    with pytest.raises(MissingToolError, match="can't be pulled"):
        prepared(session, name)


def test_a_mirror_stands_in_for_the_hub(open_run, push, registry, shell):
    hub_name = f"tools/mirrored-{uuid.uuid4().hex[:8]}:3"
    digest = push(f"{registry}/mirror/{hub_name}")
    session = open_run(mirror=f"{registry}/mirror", digests={hub_name: digest})

    located = prepared(session, hub_name)

    assert located.digest == digest
    assert session.digest(hub_name) == digest
    assert shell(session, "cat /etc/marker", image=hub_name).log.read_text() == "a"


def test_digests_are_looked_up_without_pulling(open_run, push, name, client):
    digest = push(name)
    session = open_run()

    assert session.digest(name) == digest
    assert name not in [tag for image in client.images.list() for tag in image.tags]


def test_an_image_that_the_registry_does_not_know_has_no_digest(open_run, name):
    with pytest.raises(MissingToolError, match="can't be pulled"):
        open_run().digest(name)


def test_offline_nothing_is_looked_up(open_run, name):
    with pytest.raises(MissingToolError, match="offline"):
        open_run(offline=True).digest(name)


def test_two_scanners_with_one_image_pull_once(open_run, push, name, monkeypatch):
    push(name)
    session = open_run()
    pulled = []
    pull = session._connection.api.pull
    monkeypatch.setattr(
        session._connection.api,
        "pull",
        lambda *words, **more: pulled.append(words) or pull(*words, **more),
    )
    threads = [threading.Thread(target=prepared, args=(session, name)) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(pulled) == 1


def test_a_pull_that_stalls_can_be_cancelled(open_run, name, monkeypatch):
    session = open_run()
    cancel = threading.Event()
    free = threading.Event()

    def stalled(*_words, **_more):
        cancel.set()
        free.wait()
        yield {}

    monkeypatch.setattr(session._connection.api, "pull", stalled)

    with pytest.raises(InterruptedRunError):
        session.prepare(Step(image=name), cancel)
    free.set()


def test_an_image_is_exported_as_docker_save_does(session, image, tmp_path):
    session.export(image, tmp_path / "image.tar")

    with tarfile.open(tmp_path / "image.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
    assert manifest[0]["RepoTags"] == [image]


def foreign_image(name):
    """Return a `docker save` archive of an empty image for another processor."""
    layer = b"\0" * 10240
    files = {
        "layer.tar": layer,
        "config.json": json.dumps(
            {
                "architecture": "s390x",
                "os": "linux",
                "config": {},
                "rootfs": {
                    "type": "layers",
                    "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
                },
            }
        ).encode(),
        "manifest.json": json.dumps(
            [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        ).encode(),
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def test_an_image_for_another_processor_is_told(session, client):
    name = f"scanrun-test/foreign:{uuid.uuid4().hex[:12]}"
    client.images.load(foreign_image(name))

    located = session.locate(Step(image=name))

    client.images.remove(name)
    assert located.note.startswith("built for linux/s390x, the engine is linux/")


def test_a_reference_that_is_none_is_a_problem_not_a_crash(session):
    assert "invalid reference" in session.locate(Step(image="No:Such:Thing")).problem


def test_the_lock_command_asks_the_registry_and_is_obeyed(
    open_run, push, registry, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCANRUN_MIRROR", f"{registry}/mirror")
    hub_name = f"tools/locked-{uuid.uuid4().hex[:8]}:3"
    first = push(f"{registry}/mirror/{hub_name}", marker="first")
    skip = sorted(load_plugins(scanned=tmp_path).scanners)
    (tmp_path / "scanrun.toml").write_text(
        f'[scan]\nengine = "docker"\nskip = {json.dumps(skip)}\n'
        f'[scanner.mine]\nimage = "{hub_name}"\n'
    )

    code = run(["lock", str(tmp_path)])

    assert code == 0
    assert read_lock(tmp_path) == {hub_name: first}
    push(f"{registry}/mirror/{hub_name}", marker="second")
    assert run(["lock", str(tmp_path), "--check"]) == 1
    session = open_run(mirror=f"{registry}/mirror", digests=read_lock(tmp_path))
    assert prepared(session, hub_name).digest == first
