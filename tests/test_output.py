import json
import stat

import pytest

from scanrun.errors import OutputError
from scanrun.files import written
from scanrun.output import opened

RUNNING = {"status": "incomplete", "reason": "running"}


def test_killed_run_leaves_no_old_passed_behind(tmp_path):
    folder = tmp_path / ".scanrun"
    with opened(folder, RUNNING) as output:
        output.write_verdict({"status": "passed"})
        (folder / "results.sarif").write_text("{}")
        (folder / "junit.xml").write_text("<a/>")
    later = opened(folder, RUNNING, reports=["junit.xml"])

    later.__enter__()

    assert json.loads((folder / "verdict.json").read_text()) == RUNNING
    assert not (folder / "results.sarif").exists()
    assert not (folder / "junit.xml").exists()
    later.__exit__(None, None, None)


def test_folder_ignores_itself_in_git(tmp_path):
    with opened(tmp_path / ".scanrun", RUNNING):
        assert (tmp_path / ".scanrun" / ".gitignore").read_text().splitlines()[-1] == "*"


def test_folder_of_somebody_else_keeps_its_files(tmp_path):
    (tmp_path / "theirs.sarif").write_text("mine")
    (tmp_path / "logs.txt").write_text("mine")

    with opened(tmp_path, RUNNING, reports=["junit.xml"]):
        assert not (tmp_path / ".gitignore").exists()

    assert (tmp_path / "theirs.sarif").read_text() == "mine"
    assert (tmp_path / "logs.txt").read_text() == "mine"


def test_second_run_in_one_folder_is_refused(tmp_path):
    with opened(tmp_path / "out", RUNNING), pytest.raises(OutputError, match="another run"):  # noqa: SIM117
        with opened(tmp_path / "out", RUNNING):
            pass


def test_output_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".scanrun").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OutputError, match="is a link"), opened(tmp_path / ".scanrun", RUNNING):
        pass
    assert not any((tmp_path / "elsewhere").iterdir())


def test_output_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="can't use"), opened(tmp_path / "file" / "o", RUNNING):
        pass


def test_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report"
    path.write_text("old")

    with pytest.raises(RuntimeError), written(path) as stream:  # noqa: PT012
        stream.write(b"half")
        raise RuntimeError

    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report"]


def test_file_is_readable_by_others_when_it_is_there(tmp_path):
    with written(tmp_path / "report") as stream:
        stream.write(b"whole")

    assert (tmp_path / "report").read_bytes() == b"whole"
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o644
