"""`scanrun completion`: each shell's script, and that it is answered."""

import os
import shutil
import subprocess
import sys

import pytest

from scanrun.cli.app import run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_scanrun(shell, capsys):
    code = run(["completion", shell])

    script = capsys.readouterr().out
    assert code == 0
    assert f"_SCANRUN_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_the_script(shell, capsys):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    run(["completion", shell])

    done = subprocess.run([shell, "-n"], input=capsys.readouterr().out.encode(), check=False)

    assert done.returncode == 0


def test_another_shell_is_refused(capsys):
    assert run(["completion", "tcsh"]) == 2
    assert "'tcsh'" in capsys.readouterr().err


def test_commands_are_completed():
    words = {"COMP_WORDS": "scanrun em", "COMP_CWORD": "1", "_SCANRUN_COMPLETE": "bash_complete"}

    done = subprocess.run(
        [sys.executable, "-m", "scanrun"],
        env=dict(os.environ) | words,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "plain,emit\n"
