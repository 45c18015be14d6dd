import os
import shlex
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scanrun.contracts import EngineSettings
from scanrun.errors import DeadlineError, InterruptedRunError, MissingToolError, StepError
from scanrun.model import Limits, Snapshot, SnapshotFile, Step
from scanrun_plugins.engines.local import LocalEngine, executables
from scanrun_plugins.engines.local.executables import embedded_executables, find_executable
from scanrun_plugins.engines.local.places import Places

SYSTEM = os.pathsep.join(("/usr/bin", "/bin"))


def snapshot_of(root):
    paths = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
    files = (
        SnapshotFile(str(p.relative_to(root)), p.stat().st_size, p.stat().st_mode) for p in paths
    )
    return Snapshot(root=root, files=tuple(files))


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "project"
    (root / "sub").mkdir(parents=True)
    (root / "a.py").write_text("print(1)\n")
    (root / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (root / "sub" / "run.sh").chmod(0o755)
    return root


@pytest.fixture
def tools(tmp_path):
    """Put a shell script on PATH: `tools(name, script)`."""
    folder = tmp_path / "tools"
    folder.mkdir()

    def put(name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    put.folder = folder
    return put


@pytest.fixture
def session(tmp_path, tree, tools):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {"PATH": f"{tools.folder}:{SYSTEM}", "SECRET": "s3", "HTTPS_PROXY": "http://p:1"}
    settings = EngineSettings(run_id="r1", scratch=scratch, environment=environment)
    with LocalEngine().open(settings) as opened:
        opened.share(snapshot_of(tree), {".scanrun-canary/tool/c.py": b"exec(x)\n"})
        yield opened


@pytest.fixture
def run(session, tmp_path):
    numbers = iter(range(100))

    def go(step, *, cancel=None, caches=None):
        folder = tmp_path / f"fetched-{next(numbers)}"
        folder.mkdir()
        return session.run(
            step,
            name="tool",
            caches=caches or {},
            folder=folder,
            cancel=cancel or threading.Event(),
        )

    return go


def test_step_reads_the_copy_and_its_output_is_fetched(run, tools):
    tools("tool", 'ls -A "$1" > "$2"; ls -A "$1/.scanrun-canary/tool" >> "$2"')
    step = Step(executable="tool", argv=("/src", "/out/report.txt"), outputs=("/out/report.txt",))

    outcome = run(step)

    names = outcome.outputs["/out/report.txt"].read_text().split()
    assert (outcome.exit_code, names) == (0, [".scanrun-canary", "a.py", "sub", "c.py"])


def test_paths_are_rewritten_inside_arguments_environment_and_workdir(run, tools):
    tools("tool", 'pwd > "$OUT"; cat "${1#--config=}" >> "$OUT"; cat "${2#file://}" >> "$OUT"')
    step = Step(
        executable="tool",
        argv=("--config=/etc/tool/c.ini", "file:///src/a.py"),
        env={"OUT": "/out/r"},
        files={"/etc/tool/c.ini": b"made\n"},
        outputs=("/out/r",),
        workdir="/src/sub",
    )

    outcome = run(step)

    assert outcome.outputs["/out/r"].read_text() == "/src/sub\nmade\nprint(1)\n"


def test_name_that_only_begins_like_a_path_stays(run, tools):
    tools("tool", 'echo "$@"')
    step = Step(executable="tool", argv=("/src.bak", "/srcs", "x/src"), stdout="/out/o")

    assert run(step).outputs["/out/o"].read_text() == "/src.bak /srcs x/src\n"


def test_source_below_a_folder_has_that_folder_to_itself(run, tools):
    tools("tool", 'ls -A "$1"; cat "$2"')
    step = Step(
        executable="tool", argv=("/src", "/src/tree/a.py"), source="/src/tree", stdout="/out/o"
    )

    assert run(step).outputs["/out/o"].read_text() == "tree\nprint(1)\n"


def test_reports_and_logs_name_the_container_path(run, tools):
    tools("tool", 'realpath a.py; echo "read $PWD/a.py" >&2')
    step = Step(executable="tool", workdir="/src", stdout="/out/o")

    outcome = run(step)

    assert outcome.outputs["/out/o"].read_text() == "/src/a.py\n"
    assert outcome.log.read_text() == "read /src/a.py\n"


def test_environment_is_minimal(run, tools, monkeypatch):
    monkeypatch.setenv("ALSO_SECRET", "s3")
    tools("tool", "env")
    names = {"PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE", "MORE"}

    outcome = run(Step(executable="tool", env={"MORE": "1"}, stdout="/out/o"))

    found = {line.partition("=")[0] for line in outcome.outputs["/out/o"].read_text().splitlines()}
    assert found - {"PWD", "SHLVL", "_", "OLDPWD"} == names


def test_proxy_reaches_only_steps_with_a_network(run, tools):
    tools("tool", 'echo "$HTTPS_PROXY"')
    step = Step(executable="tool", stdout="/out/o")
    online = Step(executable="tool", stdout="/out/o", network=True)

    assert run(step).outputs["/out/o"].read_text() == "\n"
    assert run(online).outputs["/out/o"].read_text() == "http://p:1\n"


def test_stdin_is_empty(run, tools):
    tools("tool", "cat; echo end")

    outcome = run(Step(executable="tool", stdout="/out/o"))

    assert outcome.outputs["/out/o"].read_text() == "end\n"


def test_missing_executable_is_a_problem_with_a_hint(session):
    located = session.locate(Step(executable="no-such-scanner"))

    assert "not installed" in located.problem
    assert "install it beside scanrun" in located.hint
    with pytest.raises(MissingToolError):
        session.prepare(Step(executable="no-such-scanner"), threading.Event())


def test_step_without_executable_can_not_run_here(session):
    assert "container" in session.locate(Step(image="x/y:1")).problem


def test_version_comes_from_the_installed_distribution(session):
    located = session.locate(Step(executable="ruff"))

    assert Path(located.reference).parent == Path(sys.executable).parent
    assert located.version.count(".") == 2


def test_version_is_asked_where_nothing_is_installed(session, tools):
    tools("odd-tool", "echo odd-tool, version 4.5.6")

    assert session.locate(Step(executable="odd-tool")).version == "4.5.6"


def test_executable_of_the_scanned_tree_is_never_run(tree, tmp_path):
    evil = tree / "bin" / "evil-tool"
    evil.parent.mkdir()
    evil.write_text("#!/bin/sh\n")
    evil.chmod(0o755)
    outside = tmp_path / "links"
    outside.mkdir()
    (outside / "evil-tool").symlink_to(evil)
    (tmp_path / "alias").symlink_to(tree)

    for entry in (evil.parent, outside, tmp_path / "alias" / "bin", "bin", ""):
        assert find_executable("evil-tool", {"PATH": str(entry)}, snapshot_of(tree)) is None


@pytest.mark.parametrize("name", ["../evil", "/bin/sh", "..", ""])
def test_executable_is_a_bare_name(name, tree):
    assert find_executable(name, {"PATH": "/bin"}, snapshot_of(tree)) is None


def test_own_environment_inside_the_tree_serves_but_not_what_came_with_the_tree(tree, monkeypatch):
    own = tree / ".venv" / "bin"
    own.mkdir(parents=True)
    for name in ("python", "ours", "theirs"):
        (own / name).write_text("#!/bin/sh\n")
        (own / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    scanned = Snapshot(root=tree, files=(SnapshotFile(".venv/bin/theirs", 10, 0o755),))

    assert find_executable("ours", {}, scanned) == own / "ours"
    assert find_executable("theirs", {}, scanned) is None


def hang(step_timeout, script, tools):
    tools("tool", script)
    return Step(executable="tool", timeout_s=step_timeout, stdout="/out/o")


@pytest.mark.parametrize(
    "script",
    ["sleep 600", "trap '' TERM; sleep 600 & while :; do wait; done"],
    ids=["sleeps", "ignores-sigterm"],
)
def test_deadline_kills_the_whole_group(run, tools, tmp_path, script):
    pids = tmp_path / "pids"
    step = hang(1, f"echo $$ > {shlex.quote(str(pids))}; {script}", tools)

    with pytest.raises(DeadlineError, match="1 s"):
        run(step)

    assert not group_lives(int(pids.read_text()))


def test_what_a_program_leaves_behind_is_killed_and_not_waited_for(run, tools, tmp_path):
    pids = tmp_path / "pids"
    tools("tool", f"echo $$ > {shlex.quote(str(pids))}; sleep 600 & echo done")

    outcome = run(Step(executable="tool", stdout="/out/o"))

    assert outcome.outputs["/out/o"].read_text() == "done\n"
    assert not group_lives(int(pids.read_text()))


def group_lives(leader):
    """Say whether anything but zombies is left of a process group."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (OSError, ProcessLookupError):
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            return True
    return False


def test_cancel_ends_it(run, tools):
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(InterruptedRunError):
        run(hang(60, "sleep 600", tools), cancel=cancel)


def test_close_ends_what_runs_and_removes_the_copy(session, run, tools, tmp_path):
    tools("tool", "sleep 600")
    ended = []

    def work():
        try:
            run(Step(executable="tool"))
        except InterruptedRunError as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    session.close()
    thread.join(30)
    session.close()

    assert len(ended) == 1
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    "script",
    ["head -c 3000000 /dev/zero", "head -c 3000000 /dev/zero > $1", "yes"],
    ids=["stdout", "file", "endless"],
)
def test_too_much_output_is_an_error(run, tools, script):
    tools("tool", script)
    step = Step(
        executable="tool",
        argv=("/out/r",),
        outputs=("/out/r",),
        limits=Limits(output_mb=1),
        ok_exit_codes=frozenset({0, 1, -signal.SIGXFSZ, 128 + signal.SIGXFSZ}),
    )

    # what is printed may pass its own, larger limit before anybody looks
    with pytest.raises(StepError, match=r"(1|64) MB"):
        run(step)


def test_missing_output_is_an_error_even_on_a_good_exit_code(run, tools):
    tools("tool", "exit 0")

    with pytest.raises(StepError, match="left no '/out/r'"):
        run(Step(executable="tool", outputs=("/out/r",)))


def test_unlisted_exit_code_is_told_rather_than_the_missing_output(run, tools):
    tools("tool", "echo broken >&2; exit 7")

    outcome = run(Step(executable="tool", outputs=("/out/r",)))

    assert (outcome.exit_code, outcome.log.read_text()) == (7, "broken\n")


def test_end_by_signal_is_a_negative_exit_code(run, tools):
    tools("tool", "kill -KILL $$")

    assert run(Step(executable="tool")).exit_code == -signal.SIGKILL


@pytest.mark.parametrize(
    "script",
    ["ln -s /etc/passwd $1", "rmdir $(dirname $1); ln -s /etc $(dirname $1)", "mkfifo $1"],
    ids=["link", "folder-link", "fifo"],
)
def test_output_that_is_no_plain_file_is_refused(run, tools, script):
    tools("tool", script)

    with pytest.raises(StepError, match="output"):
        run(Step(executable="tool", argv=("/out/passwd",), outputs=("/out/passwd",)))


def test_folder_is_fetched_whole_and_a_link_in_it_is_refused(run, tools):
    tools("tool", "mkdir -p $1/d; echo x > $1/d/f; $2")
    step = Step(executable="tool", argv=("/out", "true"), outputs=("/out/",))
    linked = Step(executable="tool", argv=("/out", "ln -s /etc /tmp/x"), outputs=("/out/",))

    assert (run(step).outputs["/out/"] / "d" / "f").read_text() == "x\n"
    tools("tool", "ln -s /etc/passwd $1/p")
    with pytest.raises(StepError, match="folder"):
        run(linked)


@pytest.mark.parametrize("path", ["/report", "/src/report", "/out/../../x"])
def test_output_without_a_place_of_its_own_is_refused(run, tools, path):
    tools("tool", "true")

    with pytest.raises(StepError):
        run(Step(executable="tool", outputs=(path,)))


def test_cache_is_the_folder_it_names(run, tools, tmp_path):
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "data").write_text("known")
    tools("tool", "cat $1/data")
    step = Step(
        executable="tool", argv=("/cache/db",), caches={"/cache/db": "db-1"}, stdout="/out/o"
    )

    outcome = run(step, caches={"db-1": tmp_path / "db"})

    assert outcome.outputs["/out/o"].read_text() == "known"


def test_copy_holds_regular_files_with_their_odd_names_and_no_write_bits(tools, tree):
    name = os.fsdecode(b"caf\xe9.py")
    (tree / name).write_bytes(b"odd")
    tools("tool", "find . -type f | LC_ALL=C sort; stat -c %a a.py sub/run.sh")

    outcome = run_again_with(tree, tools)

    lines = outcome.outputs["/out/o"].read_bytes().splitlines()
    assert lines[-2:] == [b"444", b"555"]
    assert b"./caf\xe9.py" in lines


def run_again_with(tree, tools, **more):
    """Run on a fresh session over the tree as it is now."""
    scratch = tree.parent / "scratch-2"
    scratch.mkdir()
    settings = EngineSettings(run_id="r2", scratch=scratch, environment={"PATH": str(tools.folder)})
    folder = tree.parent / "fetched-again"
    folder.mkdir()
    with LocalEngine().open(settings) as session:
        session.share(more.get("snapshot") or snapshot_of(tree), {})
        step = Step(executable="tool", workdir="/src", stdout="/out/o")
        return session.run(step, name="t", caches={}, folder=folder, cancel=threading.Event())


def test_vanished_file_is_noted(tools, tree):
    tools("tool", "ls")
    gone = Snapshot(root=tree, files=(SnapshotFile("a.py", 9), SnapshotFile("gone/b.py", 1)))

    outcome = run_again_with(tree, tools, snapshot=gone)

    assert outcome.lost == ("1 files vanished before they were copied: 'gone/b.py'",)


@pytest.mark.parametrize("kind", ["link", "folder-link", "fifo"])
def test_file_that_became_something_else_fails_the_copy(tools, tree, kind):
    tools("tool", "ls")
    snapshot = snapshot_of(tree)
    if kind == "folder-link":
        (tree / "sub").rename(tree.parent / "moved")
        (tree / "sub").symlink_to(tree.parent / "moved")
    else:
        (tree / "a.py").unlink()
        (tree / "a.py").symlink_to("/etc/passwd") if kind == "link" else os.mkfifo(tree / "a.py")

    with pytest.raises(StepError, match="copied"):
        run_again_with(tree, tools, snapshot=snapshot)


def test_copy_changed_by_one_program_is_not_scanned_by_the_next(run, tools):
    tools("tool", "chmod u+w . a.py; rm a.py")
    step = Step(executable="tool", workdir="/src")
    run(step)

    with pytest.raises(StepError, match="changed by another"):
        run(step)


def test_steps_that_run_side_by_side_share_one_copy(run, tools, tmp_path):
    tools("tool", "ls; sleep 0.1")
    step = Step(executable="tool", workdir="/src", stdout="/out/o")

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: run(step), range(4)))

    assert {each.outputs["/out/o"].read_text() for each in outcomes} == {"a.py\nsub\n"}
    assert len(list((tmp_path / "scratch").glob("copy-*"))) == 1


def test_users_tree_is_left_alone(run, tools, tree):
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    tools("tool", "touch x || true")

    run(Step(executable="tool", workdir="/src"))

    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


@pytest.mark.parametrize("before", [0, 1, (1 << 20) - 5, (2 << 20) - 1])
def test_path_is_restored_wherever_it_stands_in_a_long_report(tmp_path, before):
    tree = tmp_path / "copy of" / "tree"
    places = Places(tmp_path, {"/src": tree}, "/src")
    report = tmp_path / "report"
    text = "x" * before + "{}/a {}/b {}/c" + "y" * 100
    report.write_text(text.format(tree, tree.as_uri(), str(tree) * 2))

    places.restore(report)

    assert report.read_text() == text.format("/src", "file:///src", "/src/src")


def test_lost_scratch_folder_is_an_error_of_the_step(run, tools, tmp_path):
    tools("tool", "true")
    (tmp_path / "scratch").rename(tmp_path / "gone")

    with pytest.raises(StepError, match="scratch folder"):
        run(Step(executable="tool", source=None))


def test_doctor_lists_the_embedded_default(tmp_path):
    settings = EngineSettings(run_id="r", scratch=tmp_path)

    checks = {check.name: check for check in LocalEngine().diagnose(settings)}

    assert set(embedded_executables()) == {"bandit", "detect-secrets", "zizmor"}
    assert checks["local bandit"].ok
    assert "not isolated" in checks["local isolation"].detail


@pytest.mark.parametrize(
    ("step", "said", "unsaid"),
    [
        (Step(executable="bandit", image="b:1"), "scanrun[local]", "docker"),
        (Step(executable="trivy", image="t:1"), "`--engine docker`", "scanrun[local]"),
        (Step(executable="trivy"), "on PATH", "docker"),
    ],
    ids=["embedded", "other", "no-image"],
)
def test_the_hint_for_what_is_not_installed_names_what_would_help(
    tmp_path, monkeypatch, step, said, unsaid
):
    monkeypatch.setattr(executables, "own_folders", tuple)
    monkeypatch.setattr(executables, "_searched", lambda _: ())
    session = LocalEngine().open(EngineSettings(run_id="r", scratch=tmp_path))

    located = session.locate(step)

    assert located.problem == f"{step.executable!r} is not installed"
    assert said in located.hint
    assert unsaid not in located.hint


def test_sealed_files_are_for_their_owner_and_links_lead_where_they_say(run, tools):
    tools("tool", 'stat -c %a "$1"; cat "$2"')
    step = Step(
        executable="tool",
        argv=("/work/key", "/work/there/a.py"),
        files={"/work/key": b"made-up"},
        sealed={"/work/key": lambda _: b""},
        links={"/work/there": "/src"},
        stdout="/out/o",
    )

    assert run(step).outputs["/out/o"].read_text() == "400\nprint(1)\n"


def test_step_beside_a_service_is_refused(run, tools):
    tools("tool", "true")

    with pytest.raises(StepError, match="needs a server"):
        run(Step(executable="tool", services=("web",)))
