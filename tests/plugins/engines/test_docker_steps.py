"""Steps on the real engine: what goes in, what comes out, what is kept away from them."""

import os
import threading
import uuid

import pytest
import requests

from scanrun.api import (
    CANARY_DIR,
    DeadlineError,
    EngineLostError,
    InterruptedRunError,
    Limits,
    MissingToolError,
    Snapshot,
    SnapshotFile,
    StepError,
)
from scanrun_plugins.engines.docker.step import StepRun

pytestmark = pytest.mark.docker


def test_the_snapshot_arrives_read_only_with_its_canaries(session, shell, tree):
    session.share(tree({"app/main.py": b"print(1)\n"}), {f"{CANARY_DIR}/x/bad.py": b"eval(x)\n"})

    outcome = shell(
        session, f"cat /src/app/main.py /src/{CANARY_DIR}/x/bad.py; touch /src/new", source="/src"
    )

    said = set(outcome.log.read_text().splitlines())
    assert said == {"print(1)", "eval(x)", "touch: /src/new: Read-only file system"}


def test_names_that_are_no_utf8_arrive_byte_for_byte(session, shell, tmp_path):
    (tmp_path / "raw").mkdir()
    name = "caf\udce9 \u2603 " + "x" * 120
    (tmp_path / "raw" / name).write_bytes(b"here")
    session.share(Snapshot(root=tmp_path / "raw", files=(SnapshotFile(name, 4),)), {})

    outcome = shell(session, "cd /src; echo * > /out/names", source="/src", outputs=("/out/names",))

    names = outcome.outputs["/out/names"].read_bytes()
    assert names == os.fsencode(name) + b"\n"


def test_a_vanished_file_is_skipped_and_told(session, shell, tree):
    snapshot = tree({"a.py": b"1", "b.py": b"2"})
    (snapshot.root / "a.py").unlink()
    session.share(snapshot, {})

    outcome = shell(session, "ls /src", source="/src")

    assert outcome.log.read_text() == "b.py\n"
    assert "'a.py' vanished" in outcome.lost[0]


def test_all_hardening_is_in_place_inside(session, shell):
    limits = Limits(memory_mb=64, pids=33, scratch_mb=7)

    outcome = shell(
        session,
        "id -u; cat /proc/self/status /sys/fs/cgroup/memory/memory.limit_in_bytes "
        "/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max "
        "/proc/mounts; touch /etc/x; touch /tmp/ok && echo scratch $HOME $TMPDIR",
        limits=limits,
    )

    said = outcome.log.read_text()
    assert "1000" in said.splitlines()
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert {str(64 << 20), "33"} <= set(said.splitlines())
    assert "size=7168k" in said
    assert "touch: /etc/x: Read-only file system" in said
    assert "scratch /tmp /tmp" in said


def test_a_step_has_no_network_unless_it_declares_one(session, shell):
    alone = shell(session, "ls /sys/class/net")
    linked = shell(session, "ls /sys/class/net", network=True)

    assert alone.log.read_text().split() == ["lo"]
    assert "eth0" in linked.log.read_text().split()


def test_proxies_and_nothing_else_of_the_caller_reach_a_step_with_a_network(open_run, shell):
    caller = {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "localhost", "TOKEN": "made-up"}
    session = open_run(pull="never", environment=caller)

    linked = shell(session, "export", network=True).log.read_text()
    alone = shell(session, "export").log.read_text()

    assert "HTTPS_PROXY='http://proxy:3128'" in linked
    assert "no_proxy='localhost'" in linked
    assert "TOKEN" not in linked
    assert "PROXY" not in alone


def test_a_limit_that_the_engine_drops_stops_the_step(session, shell, monkeypatch):
    inspect = session._containers.api.inspect_container

    def without_pids(container):
        found = inspect(container)
        found["HostConfig"]["PidsLimit"] = None
        return found

    monkeypatch.setattr(session._containers.api, "inspect_container", without_pids)

    with pytest.raises(StepError, match="does not enforce: process limit"):
        shell(session, "echo never")


def test_files_made_for_a_step_arrive_beside_what_the_image_has_there(session, shell, tmp_path):
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"archive")
    (tmp_path / "link.tar").symlink_to(archive)

    outcome = shell(
        session,
        "cat /etc/own.conf /in/deep/image.tar; ls /etc/marker",
        files={"/etc/own.conf": b"mine\n"},
        host_files={"/in/deep/image.tar": tmp_path / "link.tar"},
    )

    assert outcome.log.read_text() == "mine\narchive/etc/marker\n"


def test_outputs_are_files_and_folders(session, shell):
    outcome = shell(
        session,
        "echo 1 > /out/report.json; mkdir -p /out/db/sub; echo 2 > /out/db/sub/x",
        outputs=("/out/report.json", "/out/db/"),
        optional_outputs=("/out/maybe",),
    )

    assert outcome.outputs["/out/report.json"].read_text() == "1\n"
    assert (outcome.outputs["/out/db/"] / "sub" / "x").read_text() == "2\n"
    assert "/out/maybe" not in outcome.outputs


def test_an_output_may_lie_below_the_scratch_folder(session, shell):
    outcome = shell(session, "echo 1 > /tmp/out/r; touch /tmp/x", outputs=("/tmp/out/r",))

    assert outcome.outputs["/tmp/out/r"].read_text() == "1\n"


def test_a_report_that_is_part_of_the_image_is_no_answer(session, shell):
    with pytest.raises(StepError, match=r"left no '/baked/report\.json'"):
        shell(session, "true", outputs=("/baked/report.json",))


def test_a_missing_output_is_an_error_with_the_last_words_made_harmless(session, shell):
    with pytest.raises(StepError) as caught:
        shell(
            session,
            r"echo -e '\033[31mno rules\033[0m \033]0;owned\007 found' >&2",
            outputs=("/out/r",),
        )

    assert str(caught.value) == "'probe' ended with 0 and left no '/out/r'; it said: no rules found"


def test_the_exit_code_is_told_even_when_there_is_no_output(session, shell):
    outcome = shell(session, "exit 42", outputs=("/out/r",))

    assert outcome.exit_code == 42
    assert dict(outcome.outputs) == {}


def test_a_program_that_is_not_in_the_image_ends_with_127(session, shell):
    outcome = shell(session, "", entrypoint=("/no/such/program",))

    assert outcome.exit_code == 127
    assert "/no/such/program" in outcome.log.read_text()


def test_a_working_folder_that_can_not_be_made_is_an_error(session, shell):
    with pytest.raises(StepError, match="the engine refused"):
        shell(session, "true", workdir="/etc/marker")


@pytest.mark.parametrize(
    "line", ["ln -s /etc/passwd /out/r", "mkdir /out/r"], ids=["link", "folder"]
)
def test_an_output_that_is_no_regular_file_is_refused(session, shell, line):
    with pytest.raises(StepError, match="'/out/r'"):
        shell(session, line, outputs=("/out/r",))


def test_a_link_in_an_output_folder_is_refused(session, shell):
    with pytest.raises(StepError, match="neither a regular file nor a folder"):
        shell(session, "mkdir /out/d; ln -s / /out/d/root", outputs=("/out/d/",))


def test_outputs_larger_than_allowed_are_refused(session, shell):
    with pytest.raises(StepError, match="larger than 2 MB"):
        shell(
            session,
            "dd if=/dev/zero of=/out/a bs=1M count=1; dd if=/dev/zero of=/out/b bs=1M count=2",
            outputs=("/out/a", "/out/b"),
            limits=Limits(output_mb=2),
        )


def test_stdout_is_captured_whole_though_the_engine_rotates_its_logs(session, shell):
    outcome = shell(
        session,
        "yes 0123456789 | head -n 600000; echo on stderr >&2",
        outputs=("/report",),
        stdout="/report",
    )

    assert outcome.outputs["/report"].read_bytes() == b"0123456789\n" * 600_000
    assert outcome.log.read_text() == "on stderr\n"


def test_a_step_that_prints_without_end_is_stopped(session, shell):
    with pytest.raises(StepError, match="printed more than 1 MB"):
        shell(session, "yes", limits=Limits(log_mb=1), timeout_s=60)


def test_the_deadline_kills(session, shell, client):
    with pytest.raises(DeadlineError, match=r"longer than 0\.5 s"):
        shell(session, "trap '' TERM; while true; do sleep 1; done", timeout_s=0.5)

    run = {"label": f"scanrun.run={session._settings.run_id}"}
    assert client.containers.list(all=True, filters=run) == []


def test_a_cancelled_step_is_killed_and_removed(session, shell, client):
    cancel = threading.Event()
    threading.Timer(0.8, cancel.set).start()

    with pytest.raises(InterruptedRunError):
        shell(session, "sleep 60", cancel=cancel)

    run = {"label": f"scanrun.run={session._settings.run_id}"}
    assert client.containers.list(all=True, filters=run) == []


def test_a_child_killed_for_memory_is_seen_though_the_exit_code_is_0(session, shell):
    outcome = shell(
        session,
        "dd if=/dev/zero of=/tmp/fill bs=1M count=60; exit 0",
        limits=Limits(memory_mb=24, scratch_mb=100),
    )

    assert (outcome.exit_code, outcome.oom_killed) == (0, True)


def test_a_step_that_lost_its_engine_says_so(session, shell, monkeypatch):
    def gone(*_args, **_more):
        raise requests.exceptions.ChunkedEncodingError("connection broken")

    monkeypatch.setattr(session._containers.api, "wait", gone)

    with pytest.raises(EngineLostError, match="waiting for 'probe'"):
        shell(session, "echo 1")


def test_files_that_are_not_on_the_engine_stop_the_step(session, shell, tree, monkeypatch, client):
    session.share(tree({"a": b"1"}), {})
    empty = client.volumes.create(f"scanrun-test-{uuid.uuid4().hex}")
    config = StepRun._config

    def with_an_empty_source(self, layout, made, shared):
        found = config(self, layout, made, shared)
        found["HostConfig"]["Mounts"][-1]["Source"] = empty.name
        return found

    monkeypatch.setattr(StepRun, "_config", with_an_empty_source)

    with pytest.raises(EngineLostError, match="'/src' are not on the engine"):
        shell(session, "true", source="/src")
    empty.remove()


def test_no_image_and_no_leave_to_pull_is_a_missing_tool(session, shell):
    with pytest.raises(MissingToolError, match="is not here, and is not to be pulled"):
        shell(session, "true", image="scanrun-test/none:1")
