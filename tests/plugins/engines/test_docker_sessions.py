"""Whose things lie on the engine: shared copies, databases, neighbours, the dead."""

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from scanrun.api import KeepsThings, ResolvesImages, Step, StepError
from scanrun_plugins.engines.docker import DockerEngine, reaping
from scanrun_plugins.engines.docker.owner import EXPIRES, OWNER, RUN, Owner
from scanrun_plugins.engines.docker.volumes import CACHE

pytestmark = pytest.mark.docker

DEAD = """
import os
from scanrun_plugins.engines.docker.owner import Owner
print(Owner.here())
"""


def labelled(client, label):
    chosen = {"label": label}
    return [
        *client.containers.list(all=True, filters=chosen),
        *client.volumes.list(filters=chosen),
        *client.networks.list(filters=chosen),
    ]


def dead_owner():
    """Return the owner label of a process that is gone."""
    done = subprocess.run([sys.executable, "-c", DEAD], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def leave_behind(client, image):
    """Return a function that leaves a container, a volume and a network with an owner's labels."""
    runs = []

    def leave(owner, *, expires):
        run = f"{RUN}=test-{uuid.uuid4().hex}"
        labels = dict([run.split("="), (OWNER, owner), (EXPIRES, str(expires))])
        client.containers.create(image, ["/bin/sleep", "9"], labels=labels)
        client.volumes.create(f"scanrun-test-{uuid.uuid4().hex}", labels=labels)
        client.networks.create(f"scanrun-test-{uuid.uuid4().hex}", labels=labels)
        runs.append(run)
        return run

    yield leave
    for run in runs:
        for thing in labelled(client, run):
            thing.remove()


@pytest.fixture
def database(tmp_path, client):
    """Return name and folder of a database; its volumes are removed at the end."""
    folder = tmp_path / "db"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "trivy.db").write_bytes(b"edition 1")
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name, folder
    for volume in client.volumes.list(filters={"label": f"{CACHE}={name}"}):
        volume.remove()


def _with_cache(session, shell, name, folder):
    return shell(session, "cat /db/sub/trivy.db", caches={name: folder}, step_caches={"/db/": name})


def test_a_session_resolves_images_and_keeps_things(session):
    assert isinstance(session, ResolvesImages)
    assert isinstance(session, KeepsThings)


def test_nothing_is_left_after_close(session, shell, tree, client):
    session.share(tree({"a": b"1"}), {})
    shell(session, "touch /out/r", source="/src", outputs=("/out/r",), network=True)
    run = f"{RUN}={session._settings.run_id}"
    during = labelled(client, run)

    session.close()
    session.close()

    assert during
    assert labelled(client, run) == []


def test_the_copy_is_made_once_for_steps_that_start_together(session, shell, tree, client):
    session.share(tree({"a": b"1"}), {})

    with ThreadPoolExecutor(4) as pool:
        lines = ["cat /src/a"] * 4
        logs = list(pool.map(lambda line: shell(session, line, source="/src").log, lines))

    assert [log.read_text() for log in logs] == ["1"] * 4
    assert len(client.volumes.list(filters={"label": f"{RUN}={session._settings.run_id}"})) == 1


def test_empty_folders_of_located_steps_are_made_with_the_copy_one_for_each_step(
    session, shell, tree, client, image
):
    session.share(tree({"a": b"1"}), {})
    more = {"source": "/src", "outputs": ("/out/r",)}
    for _ in range(2):
        session.locate(Step(image=image, **more))

    with ThreadPoolExecutor(3) as pool:  # one more than were located: it gets a volume of its own
        lines = [f"ls /out; echo {number} > /out/r" for number in range(3)]
        outcomes = list(pool.map(lambda line: shell(session, line, **more), lines))
    session._containers.settle()

    assert [each.outputs["/out/r"].read_text() for each in outcomes] == ["0\n", "1\n", "2\n"]
    assert [each.log.read_text() for each in outcomes] == ["", "", ""]
    assert len(client.volumes.list(filters={"label": f"{RUN}={session._settings.run_id}"})) == 3


def test_only_a_plain_file_has_a_size(session, image):
    shelf = session._containers.shelf(image, [], scanner="test")

    sizes = [
        session._containers.size(shelf, path)
        for path in ("/etc/marker", "/etc", "/bin/sh", "/etc/nothing")
    ]

    assert sizes == [1, None, None, None]


def test_two_sessions_side_by_side_see_their_own_files(open_run, shell, tree):
    first, second = open_run(pull="never"), open_run(pull="never")
    first.share(tree({"a": b"first"}), {})
    second.share(tree({"a": b"other"}), {})
    shell(second, "cat /src/a", source="/src")

    second.close()
    outcome = shell(first, "ls /src/a", source="/src")

    assert outcome.log.read_text() == "/src/a\n"


def test_a_database_is_copied_once_and_kept(open_run, shell, client, database):
    name, folder = database
    logs = []
    for _ in range(2):
        session = open_run(pull="never")
        logs.append(_with_cache(session, shell, name, folder).log.read_text())
        session.close()

    assert logs == ["edition 1"] * 2
    assert len(client.volumes.list(filters={"label": f"{CACHE}={name}"})) == 1


def test_a_new_edition_takes_the_place_of_the_old_one(open_run, shell, client, database):
    name, folder = database
    with open_run(pull="never") as session:
        _with_cache(session, shell, name, folder)
    (folder / "sub" / "trivy.db").write_bytes(b"edition two")

    with open_run(pull="never") as session:
        outcome = _with_cache(session, shell, name, folder)

    assert outcome.log.read_text() == "edition two"
    assert len(client.volumes.list(filters={"label": f"{CACHE}={name}"})) == 1


def test_a_database_that_was_copied_in_part_is_copied_again(open_run, shell, client, database):
    name, folder = database
    with open_run(pull="never") as session:
        _with_cache(session, shell, name, folder)
    (whole,) = client.volumes.list(filters={"label": f"{CACHE}={name}"})
    whole.remove()
    client.volumes.create(whole.name, labels=whole.attrs["Labels"])

    with open_run(pull="never") as session:
        outcome = _with_cache(session, shell, name, folder)

    assert outcome.log.read_text() == "edition 1"


def test_a_database_in_use_by_a_neighbour_stays(database, open_run, shell, client):
    name, folder = database
    neighbour = open_run(pull="never")
    _with_cache(neighbour, shell, name, folder)
    (used,) = client.volumes.list(filters={"label": f"{CACHE}={name}"})
    (folder / "sub" / "trivy.db").write_bytes(b"edition two")

    _with_cache(open_run(pull="never"), shell, name, folder)

    assert used in client.volumes.list(filters={"label": f"{CACHE}={name}"})


def test_a_database_that_nobody_gave_is_an_error(session, shell):
    with pytest.raises(StepError, match="needs database 'trivy-db'"):
        shell(session, "true", step_caches={"/db": "trivy-db"})


def test_clear_removes_what_is_kept_and_unused(open_run, shell, client, database, monkeypatch):
    name, folder = database
    # what others keep on this engine is not ours to remove
    monkeypatch.setattr(reaping, "KEPT", f"{CACHE}={name}")
    with open_run(pull="never") as session:
        _with_cache(session, shell, name, folder)
    (volume,) = client.volumes.list(filters={"label": f"{CACHE}={name}"})

    lines = open_run(pull="never").clear()

    assert f"volume {volume.name}" in lines
    assert client.volumes.list(filters={"label": f"{CACHE}={name}"}) == []


def test_what_a_dead_process_of_this_host_left_is_removed_at_open(open_run, client, leave_behind):
    run = leave_behind(dead_owner(), expires=2**40)

    open_run(pull="never")

    assert labelled(client, run) == []


def test_what_was_left_before_this_host_was_started_again_is_removed(
    open_run, client, leave_behind
):
    here = Owner.here()
    run = leave_behind(f"{here.host}:other-boot:{here.pid}:{here.started}", expires=2**40)

    open_run(pull="never")

    assert labelled(client, run) == []


@pytest.mark.parametrize("expires", [1, 2**40])
def test_a_live_neighbour_of_this_host_is_not_touched(open_run, client, leave_behind, expires):
    run = leave_behind(str(Owner.here()), expires=expires)

    open_run(pull="never")

    assert len(labelled(client, run)) == 3


def test_another_hosts_things_go_only_past_their_expiry(open_run, client, leave_behind):
    other = "f" * 16 + ":boot:1:2"
    expired = leave_behind(other, expires=1)
    running = leave_behind(other, expires=2**40)

    open_run(pull="never")

    assert labelled(client, expired) == []
    assert len(labelled(client, running)) == 3


def test_a_closed_session_leaves_a_neighbours_step_running(open_run, shell):
    first, second = open_run(pull="never"), open_run(pull="never")
    with ThreadPoolExecutor(1) as pool:
        step = pool.submit(shell, first, "sleep 1; echo done")

        second.close()

        assert step.result().log.read_text() == "done\n"


def test_doctor_tells_engine_hardening_and_leftovers(settings, leave_behind):
    leave_behind(dead_owner(), expires=2**40)

    checks = {check.name: check for check in DockerEngine().diagnose(settings())}

    assert checks["engine"].ok is True
    assert "cgroup v" in checks["engine"].detail
    assert checks["hardening"].ok is True
    assert "left by dead runs" in checks["leftovers"].detail


def test_doctor_says_that_there_is_no_engine(settings, tmp_path):
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}

    (check,) = DockerEngine().diagnose(settings(environment=nowhere))

    assert check.ok is False
    assert "not there" in check.detail
