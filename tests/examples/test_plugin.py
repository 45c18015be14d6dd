import json
import subprocess
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PLUGIN = PROJECT / "examples" / "plugin"


def call(*argv, cwd):
    return subprocess.run(
        [str(each) for each in argv], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def binaries(tmp_path_factory):
    """Return the programs of a fresh environment with this project and the plugin in it."""
    folder = tmp_path_factory.mktemp("plugin") / "venv"
    venv.create(folder, with_pip=True)
    install = (folder / "bin" / "python", "-m", "pip", "install", "-q", PROJECT, f"{PLUGIN}[test]")
    done = call(*install, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "project").mkdir()
    source = "void f(char *b, char *s) {\n  strcpy(b, s); /* Flawfinder: ignore */\n}\n"
    (tmp_path / "project" / "copy.c").write_text(source)
    return tmp_path / "project"


@pytest.mark.timeout(600)
def test_third_party_plugin_runs_and_fails_the_gate(binaries, tree):
    done = call(binaries / "scanrun", "scan", "flawfinder", tree, "--engine", "local", cwd=tree)

    assert done.returncode == 1, done.stderr
    (run,) = json.loads((tree / ".scanrun" / "results.sarif").read_text())["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["FF1001"]
    (scanner,) = json.loads((tree / ".scanrun" / "verdict.json").read_text())["scanners"]
    assert scanner["evidence"]["canary"] == "found"


@pytest.mark.timeout(600)
def test_plugins_own_tests_pass_where_only_it_is_installed(binaries):
    done = call(binaries / "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=PLUGIN)

    assert done.returncode == 0, done.stdout


def test_plugin_is_under_fifty_lines_and_imports_only_the_api():
    text = (PLUGIN / "scanrun_flawfinder.py").read_text()

    imports = [line for line in text.splitlines() if line.startswith(("import", "from"))]
    assert len(text.splitlines()) < 50
    assert [line for line in imports if "scanrun" in line] == ["from scanrun import api"]
