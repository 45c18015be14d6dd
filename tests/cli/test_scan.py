"""`scanrun all` and `scan` as a shell sees them, with the real tools on the local engine."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

BAD = "import subprocess\nsubprocess.call(input(), shell=True)\n"


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "app.py").write_text(BAD)
    return root


def scanrun(*arguments, environment=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "scanrun", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CI": "true", **(environment or {})},
        **options,
    )


def test_plan_and_progress_go_to_stderr_findings_and_verdict_to_stdout(tree):
    done = scanrun("all", tree, "--engine", "local")

    assert done.returncode == 1
    assert "+ bandit: 1 Python file" in done.stderr
    assert "network not isolated" in done.stderr
    assert "trivy: skipped: 'trivy' is not installed: dependencies not checked" in done.stderr
    assert "app.py:2  B602" in done.stdout
    assert "failed: 1 finding at high or above (1 high); fails on high" in done.stdout
    assert "+ bandit" not in done.stdout


def test_json_has_stdout_to_itself(tree):
    done = scanrun("all", tree, "--engine", "local", "--json")

    assert json.loads(done.stdout)["status"] == "failed"
    assert "B602" in done.stderr
    assert json.loads(done.stdout) == json.loads((tree / ".scanrun/verdict.json").read_text())


def test_quiet_prints_the_verdict_alone(tree):
    done = scanrun("scan", "bandit", tree, "--engine", "local", "--quiet")

    assert done.stderr == ""
    assert done.stdout.startswith("failed: 1 finding at high or above")
    assert done.stdout.count("\n") == 1


def test_verbose_shows_what_is_run(tree):
    done = scanrun("scan", "bandit", tree, "--engine", "local", "--verbose")

    assert "--ignore-nosec" in done.stderr


def test_no_colour_into_a_pipe_nor_with_no_color(tree):
    plain = scanrun("scan", "bandit", tree, "--engine", "local")
    forced = scanrun("scan", "bandit", tree, "--engine", "local", environment={"FORCE_COLOR": "1"})
    both = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    silenced = scanrun("scan", "bandit", tree, "--engine", "local", environment=both)

    assert "\x1b[" not in plain.stdout + plain.stderr
    assert "\x1b[" in forced.stdout
    assert "\x1b[" not in silenced.stdout + silenced.stderr


def test_dry_run_shows_the_plan_and_leaves_nothing(tree):
    done = scanrun("all", tree, "--engine", "local", "--dry-run")

    assert done.returncode == 0
    assert "+ bandit" in done.stdout
    assert done.stderr == ""
    assert not (tree / ".scanrun").exists()


def test_dry_run_with_a_bad_configuration_is_2(tree):
    (tree / "scanrun.toml").write_text("[scan]\nexlude = []\n")

    done = scanrun("all", tree, "--engine", "local", "--dry-run")

    assert done.returncode == 2
    assert "exclude" in done.stderr


def test_exclude_takes_a_file_out_and_says_so(tree):
    done = scanrun("scan", "bandit", tree, "--engine", "local", "--exclude", "app.py", "-v")

    assert "- bandit: does not apply: no Python files" in done.stderr
    assert "left out: app.py (exclude)" in done.stderr


def test_single_file_can_be_scanned(tree):
    done = scanrun("scan", "bandit", tree / "app.py", "--engine", "local")

    assert done.returncode == 1
    assert "app.py:2  B602" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scan", "bandti", "."), "did you mean 'bandit'?"),
        (("scan", "bandit", "no-such-folder"), "does not exist"),
        (("scan", "bandit", ".", "--engine", "podmann"), "no engine 'podmann'"),
        (("scan", "bandit", ".", "--fail-on", "hihg"), "hihg"),
        (("all", ".", "--timeout", "soon"), "duration"),
    ],
    ids=["scanner", "path", "engine", "severity", "duration"],
)
def test_usage_errors_are_2_and_say_what_to_try(tree, arguments, said):
    done = scanrun(*arguments, cwd=tree)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("wrong", ["--fail-on=hihg", "--pull=somtimes", "--sonar=mine"])
def test_misspelt_word_leaves_no_old_verdict_behind(tree, wrong):
    scanrun("scan", "zizmor", ".", "--engine", "local", cwd=tree)

    assert scanrun("all", ".", wrong, cwd=tree).returncode == 2

    verdict = json.loads((tree / ".scanrun" / "verdict.json").read_text())
    assert (verdict["status"], verdict["exit_code"]) == ("incomplete", 3)


def test_no_engine_is_2_and_names_the_local_one(tree):
    environment = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}

    done = scanrun("all", tree, environment=environment)

    assert done.returncode == 2
    assert "--engine local" in done.stderr


def test_missing_executable_of_the_embedded_set_is_incomplete(tree, tmp_path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    code = "import sys; sys.executable = sys.argv.pop(1); sys.prefix = '/nonexistent';"
    code += "from scanrun.cli.app import run; sys.exit(run(sys.argv[1:]))"

    done = subprocess.run(
        [sys.executable, "-c", code, python, "all", tree, "--engine", "local"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": "/nonexistent"},
    )

    assert done.returncode == 3
    assert "'bandit' is not installed" in done.stdout
    assert "scanrun[local]" in done.stdout


def test_output_counts_from_where_the_user_is(tree, tmp_path):
    scanrun("scan", "bandit", tree, "--engine", "local", "--output", "mine", cwd=tmp_path)

    assert (tmp_path / "mine" / "verdict.json").exists()
    assert not (tree / "mine").exists()


def test_ctrl_c_ends_with_130_and_a_verdict(tree, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    config = tmp_path / "config.toml"
    config.write_text('[scanner.slow]\ncommand = "slow"\nstdout = true\n')
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "scanrun",
            "scan",
            "slow",
            tree,
            "--engine",
            "local",
            "--config",
            config,
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "CI": "true", "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    for line in process.stderr:
        if "slow: running" in line:
            break
    time.sleep(0.5)

    process.send_signal(signal.SIGINT)
    process.stderr.read()

    assert process.wait(20) == 130
    assert json.loads((tree / ".scanrun/verdict.json").read_text())["status"] == "interrupted"
    process.stderr.close()


@pytest.fixture
def passed(tree):
    """A tree whose last run passed."""
    (tree / "app.py").write_text("first = 1\n")
    done = scanrun("scan", "bandit", tree, "--engine", "local", "-q")
    assert (done.returncode, said(tree)) == (0, "passed")
    return tree


def said(tree, folder=".scanrun"):
    return json.loads((tree / folder / "verdict.json").read_text())["status"]


def test_run_that_can_not_begin_leaves_no_old_passed_behind(passed):
    (passed / "scanrun.toml").write_text("[scan\n")

    done = scanrun("scan", "bandit", passed, "--engine", "local")

    assert done.returncode == 2
    assert said(passed) == "incomplete"
    assert not (passed / ".scanrun" / "results.sarif").exists()


@pytest.mark.parametrize("by", ["flag", "variable", "configuration"])
def test_old_verdict_is_taken_back_wherever_the_folder_is_named(tree, tmp_path, by):
    (tree / "app.py").write_text("first = 1\n")
    flag = ("--output", tree / "mine") if by == "flag" else ()
    environment = {"SCANRUN_OUTPUT": "mine"} if by == "variable" else {}
    if by == "configuration":
        (tree / "scanrun.toml").write_text('[output]\ndir = "mine"\n')
    command = ("scan", "bandit", tree, "--engine", "local", *flag)
    assert scanrun(*command, environment=environment).returncode == 0
    (tree / "scanrun.lock").write_text("[")

    assert scanrun(*command, environment=environment).returncode == 2
    assert said(tree, "mine") == "incomplete"


@pytest.mark.parametrize("wrong", ["configuration", "flag", "plugin"])
def test_carried_folder_without_our_mark_keeps_no_old_passed(passed, wrong):
    output = passed / ".scanrun"
    (output / ".gitignore").unlink()
    assert {"junit.xml", "logs"} < {each.name for each in output.iterdir()}
    if wrong == "configuration":
        (passed / "scanrun.toml").write_text("[scan\n")
    more = {"flag": ["--fail-on", "hgih"], "plugin": ["--plugin", "none.py"]}.get(wrong, [])

    done = scanrun("scan", "bandit", passed, "--engine", "local", *more)

    assert (done.returncode, said(passed)) == (2, "incomplete")
    assert not (output / "junit.xml").exists()
    assert not (output / "results.sarif").exists()


def test_folder_that_a_ci_system_restored_is_scanned_into_again(passed):
    (passed / ".scanrun" / ".gitignore").unlink()

    done = scanrun("scan", "bandit", passed, "--engine", "local", "-q")

    assert (done.returncode, said(passed)) == (0, "passed")


@pytest.mark.parametrize("by", ["option", "variable", "tree"])
def test_run_into_another_folder_leaves_the_usual_one_alone(passed, tmp_path, by):
    config = (passed if by == "tree" else tmp_path) / "scanrun.toml"
    config.write_text('[output]\ndir = "other"\n')
    option = ("--config", config) if by == "option" else ()
    environment = {"SCANRUN_CONFIG": str(config)} if by == "variable" else {}
    command = ("scan", "bandit", passed, "--engine", "local", *option)

    done = scanrun(*command, environment=environment)
    wrong = scanrun(*command, "--fail-on", "hgih", environment=environment)

    assert (done.returncode, wrong.returncode) == (0, 2)
    assert (said(passed), said(passed, "other")) == ("passed", "incomplete")
    assert (passed / ".scanrun" / "results.sarif").exists()


def test_stranger_s_configuration_takes_back_no_verdict_outside_of_its_tree(passed, tmp_path):
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "app.py").write_text("first = 1\n")
    (stranger / "scanrun.toml").write_text('[output]\ndir = "../tree/.scanrun"\n')

    done = scanrun("scan", "bandit", stranger, "--engine", "local")

    assert done.returncode == 2
    assert said(passed) == "passed"


def test_dry_run_takes_nothing_back(passed):
    scanrun("scan", "bandit", passed, "--engine", "local", "--dry-run")
    (passed / "scanrun.toml").write_text("[scan\n")

    assert scanrun("all", passed, "--dry-run").returncode == 2
    assert said(passed) == "passed"
    assert (passed / ".scanrun" / "results.sarif").exists()


def test_ctrl_c_while_plugins_are_loaded_is_130_and_said(passed, tmp_path):
    plugin = tmp_path / "plugin.py"
    plugin.write_text("raise KeyboardInterrupt\n")

    done = scanrun("all", passed, "--engine", "local", "--plugin", plugin)

    assert (done.returncode, done.stderr.strip()) == (130, "interrupted")
    assert said(passed) == "incomplete"


def test_ctrl_c_while_scanrun_itself_is_loaded_shows_no_traceback():
    code = """
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "scanrun.cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from scanrun.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_image_that_no_scanner_of_the_run_looks_at_is_a_mistake(tree):
    done = scanrun("scan", "bandit", tree, "--engine", "local", "--image", "alpine:3")

    assert done.returncode == 2
    assert "'alpine:3'" in done.stderr
    assert "trivy-image" in done.stderr


def test_image_asks_for_its_scanner_on_every_engine(tree, tmp_path):
    (tree / "app.py").write_text("first = 1\n")
    bare = {"PATH": "/usr/bin:/bin"}

    done = scanrun("all", tree, "--engine", "local", "--image", "alpine:3", environment=bare)

    assert done.returncode == 3
    assert "trivy-image" in done.stdout


def test_output_folder_of_somebody_else_is_refused_and_kept(tree):
    (tree / "raw").mkdir()
    (tree / "raw" / "data.csv").write_text("keep")

    for folder in (".", "raw", ".."):
        done = scanrun("scan", "bandit", ".", "--engine", "local", "--output", folder, cwd=tree)
        assert done.returncode == 2
        assert "--output" in done.stderr

    assert (tree / "raw" / "data.csv").read_text() == "keep"


@pytest.mark.parametrize("named", ["configuration", "variable", "flag"])
def test_link_in_the_tree_leads_no_output_out_of_it(tree, tmp_path, named):
    (tmp_path / "victim" / "proj").mkdir(parents=True)
    (tree / "link").symlink_to(tmp_path / "victim")
    if named == "configuration":
        (tree / "scanrun.toml").write_text('[output]\ndir = "link/proj"\n')
    environment = {"SCANRUN_OUTPUT": "link/proj"} if named == "variable" else {}
    flag = ("--output", "link/proj") if named == "flag" else ()

    command = ("scan", "bandit", ".", "--engine", "local", *flag)
    done = scanrun(*command, environment=environment, cwd=tree)

    assert done.returncode == 2
    assert "is a link" in done.stderr
    assert [*(tmp_path / "victim" / "proj").iterdir()] == []


def test_lock_file_of_the_tree_is_told(tree):
    digest = "sha256:" + "0" * 64
    (tree / "scanrun.lock").write_text(f'version = 1\n[images]\n"a/b:1" = "{digest}"\n')

    done = scanrun("scan", "bandit", tree, "--engine", "local", "--json")

    told = json.loads(done.stdout)["told"]
    assert "scanrun.lock of the scanned tree says which images 1 names mean" in told


def test_an_empty_folder_is_incomplete_and_leaves_every_report(tmp_path):
    tree, config = tmp_path / "tree", tmp_path / "own.toml"
    tree.mkdir()
    config.write_text('[report]\nformats = ["junit"]\n')

    done = scanrun("all", tree, "--engine", "local", "--config", config)

    assert done.returncode == 3
    assert "no scanner ran, so nothing was checked: the tree has no files" in done.stdout
    assert "no scanner ran" in (tree / ".scanrun/junit.xml").read_text()
    assert json.loads((tree / ".scanrun/results.sarif").read_text())["runs"] == []


def test_what_was_not_checked_is_in_the_verdict_even_when_quiet(tree):
    done = scanrun("all", tree, "--engine", "local", "--quiet")

    assert "trivy skipped: dependencies not checked" in done.stdout
    verdict = json.loads((tree / ".scanrun/verdict.json").read_text())
    assert "trivy skipped: dependencies not checked" in verdict["told"]
    assert "trivy skipped: dependencies not checked" in verdict["reason"]


def test_nothing_of_the_plan_is_shown_twice_where_both_streams_end_in_one_place(tree):
    (tree / ".bandit").write_text("[bandit]\nskips = B602\n")

    done = subprocess.run(
        [sys.executable, "-m", "scanrun", "scan", "bandit", tree, "--engine", "local"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert done.stdout.count("'.bandit'") == 1


def test_an_unreachable_engine_is_told_once_with_what_to_try_once(tree):
    done = scanrun("all", tree, environment={"DOCKER_HOST": "unix:///nonexistent/docker.sock"})

    assert done.stderr.count("no container engine") == 1
    assert done.stderr.count("--engine local") == 1


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (("--skip", "bandti"), "error: --skip: no scanner 'bandti'\n  try: did you mean 'bandit'?"),
        (("--engine", "lokal"), "error: no engine 'lokal'\n  try: did you mean 'local'?"),
    ],
    ids=["skip", "engine"],
)
def test_a_misspelt_name_is_told_with_its_flag_and_the_nearest_one(tree, flag, said):
    done = scanrun("all", tree, *flag)

    assert done.returncode == 2
    assert said in done.stderr
