"""`scanrun emit`: the examples are what it prints, and what it prints fits the configuration."""

from pathlib import Path

import pytest

from scanrun import __version__
from scanrun.cli.app import run
from scanrun.cli.emit import invocation_of
from scanrun.config import Settings
from scanrun.plugins import load_plugins

EXAMPLES = Path(__file__).parents[2] / "examples/buildspecs"
FILES = {
    "codebuild": "buildspec-full.yml",
    "codebuild-short": "buildspec.yml",
    "gitlab": ".gitlab-ci.yml",
    "jenkins": "Jenkinsfile",
}


@pytest.mark.parametrize("system", FILES)
def test_the_example_is_what_is_printed(system, tmp_path, capsys):
    code = run(["emit", system, str(tmp_path)])

    assert code == 0
    assert capsys.readouterr().out == (EXAMPLES / FILES[system]).read_text()


def test_every_emitter_has_its_example():
    assert set(load_plugins(scanned=EXAMPLES).ci_emitters) == set(FILES)
    assert {file.name for file in EXAMPLES.iterdir()} == set(FILES.values())


def test_this_version_is_installed():
    assert invocation_of(Settings()).version == __version__


def test_the_configuration_of_the_tree_counts(tmp_path, capsys):
    (tmp_path / "scanrun.toml").write_text(
        '[gate]\nfail_on = "medium"\n[output]\ndir = "build/scan"\n[scan]\nengine = "local"\n'
    )

    run(["emit", "gitlab", str(tmp_path)])

    text = capsys.readouterr().out
    assert "scanrun all --fail-on never --engine local --output build/scan" in text
    assert "scanrun gate build/scan/results.sarif --fail-on medium" in text


def test_flags_count_more_than_the_configuration(tmp_path, capsys):
    (tmp_path / "scanrun.toml").write_text('[gate]\nfail_on = "medium"\n')

    run(["emit", "codebuild", str(tmp_path), "--fail-on", "critical"])

    assert "scanrun all --fail-on critical\n" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["x'; id; '", "$(id)", "a\\nb: c", "/tmp/out", "../out"])
@pytest.mark.parametrize("system", FILES)
def test_a_hostile_output_folder_never_reaches_a_file(tmp_path, capsys, system, folder):
    (tmp_path / "scanrun.toml").write_text(f'[output]\ndir = "{folder}"\n')

    code = run(["emit", system, str(tmp_path)])

    assert (code, capsys.readouterr().out) == (2, "")


def test_an_unknown_system_is_answered_with_the_nearest_name(tmp_path, capsys):
    code = run(["emit", "gitlb", str(tmp_path)])

    answer = capsys.readouterr()
    assert (code, answer.out) == (2, "")
    assert "'gitlb'" in answer.err
    assert "did you mean 'gitlab'?" in answer.err


def test_a_system_like_no_other_is_answered_with_all_names(tmp_path, capsys):
    run(["emit", "zzz", str(tmp_path)])

    assert "known: codebuild, codebuild-short, gitlab, jenkins" in capsys.readouterr().err


def test_the_file_can_be_written_in_place(tmp_path, capsys):
    run(["emit", "jenkins", str(tmp_path), "-o", str(tmp_path / "Jenkinsfile")])

    assert capsys.readouterr().out == ""
    assert (tmp_path / "Jenkinsfile").read_text() == (EXAMPLES / "Jenkinsfile").read_text()


def test_a_file_that_can_not_be_written_is_an_error(tmp_path, capsys):
    code = run(["emit", "jenkins", str(tmp_path), "-o", str(tmp_path / "missing" / "Jenkinsfile")])

    assert code == 2
    assert "can't write" in capsys.readouterr().err
