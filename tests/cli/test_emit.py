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
    assert "scanrun gate build/scan/results.sarif\n" in text


@pytest.mark.parametrize("system", FILES)
def test_a_threshold_of_the_configuration_is_left_to_it_so_that_a_stricter_one_counts(
    tmp_path, capsys, system
):
    (tmp_path / "scanrun.toml").write_text('[gate]\nfail_on = "medium"\n')

    run(["emit", system, str(tmp_path)])

    text = capsys.readouterr().out
    assert "medium" not in text
    assert "--fail-on" not in text.replace("scanrun all --fail-on never", "")


def test_a_configuration_that_says_no_threshold_leaves_the_one_line_as_it_is(tmp_path, capsys):
    (tmp_path / "scanrun.toml").write_text('[scan]\nengine = "local"\n')

    run(["emit", "codebuild", str(tmp_path)])

    assert "scanrun all --fail-on high --engine local\n" in capsys.readouterr().out


@pytest.mark.parametrize("system", FILES)
def test_a_named_configuration_is_named_in_each_line_from_the_root_of_the_tree(
    tmp_path, monkeypatch, capsys, system
):
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "strict.toml").write_text('[output]\ndir = "other"\n')
    monkeypatch.chdir(tmp_path / "ci")

    code = run(["emit", system, "..", "--config", "strict.toml", "--fail-on", "low"])

    text = capsys.readouterr().out
    lines = [line for line in text.splitlines() if "scanrun all" in line or "scanrun gate" in line]
    assert code == 0
    assert lines
    assert all("--config ci/strict.toml" in line for line in lines)
    assert "--fail-on low --config" in text


def test_the_threshold_of_a_named_configuration_is_left_to_it(tmp_path, capsys):
    (tmp_path / "strict.toml").write_text('[gate]\nfail_on = "low"\n')

    run(["emit", "codebuild", str(tmp_path), "--config", str(tmp_path / "strict.toml")])

    assert "- scanrun all --config strict.toml\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../strict.toml", "its own.toml", "$(id).toml"])
def test_a_configuration_that_the_ci_machine_would_not_find_is_refused(tmp_path, capsys, name):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / name).write_text("[gate]\n")

    code = run(["emit", "codebuild", str(tree), "--config", str(tree / name)])

    answer = capsys.readouterr()
    assert (code, answer.out) == (2, "")
    assert Path(name).name in answer.err


def test_the_threshold_of_a_configuration_that_only_a_variable_names_is_written(
    tmp_path, monkeypatch, capsys
):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "mine.toml").write_text('[gate]\nfail_on = "low"\n')
    monkeypatch.setenv("SCANRUN_CONFIG", str(tmp_path / "mine.toml"))

    run(["emit", "codebuild", str(tree)])

    assert "- scanrun all --fail-on low\n" in capsys.readouterr().out


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
