"""A scanner that goes wrong in its container costs itself, and nothing else."""

import hashlib
import json
import subprocess
import tarfile
from io import BytesIO

import pytest
from harness import GOOD, QUOTED, assert_costs_only_itself, hung, left_behind, shell, table

pytestmark = [pytest.mark.docker, pytest.mark.lab]

GROWS = "x=a; while :; do x=$x$x; done"


def test_out_of_memory_is_told(program):
    done = program.run(GOOD + shell("bad", GROWS, memory="64m"), "scan", "good,bad")

    assert_costs_only_itself(done, "137")
    assert "killed for its memory: raise `memory`" in done.shown


def test_child_out_of_memory_is_told_though_the_answer_looks_whole(program):
    line = f"(sh -c '{GROWS}'); {QUOTED}"

    done = program.run(GOOD + shell("bad", line, memory="64m", stdout=True), "scan", "good,bad")

    assert_costs_only_itself(done, "killed for its memory (64 MB)")
    assert "raise `memory` in [scanner.bad]" in done.shown


def test_more_processes_than_allowed_is_told(program):
    line = "for i in $(seq 400); do sleep 60 & done; wait"

    done = program.run(GOOD + shell("bad", line), "scan", "good,bad")

    assert_costs_only_itself(done, "can't fork")


def test_full_scratch_space_of_a_scanner_is_told(program):
    line = "dd if=/dev/zero of=/tmp/x bs=1M count=300"

    done = program.run(GOOD + shell("bad", line), "scan", "good,bad")

    assert_costs_only_itself(done, "No space left on device")


@pytest.mark.parametrize(
    "line",
    [
        "sleep 600",
        "trap '' TERM INT HUP; while :; do sleep 1; done",
        "exec >&- 2>&-; sleep 600",
        "while :; do sleep 600 & sleep 0.05; done",
    ],
    ids=["hangs", "ignores-sigterm", "closes-its-output", "forks"],
)
def test_scanner_that_does_not_end_is_stopped_at_its_deadline(program, line):
    done = program.run(GOOD + shell("bad", line, timeout="3s", stdout=True), "scan", "good,bad")

    assert_costs_only_itself(done, "ran longer than 3 s")
    assert "raise its `timeout`" in done.shown


def test_what_a_scanner_leaves_running_is_not_waited_for(program):
    line = f"sleep 600 & {QUOTED}"

    done = program.run(shell("bad", line, stdout=True), "scan", "bad")

    assert done.code == 0, done.shown
    assert left_behind(done.verdict["run_id"]) == []


def test_report_of_10_gb_is_not_fetched(program):
    line = "dd if=/dev/zero of=/out/report.sarif bs=1 count=1 seek=10G"

    done = program.run(GOOD + shell("bad", line), "scan", "good,bad")

    assert_costs_only_itself(done, "exit code")


@pytest.mark.slow_fault
def test_log_of_1_gb_is_not_kept(program):
    line = f"yes | head -c 1073741824 >&2; {QUOTED}"

    done = program.run(GOOD + shell("bad", line, stdout=True), "scan", "good,bad")

    assert_costs_only_itself(done, "printed more than 64 MB")


@pytest.mark.slow_fault
def test_answer_of_1_gb_is_read_in_bounded_time_and_never_clean(program):
    done = program.run(
        GOOD + shell("bad", "yes | head -c 1073741824", stdout=True, timeout="60s"),
        "scan",
        "good,bad",
    )

    assert_costs_only_itself(done)


def test_image_without_the_tool_is_told(program):
    done = program.run(GOOD + table("bad", "no-such-tool"), "scan", "good,bad")

    assert_costs_only_itself(done, "127", "no-such-tool")


def archive(files):
    """Return a tar of files, all of which may be run."""
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            made.addfile(entry, BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def foreign_image():
    """Return an image for another processor, with a program that only that one can run."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little")
    header += (183).to_bytes(2, "little") + (1).to_bytes(4, "little") + bytes(40)
    name, layer = "scanrun-test/foreign:1", archive({"scan": header})
    layers = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    config = {"architecture": "arm64", "os": "linux", "config": {}, "rootfs": layers}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    parts = {"config.json": config, "manifest.json": manifest}
    image = archive({**{k: json.dumps(v).encode() for k, v in parts.items()}, "layer.tar": layer})
    subprocess.run(["docker", "load"], input=image, check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "rmi", "--force", name], check=True, capture_output=True)


def test_image_for_another_processor_is_told(program, foreign_image):
    done = program.run(GOOD + table("bad", "/scan", image=foreign_image), "scan", "good,bad")

    assert_costs_only_itself(done, "127", "exec /scan failed")
    (planned,) = (line for line in done.err.splitlines() if foreign_image in line)
    assert "built for linux/arm64, the engine is linux/" in planned
    assert "try: its image is built for linux/arm64" in done.shown


def test_registry_that_is_down_is_told(program):
    done = program.run(
        GOOD + table("bad", "x", image="127.0.0.1:9/none/scanner:1"), "scan", "good,bad"
    )

    assert_costs_only_itself(done, "can't be pulled", "refused")
    assert "check the name, the registry login" in done.shown


@pytest.mark.parametrize("answer", ["", "{", '{"runs": []}', "panic: oom", "\\0\\0", "[1]"])
def test_nonsense_for_an_answer_is_never_clean(program, answer):
    done = program.run(GOOD + shell("bad", f"printf '{answer}'", stdout=True), "scan", "good,bad")

    assert_costs_only_itself(done)


def test_scanner_that_completes_beside_one_that_hangs_is_written_whole(program):
    done = program.run(GOOD + hung(timeout="2s"), "scan", "good,bad")

    ended = {
        run["tool"]["driver"]["name"]: run["invocations"][0]["executionSuccessful"]
        for run in done.log["runs"]
    }
    assert ended == {"good": True, "bad": False}
