"""Disks, folders and caches of this host that fail: told, and never a clean scan."""

import json
import shutil
import subprocess
import tempfile

import pytest
from harness import GOOD, HERE, Done, assert_costs_only_itself, hung, left_behind, shell

from scanrun.errors import OutputError
from scanrun.scratch import scratch_folder

pytestmark = [pytest.mark.docker, pytest.mark.lab]

SCAN = ("scan", "good,bad", "--engine", "docker")
LARGE = "yes | head -c 4000000 > /out/report.sarif"


def test_full_scratch_disk_costs_the_scanner_that_needed_it(program, small_disk):
    disk = small_disk("size=2m")

    done = program.run(GOOD + shell("bad", LARGE), *SCAN, TMPDIR=disk)

    assert_costs_only_itself(done, "No space left on device")
    assert list(disk.iterdir()) == []


def test_full_scratch_disk_while_a_log_grows_is_told(program, small_disk):
    disk = small_disk("size=2m")

    done = program.run(GOOD + shell("bad", "yes | head -c 9000000"), *SCAN, TMPDIR=disk)

    assert_costs_only_itself(done, "No space left on device")


def test_no_room_for_a_scratch_folder_is_an_error_before_anything_begins(small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk("size=64k,nr_inodes=1")))

    with pytest.raises(OutputError, match="No space left") as caught, scratch_folder("run"):
        pass

    assert "TMPDIR" in caught.value.hint


@pytest.mark.parametrize("inodes", [4, 8, 12, 16, 24])
def test_scratch_disk_without_inodes_is_told(program, small_disk, inodes):
    disk = small_disk(f"size=8m,nr_inodes={inodes}")

    done = program.run(GOOD + HERE, "scan", "good,bandit", TMPDIR=disk)

    assert done.code in {2, 3}, done.shown
    assert "Traceback" not in done.shown
    assert "No space left on device" in done.shown
    assert "try: " in done.shown
    assert done.verdict["status"] == "incomplete"


def test_output_folder_that_is_not_writable_is_an_error(program, small_disk):
    disk = small_disk("size=1m,ro")

    done = program.run(GOOD, "scan", "good", "--output", disk / "out", output=disk / "out")

    assert done.code == 2, done.shown
    assert "Read-only file system" in done.err
    assert "choose another folder with --output" in done.err


def test_full_output_folder_is_incomplete_and_never_an_old_passed(program, small_disk):
    disk = small_disk("size=16k")
    text = "x" * 120_000
    sarif = (
        '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"b"}},"results":['
        '{"ruleId":"R","message":{"text":"%s"},"level":"note"}]}]}'
    )
    line = "cat /src/report.json"
    (program.tree / "report.json").write_text(sarif % text)

    done = program.run(GOOD + shell("bad", line, stdout=True), *SCAN, "--output", disk, output=disk)

    assert done.code == 3, done.shown
    assert "can't be written" in done.err
    assert "No space left on device" in done.err
    assert "make room, or choose another folder with --output" in done.err
    assert done.verdict["status"] == "incomplete"
    assert left_behind(done.verdict["run_id"]) == []


def test_output_folder_that_is_removed_in_mid_run_is_incomplete(program):
    process = program.start(GOOD + hung(timeout="4s"), *SCAN)
    run_id = Done(0, "", "", program.tree / ".scanrun").verdict["run_id"]
    shutil.rmtree(program.tree / ".scanrun")

    done = program.finish(process)

    assert done.code == 3, done.shown
    assert "can't be written" in done.err
    assert "Traceback" not in done.shown
    assert left_behind(run_id) == []


@pytest.fixture
def cache(program, lab, tmp_path):
    """Return a cache that holds the lab's database."""
    folder = tmp_path / "cache"
    config = trivy(lab)
    done = program.run(config, "scan", "trivy", SCANRUN_CACHE_DIR=folder)
    assert done.code == 0, done.shown
    return folder


def trivy(lab):
    return f'[scanner.trivy]\ndb_repository = "{lab["db_repository"]}"\n'


def edition(cache):
    (current,) = cache.glob("*/current")
    return current.parent / current.read_text().strip()


def newer(folder):
    path = folder / "metadata.json"
    if not path.exists():
        (path,) = folder.rglob("metadata.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "Version": 99}))


def damaged(folder):
    (path,) = folder.rglob("metadata.json")
    path.write_text("{")


def gone(folder):
    shutil.rmtree(folder)


@pytest.mark.parametrize("harm", [newer, damaged, gone])
def test_cache_that_is_no_good_is_fetched_anew_and_offline_incomplete(program, cache, lab, harm):
    harm(edition(cache))

    offline = program.run(
        GOOD + trivy(lab), "scan", "good,trivy", "--offline", SCANRUN_CACHE_DIR=cache
    )
    online = program.run(trivy(lab), "scan", "trivy", SCANRUN_CACHE_DIR=cache)

    assert offline.code == 3, offline.shown
    assert offline.status == {"good": "completed", "trivy": "failed"}
    assert "damaged" in offline.reason("trivy")
    assert "scanrun cache" in offline.shown
    assert online.code == 0, online.shown


def test_cache_lock_of_a_dead_owner_holds_nobody_up(program, cache, lab):
    (lock,) = cache.glob("*.lock")
    holder = subprocess.Popen(
        ["flock", str(lock), "sleep", "600"], stdout=subprocess.DEVNULL, start_new_session=True
    )
    subprocess.run(["sleep", "0.3"], check=True)
    subprocess.run(["kill", "-KILL", "--", f"-{holder.pid}"], check=True)
    holder.wait()
    shutil.rmtree(edition(cache))

    done = program.run(trivy(lab), "scan", "trivy", SCANRUN_CACHE_DIR=cache)

    assert done.code == 0, done.shown
