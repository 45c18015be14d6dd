"""A stranger's repository: nothing in it is run, and nothing it says makes files disappear."""

import os
import subprocess

import pytest

from scanrun.snapshot import take_snapshot


def git(folder, *args):
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org")
    subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()
    (root / "app.py").write_text("one\n")
    (root / ".gitattributes").write_text("* filter=evil\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    # another time than the index has: git looks into the file, through its filter
    os.utime(root / "app.py", (1, 1))
    return root


@pytest.fixture
def program(tmp_path):
    """A program that leaves a trace."""
    made = tmp_path / "evil"
    made.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    made.chmod(0o755)
    return made


def take(path):
    return take_snapshot(path, environment=os.environ)


def paths(snapshot):
    return [file.path for file in snapshot.files]


def run_plainly(root):
    subprocess.run(["git", "status"], cwd=root, check=False, capture_output=True)


@pytest.mark.parametrize(
    "key", ["core.fsmonitor", "filter.evil.clean", "filter.evil.process", "filter.e=v.il.clean"]
)
def test_no_program_of_the_repository_s_configuration_is_run(repository, program, tmp_path, key):
    driver = key.removeprefix("filter.").rpartition(".")[0]
    if key.startswith("filter"):
        (repository / ".gitattributes").write_text(f"* filter={driver}\n")
    git(repository, "config", key, str(program))

    snapshot = take(repository)

    assert not (tmp_path / "ran").exists()
    assert paths(snapshot) == [".gitattributes", "app.py"]
    run_plainly(repository)
    assert (tmp_path / "ran").exists(), "the trap does not work, so the test proves nothing"


def test_a_required_filter_does_not_stop_git(repository, program):
    git(repository, "config", "filter.evil.clean", str(program))
    git(repository, "config", "filter.evil.required", "true")

    assert take(repository).notes == ()


def test_no_hook_is_run(repository, program, tmp_path):
    hook = repository / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_bytes(program.read_bytes())
    hook.chmod(0o755)

    take(repository)

    assert not (tmp_path / "ran").exists()
    run_plainly(repository)
    assert (tmp_path / "ran").exists(), "the trap does not work, so the test proves nothing"


def test_missing_objects_are_not_fetched_by_a_program(repository, program, tmp_path):
    tree = subprocess.run(
        ["git", "rev-parse", "HEAD^{tree}"], cwd=repository, check=True, capture_output=True
    ).stdout.decode()
    git(repository, "config", "core.repositoryFormatVersion", "1")
    git(repository, "config", "extensions.partialClone", "origin")
    git(repository, "config", "remote.origin.promisor", "true")
    git(repository, "config", "remote.origin.url", f"ext::{program}")
    git(repository, "config", "protocol.ext.allow", "always")
    (repository / ".git/objects" / tree[:2] / tree[2:].strip()).unlink()

    snapshot = take(repository)

    assert paths(snapshot) == [".gitattributes", "app.py"]
    assert not (tmp_path / "ran").exists()
    run_plainly(repository)
    assert (tmp_path / "ran").exists(), "the trap does not work, so the test proves nothing"


@pytest.mark.parametrize("elsewhere", ["/etc", ".."])
def test_a_work_tree_that_is_said_to_lie_elsewhere_is_not_believed(repository, elsewhere):
    (repository / ".git/info/exclude").write_text("*\n")
    (repository / "new.py").touch()
    where = elsewhere if elsewhere == "/etc" else str(repository.parent)
    git(repository, "config", "core.worktree", where)

    snapshot = take(repository)

    assert paths(snapshot) == [".gitattributes", "app.py", "new.py"]
    assert "every file is scanned" in snapshot.notes[0]


def test_a_git_file_that_points_to_another_repository_hides_nothing(repository, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "secret.py").touch()
    (victim / ".git").write_text(f"gitdir: {repository}/.git\n")

    snapshot = take(victim)

    assert paths(snapshot) == ["secret.py"]
    assert ("app.py", "not in the work tree") in [(e.path, e.rule) for e in snapshot.left_out]
    assert snapshot.dirty is True


@pytest.mark.parametrize("content", ["gitdir: /nowhere\n", "nonsense", ""])
def test_a_broken_git_file_is_told_and_everything_is_taken(tmp_path, content):
    (tmp_path / "app.py").touch()
    (tmp_path / ".git").write_text(content)

    snapshot = take(tmp_path)

    assert paths(snapshot) == ["app.py"]
    assert "every file is scanned" in snapshot.notes[0]


@pytest.mark.parametrize("broken", ["HEAD", "index", "config"])
def test_a_broken_repository_is_told_and_everything_is_taken(repository, broken):
    (repository / ".git" / broken).write_bytes(b"\0[broken\n")
    (repository / ".git/info/exclude").write_text("*\n")

    snapshot = take(repository)

    assert paths(snapshot) == [".gitattributes", "app.py"]
    assert "every file is scanned" in snapshot.notes[0]


def test_an_index_that_is_a_pipe_does_not_hang(repository, monkeypatch):
    (repository / ".git/index").unlink()
    os.mkfifo(repository / ".git/index")
    monkeypatch.setattr("scanrun.git.read_work_tree.__kwdefaults__", {"timeout": 0.5})

    snapshot = take(repository)

    assert paths(snapshot) == [".gitattributes", "app.py"]
    assert "no answer" in snapshot.notes[0]


@pytest.mark.parametrize("where", ["submodule", "nested"])
def test_no_program_of_a_repository_inside_is_run(repository, program, tmp_path, where):
    inner = tmp_path / "inner" if where == "submodule" else repository / "inner"
    inner.mkdir()
    (inner / "m.py").touch()
    git(inner, "init", "-q")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "one")
    if where == "submodule":
        allow = ("-c", "protocol.file.allow=always")
        git(repository, *allow, "submodule", "--quiet", "add", str(inner), "inner")
    git(repository / "inner", "config", "core.fsmonitor", str(program))

    snapshot = take(repository)

    assert "inner/m.py" in paths(snapshot)
    assert not (tmp_path / "ran").exists()
    run_plainly(repository / "inner")
    assert (tmp_path / "ran").exists(), "the trap does not work, so the test proves nothing"
