import json
import stat

import pytest

from scanrun.errors import OutputError
from scanrun.files import written
from scanrun.output import forget, opened

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


@pytest.mark.parametrize("name", ["data.csv", "lock", "results.sarif", "logs"])
def test_folder_of_somebody_else_is_refused_and_keeps_its_files(tmp_path, name):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "data.csv").write_text("mine")
    (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(OutputError, match="not of an earlier run") as caught:  # noqa: SIM117
        with opened(tmp_path, RUNNING, reports=["junit.xml"]):
            pass

    assert "--output" in caught.value.hint
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / name).read_text() == "mine"


def test_gitignore_of_somebody_else_is_no_mark(tmp_path):
    (tmp_path / ".gitignore").write_text("*\n")

    with pytest.raises(OutputError, match="not of an earlier run"), opened(tmp_path, RUNNING):
        pass


def test_new_and_empty_folders_are_taken_and_marked_as_ours(tmp_path):
    (tmp_path / "empty").mkdir()

    for name in ("empty", "new/er"):
        with opened(tmp_path / name, RUNNING) as output:
            (output.path / "beside.txt").write_text("theirs")
        with opened(tmp_path / name, RUNNING):
            assert (tmp_path / name / "beside.txt").read_text() == "theirs"


def test_files_that_a_ci_system_carried_here_without_the_mark_are_ours(tmp_path):
    for name in ("verdict.json", "results.sarif", "junit.xml"):
        (tmp_path / name).write_text("old")

    with opened(tmp_path, RUNNING, reports=["junit.xml"]):
        assert not (tmp_path / "results.sarif").exists()
        assert not (tmp_path / "junit.xml").exists()


@pytest.mark.parametrize("place", [".", "..", "../.."])
def test_folder_that_holds_what_is_scanned_is_refused(tmp_path, place):
    root = tmp_path / "above" / "tree"
    root.mkdir(parents=True)

    with pytest.raises(OutputError, match="holds what is scanned"):  # noqa: SIM117
        with opened(root / place, RUNNING, scanned=root):
            pass

    assert [*root.iterdir()] == []


@pytest.mark.parametrize("folder", ["link/proj", "sub/link/proj", "sub/link/../proj", "back/out"])
def test_link_in_the_scanned_tree_leads_no_output_elsewhere(tmp_path, folder):
    root, victim = tmp_path / "tree", tmp_path / "victim"
    (root / "sub").mkdir(parents=True)
    (victim / "proj").mkdir(parents=True)
    (root / "link").symlink_to(victim)
    (root / "sub" / "link").symlink_to(victim)
    (root / "back").symlink_to(root)

    with pytest.raises(OutputError, match="is a link"):  # noqa: SIM117
        with opened(root / folder, RUNNING, scanned=root):
            pass

    assert [*(victim / "proj").iterdir()] == []


def test_links_outside_of_the_scanned_tree_are_the_users_own(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "short").symlink_to(tmp_path / "disk")

    with opened(tmp_path / "short" / "out", RUNNING, scanned=tmp_path / "tree"):
        assert (tmp_path / "disk" / "out" / "verdict.json").exists()


@pytest.mark.parametrize(
    "name", ["logs", "raw", "verdict.json", "results.sarif", "junit.xml", ".tmp-x"]
)
def test_link_in_a_marked_folder_is_replaced_and_not_followed(tmp_path, name):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "data").write_text("mine")
    with opened(tmp_path / "out", RUNNING):
        (tmp_path / "out" / "logs").rmdir()
        (tmp_path / "out" / "verdict.json").unlink()
    target = victim if name in {"logs", "raw"} else victim / "data"
    (tmp_path / "out" / name).symlink_to(target)

    with opened(tmp_path / "out", RUNNING, reports=["junit.xml"]) as output:
        output.write_verdict({"status": "passed"})

    assert (victim / "data").read_text() == "mine"
    assert not (tmp_path / "out" / name).is_symlink()


def test_mark_that_is_a_link_is_no_mark(tmp_path):
    with opened(tmp_path / "real", RUNNING):
        pass
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".gitignore").symlink_to(tmp_path / "real" / ".gitignore")

    with pytest.raises(OutputError, match="not of an earlier run"):  # noqa: SIM117
        with opened(tmp_path / "out", RUNNING):
            pass


def test_what_an_earlier_run_said_is_taken_back(tmp_path):
    with opened(tmp_path / "out", RUNNING) as output:
        output.write_verdict({"status": "passed"})
        (output.path / "results.sarif").write_text("{}")

    forget(tmp_path / "out", RUNNING)

    assert json.loads((tmp_path / "out" / "verdict.json").read_text()) == RUNNING
    assert not (tmp_path / "out" / "results.sarif").exists()


OLD = json.dumps({"run_id": "r", "scanrun": "1", "status": "passed"})


def carry(folder):
    """Lay down what a CI system carries from job to job: all but the mark."""
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "bandit.log").write_text("old")
    (folder / "raw" / "bandit").mkdir(parents=True)
    for name in ("results.sarif", "junit.xml"):
        (folder / name).write_text("old")
    (folder / "verdict.json").write_text(OLD)


def test_what_a_ci_system_carried_here_is_taken_back_with_its_reports(tmp_path):
    carry(tmp_path / "out")

    forget(tmp_path / "out", RUNNING, reports=["junit.xml"])

    assert json.loads((tmp_path / "out" / "verdict.json").read_text()) == RUNNING
    assert not (tmp_path / "out" / "results.sarif").exists()
    assert not (tmp_path / "out" / "junit.xml").exists()


def test_folder_that_a_ci_system_carried_here_with_its_logs_is_taken(tmp_path):
    carry(tmp_path / "out")

    with opened(tmp_path / "out", RUNNING, reports=["junit.xml"]) as output:
        assert [*output.logs.iterdir()] == []


@pytest.mark.parametrize("verdict", ["mine", "[]", '{"status": "passed"}', "\ud800", "[" * 100_000])
def test_verdict_of_somebody_else_makes_no_logs_ours(tmp_path, verdict):
    carry(tmp_path / "out")
    (tmp_path / "out" / "verdict.json").write_bytes(verdict.encode(errors="surrogatepass"))

    forget(tmp_path / "out", RUNNING, reports=["junit.xml"])
    with pytest.raises(OutputError, match="not of an earlier run"):  # noqa: SIM117
        with opened(tmp_path / "out", RUNNING, reports=["junit.xml"]):
            pass

    assert (tmp_path / "out" / "logs" / "bandit.log").read_text() == "old"
    assert (tmp_path / "out" / "junit.xml").read_text() == "old"


def test_verdict_among_other_files_is_not_taken_back(tmp_path):
    carry(tmp_path / "out")
    (tmp_path / "out" / "data.csv").write_text("mine")

    forget(tmp_path / "out", RUNNING, reports=["junit.xml"])

    assert (tmp_path / "out" / "verdict.json").read_text() == OLD


def test_nothing_is_taken_back_of_another_run_or_somebody_else(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "verdict.json").write_text("mine")

    with opened(tmp_path / "out", RUNNING) as output:
        output.write_verdict({"status": "passed"})
        for name in ("out", "theirs", "none"):
            forget(tmp_path / name, RUNNING)

    assert "passed" in (tmp_path / "out" / "verdict.json").read_text()
    assert (tmp_path / "theirs" / "verdict.json").read_text() == "mine"
    assert not (tmp_path / "none").exists()


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
