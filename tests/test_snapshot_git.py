"""What git tells of the tree, on real repositories."""

import os
import subprocess

import pytest

from scanrun.errors import UsageError
from scanrun.git import GitError, read_work_tree
from scanrun.model import LeftOut
from scanrun.output import opened
from scanrun.snapshot import take_snapshot


def git(folder, *args):
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org")
    allow = ("-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *identity, *allow, *args], cwd=folder, check=True, capture_output=True
    )
    return os.fsdecode(done.stdout).strip()


def plant(root, *names):
    for name in names:
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{name}\n")


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit of `app.py` and `lib/a.py`."""
    root = tmp_path / "repository"
    plant(root, "app.py", "lib/a.py")
    commit_all(root)
    return root


def commit_all(root):
    git(root, "init", "-q")
    git(root, "add", "-f", ".")
    git(root, "commit", "-qm", "one")


def take(path, **more):
    return take_snapshot(path, environment=os.environ, **more)


def paths(snapshot):
    return [file.path for file in snapshot.files]


def rules(snapshot):
    """All rules but that of `.git` at the root."""
    return {
        each.path: each.rule for each in snapshot.left_out if each.path not in {".git/", ".git"}
    }


def test_a_clean_checkout_is_its_commit(repository):
    snapshot = take(repository)

    assert paths(snapshot) == ["app.py", "lib/a.py"]
    assert (snapshot.commit, snapshot.dirty) == (git(repository, "rev-parse", "HEAD"), False)
    assert (rules(snapshot), snapshot.notes) == ({}, ())


def test_untracked_files_are_taken_and_make_the_tree_dirty(repository):
    plant(repository, "new.py")

    snapshot = take(repository)

    assert "new.py" in paths(snapshot)
    assert snapshot.dirty is True


def test_a_changed_file_makes_the_tree_dirty(repository):
    (repository / "app.py").write_text("changed\n")

    assert take(repository).dirty is True


def test_an_ignored_folder_is_one_entry_and_does_not_make_the_tree_dirty(repository):
    plant(repository, ".gitignore", "node_modules/a/b.js", "node_modules/c.js", "lib/x.log")
    (repository / ".gitignore").write_text("node_modules\n*.log\n")
    git(repository, "add", ".gitignore")
    git(repository, "commit", "-qm", "two")

    snapshot = take(repository)

    assert rules(snapshot) == {"lib/x.log": "git ignore", "node_modules/": "git ignore"}
    assert snapshot.dirty is False


def test_a_tracked_file_is_never_dropped_by_an_ignore_rule(repository):
    plant(repository, "build/kept.py")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "two")
    plant(repository, "build/new.py")
    (repository / ".git/info/exclude").write_text("*\n")

    snapshot = take(repository)

    assert paths(snapshot) == ["app.py", "build/kept.py", "lib/a.py"]
    assert rules(snapshot) == {"build/new.py": "git ignore"}


def test_the_output_folder_of_a_run_before_is_told_as_such(repository):
    plant(repository, ".scanrun/.gitignore", ".scanrun/results.sarif")
    (repository / ".scanrun/.gitignore").write_text("*\n")

    snapshot = take(repository)

    assert rules(snapshot) == {".scanrun/": "scanrun's own output"}
    assert snapshot.dirty is False


@pytest.mark.parametrize("folder", [".scanrun", "lib"])
def test_tracked_files_in_scanrun_s_own_folders_are_told(repository, folder):
    plant(repository, f"{folder}/evil.py")
    git(repository, "add", "-f", ".")
    git(repository, "commit", "-qm", "two")
    (repository / "lib/a.py").unlink()

    snapshot = take(repository, output_dir="lib" if folder == "lib" else ".scanrun")

    count = 2 if folder == "lib" else 1
    assert snapshot.notes == (f"{count} tracked files in scanrun's own folders are not scanned",)
    assert f"{folder}/evil.py" not in paths(snapshot)


def run_into(folder):
    with opened(folder, {}):
        pass


def test_mark_that_is_committed_hides_no_tracked_file(repository):
    run_into(repository / "lib/.scanrun")
    plant(repository, "lib/.scanrun/evil.py", "lib/.scanrun/raw/evil.py")
    git(repository, "add", "-f", ".")
    git(repository, "commit", "-qm", "two")
    plant(repository, "lib/.scanrun/results.sarif")

    snapshot = take(repository)

    assert {"lib/.scanrun/evil.py", "lib/.scanrun/raw/evil.py"} < {*paths(snapshot)}
    assert rules(snapshot)["lib/.scanrun/results.sarif"] == "git ignore"
    assert snapshot.unread == ()


@pytest.mark.parametrize("broken", [True, False])
def test_what_is_tracked_in_the_output_folder_was_not_scanned(repository, broken):
    run_into(repository / ".scanrun")
    plant(repository, ".scanrun/evil.py")
    git(repository, "add", "-f", ".scanrun/evil.py")

    snapshot = take(repository, exclude=() if broken else [".scanrun/*"])

    told = "'.scanrun/evil.py' (tracked in scanrun's own folder)"
    assert snapshot.unread == ((told,) if broken else ())


def test_submodule_in_the_place_of_the_output_folder_was_not_scanned(repository, tmp_path):
    plant(tmp_path / "other", "evil.py")
    commit_all(tmp_path / "other")
    git(repository, "submodule", "--quiet", "add", str(tmp_path / "other"), ".scanrun")

    snapshot = take(repository)

    assert snapshot.unread == ("'.scanrun' (tracked in scanrun's own folder)",)


def test_run_of_before_is_left_out_wherever_it_lies(repository):
    run_into(repository / ".scanrun")
    run_into(repository / "lib/.scanrun")
    plant(repository, ".scanrun/raw/x.py", "lib/.scanrun/raw/x.py")

    snapshot = take(repository)

    assert paths(snapshot) == ["app.py", "lib/a.py"]
    assert (snapshot.unread, snapshot.dirty) == ((), False)


def test_mark_hides_nothing_where_git_can_not_say_what_is_tracked(repository):
    run_into(repository / "lib/.scanrun")
    plant(repository, "lib/.scanrun/evil.py")
    (repository / ".git/HEAD").write_bytes(b"broken")

    assert "lib/.scanrun/evil.py" in paths(take(repository))


def test_ignored_files_that_a_scanner_asks_for_are_taken(repository):
    plant(repository, "target/app.jar", "target/a.class", "target/.git/x.jar", "own.jar", "b.class")
    (repository / ".git/info/exclude").write_text("target\n*.jar\n*.class\n")

    snapshot = take(repository, wanted=["*.jar"])

    assert paths(snapshot) == ["app.py", "lib/a.py", "own.jar", "target/app.jar"]
    assert rules(snapshot) == {
        "b.class": "git ignore",
        "target/": "git ignore",
        "target/.git/": "git's own data",
    }
    assert snapshot.dirty is False


def test_an_exclusion_goes_before_what_a_scanner_asks_for(repository):
    plant(repository, "target/app.jar")
    (repository / ".git/info/exclude").write_text("target\n")

    snapshot = take(repository, wanted=["*.jar"], exclude=["target/*.jar"])

    assert rules(snapshot)["target/app.jar"] == "exclude"


def test_a_wanted_file_that_is_a_link_is_told(repository):
    plant(repository, "target/a.class")
    (repository / "target/app.jar").symlink_to("/etc/passwd")
    (repository / ".git/info/exclude").write_text("target\n")

    assert rules(take(repository, wanted=["*.jar"]))["target/app.jar"] == "link"


def test_a_deleted_file_is_told(repository):
    (repository / "lib/a.py").unlink()

    snapshot = take(repository)

    assert rules(snapshot) == {"lib/a.py": "not in the work tree"}
    assert snapshot.dirty is True


def test_a_deleted_file_that_is_excluded_is_not_told_twice(repository):
    (repository / "lib/a.py").unlink()

    assert rules(take(repository, exclude=["lib"])) == {"lib/": "exclude"}


def test_files_that_a_sparse_checkout_leaves_out_are_told(repository):
    git(repository, "sparse-checkout", "set", "--no-cone", "/app.py")

    assert rules(take(repository)) == {"lib/a.py": "sparse checkout"}


def test_a_file_marked_skip_worktree_is_taken_when_it_is_there(repository):
    git(repository, "update-index", "--skip-worktree", "lib/a.py")

    assert "lib/a.py" in paths(take(repository))


def test_a_merge_in_conflict_gives_each_file_once(repository):
    git(repository, "checkout", "-qb", "other")
    (repository / "app.py").write_text("other\n")
    git(repository, "commit", "-qam", "two")
    git(repository, "checkout", "-q", "-")
    (repository / "app.py").write_text("mine\n")
    git(repository, "commit", "-qam", "three")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "other")

    snapshot = take(repository)

    assert paths(snapshot) == ["app.py", "lib/a.py"]
    assert snapshot.dirty is True


def test_the_files_of_a_nested_repository_are_taken(repository):
    plant(repository, "nested/a.py")
    commit_all(repository / "nested")

    snapshot = take(repository)

    assert "nested/a.py" in paths(snapshot)
    assert rules(snapshot) == {"nested/.git/": "git's own data"}


def test_the_files_of_a_submodule_are_taken_and_belong_to_the_commit(repository, tmp_path):
    plant(tmp_path, "module/m.py")
    commit_all(tmp_path / "module")
    git(repository, "submodule", "--quiet", "add", str(tmp_path / "module"), "sub")
    git(repository, "commit", "-qm", "two")

    snapshot = take(repository)

    assert paths(snapshot) == [".gitmodules", "app.py", "lib/a.py", "sub/m.py"]
    assert (rules(snapshot), snapshot.dirty) == ({"sub/.git": "git's own data"}, False)


def test_a_submodule_is_a_work_tree_of_its_own(repository, tmp_path):
    plant(tmp_path, "module/m.py")
    commit_all(tmp_path / "module")
    git(repository, "submodule", "--quiet", "add", str(tmp_path / "module"), "sub")

    snapshot = take(repository / "sub")

    assert snapshot.commit == git(tmp_path / "module", "rev-parse", "HEAD")
    assert snapshot.notes == ()


def test_a_submodule_that_is_not_checked_out_is_told(repository, tmp_path):
    plant(tmp_path, "module/m.py")
    commit_all(tmp_path / "module")
    git(repository, "submodule", "--quiet", "add", str(tmp_path / "module"), "sub")
    git(repository, "commit", "-qm", "two")
    git(tmp_path, "clone", "-q", str(repository), "clone")

    assert rules(take(tmp_path / "clone")) == {"sub/": "submodule not checked out"}


def test_a_linked_worktree_is_read(repository, tmp_path):
    git(repository, "worktree", "add", "-q", str(tmp_path / "second"))
    plant(tmp_path / "second", "new.py")

    snapshot = take(tmp_path / "second")

    assert paths(snapshot) == ["app.py", "lib/a.py", "new.py"]
    assert (snapshot.commit, snapshot.notes) == (git(repository, "rev-parse", "HEAD"), ())


def test_a_folder_of_a_repository_is_scanned_by_itself(repository):
    plant(repository, "lib/new.log", "other/b.py")
    (repository / ".git/info/exclude").write_text("*.log\n")

    snapshot = take(repository / "lib")

    assert paths(snapshot) == ["a.py"]
    assert rules(snapshot) == {"new.log": "git ignore"}
    assert snapshot.dirty is False


def test_a_folder_that_git_ignores_as_a_whole_is_scanned_when_it_is_named(repository):
    plant(repository, "build/deep/a.py")
    (repository / ".git/info/exclude").write_text("build\n")

    for folder, path in ((repository / "build", "deep/a.py"), (repository / "build/deep", "a.py")):
        snapshot = take(folder)

        assert paths(snapshot) == [path]
        assert "git ignores the whole folder" in snapshot.notes[0]


def test_an_ignored_file_is_scanned_when_it_is_named(repository):
    plant(repository, "x.log")
    (repository / ".git/info/exclude").write_text("*.log\n")

    assert paths(take(repository / "x.log")) == ["x.log"]


def test_a_repository_without_a_commit_has_none(tmp_path):
    plant(tmp_path, "app.py")
    git(tmp_path, "init", "-q")

    snapshot = take(tmp_path)

    assert paths(snapshot) == ["app.py"]
    assert (snapshot.commit, snapshot.dirty, snapshot.notes) == (None, None, ())


def test_a_bare_repository_is_a_folder_like_any_other(tmp_path):
    git(tmp_path, "init", "-q", "--bare", "bare")

    snapshot = take(tmp_path / "bare")

    assert "HEAD" in paths(snapshot)
    assert snapshot.commit is None


def test_names_that_git_would_quote_come_back_byte_for_byte(tmp_path):
    names = [b"\xff\xfe.py", b"new\nline", b'quote".py', "ü.py".encode(), b"tab\t"]
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    commit_all(tmp_path)

    snapshot = take(tmp_path)

    assert [os.fsencode(path) for path in paths(snapshot)] == sorted(names)
    assert (rules(snapshot), snapshot.dirty) == ({}, False)


def test_without_git_s_program_everything_is_taken_and_told(repository):
    plant(repository, "x.log")
    (repository / ".git/info/exclude").write_text("*.log\n")

    snapshot = take_snapshot(repository, environment={"PATH": "/nowhere"})

    assert paths(snapshot) == ["app.py", "lib/a.py", "x.log"]
    assert "git is not installed" in snapshot.notes[0]


@pytest.mark.parametrize("path", ["{root}/bin", "bin", ".", ""])
def test_a_program_called_git_in_the_tree_is_never_run(repository, monkeypatch, path):
    for folder in (repository, repository / "bin"):
        plant(folder, "git")
        (folder / "git").write_text(f"#!/bin/sh\ntouch {repository}/ran\n")
        (folder / "git").chmod(0o755)
    monkeypatch.chdir(repository)

    snapshot = take_snapshot(repository, environment={"PATH": path.format(root=repository)})

    assert "git is not installed" in snapshot.notes[0]
    assert not (repository / "ran").exists()


def test_the_caller_s_git_variables_do_not_reach_git(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nowhere"))

    assert take(repository).notes == ()


def test_a_missing_path_in_a_repository_is_an_error(repository):
    with pytest.raises(UsageError):
        take(repository / "missing.py")


def test_git_that_gives_no_answer_is_given_up(repository):
    (repository / ".gitignore").unlink(missing_ok=True)
    os.mkfifo(repository / ".gitignore")

    with pytest.raises(GitError, match="no answer"):
        read_work_tree(repository, os.environ, timeout=0.5)


def test_left_out_is_sorted(repository):
    plant(repository, "b.log", "a.log")
    (repository / ".git/info/exclude").write_text("*.log\n")

    left_out = take(repository).left_out

    assert list(left_out) == sorted(left_out, key=lambda each: each.path)
    assert LeftOut(".git/", "git's own data") in left_out


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://user:" + "pass" + "@example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://" + "token" + "@example.org/a/b?x=y", "https://example.org/a/b"),
        ("git@example.org:a/b.git", "ssh://example.org/a/b.git"),
        ("ssh://git@example.org:2222/a/b.git", "ssh://example.org:2222/a/b.git"),
        ("/somewhere/here", ""),
    ],
)
def test_repository_is_told_without_its_secrets(tmp_path, remote, told):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)

    assert take_snapshot(tmp_path, environment=dict(os.environ)).repository == told
