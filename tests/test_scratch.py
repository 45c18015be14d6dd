import subprocess
import sys
import tempfile

import pytest

from scanrun.scratch import scratch_folder


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_folder_is_private_and_dies_with_its_run():
    with scratch_folder("run") as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "deep").mkdir(mode=0o500)
        (folder / "deep").chmod(0o500)

    assert not folder.exists()


def test_folder_of_a_killed_run_is_removed_by_the_next(tmp_path):
    code = (
        "import os, sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from scanrun.scratch import scratch_folder\n"
        "held = scratch_folder('dead'); held.__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert list(tmp_path.glob("scanrun-dead-*"))

    with scratch_folder("next"):
        assert not list(tmp_path.glob("scanrun-dead-*"))


def test_folder_of_a_run_beside_is_left_alone():
    with scratch_folder("first") as first, scratch_folder("second"):
        assert first.is_dir()
