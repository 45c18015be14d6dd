"""Files that would change a scan: which are left out, which are only told."""

import pytest

from scanrun.model import Influence, Tell
from scanrun.snapshot import take_snapshot
from scanrun.stages.tells import tell_influences
from scanrun_plugins.scanners.sonar.scanner import Sonar

TOLD = Influence(effect="changes it", left_out=False)
SECTION = Influence(effect="has settings", left_out=False, holding=r"^\[tool\.x\b")


@pytest.fixture
def take(tmp_path):
    def call(files, tells):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        snapshot = take_snapshot(tmp_path, environment={}, tells=tells)
        return [file.path for file in snapshot.files], snapshot.tells

    return call


def test_what_is_only_told_stays_in_the_copy(take):
    files, tells = take({".x": "", "a": ""}, {"x": {".x": TOLD}})

    assert files == [".x", "a"]
    assert tells == (Tell(".x", "x", "changes it", left_out=False),)


def test_a_text_is_the_effect_of_what_is_left_out(take):
    assert take({".x": "", "a": ""}, {"x": {".x": "runs code"}}) == (
        ["a"],
        (Tell(".x", "x", "runs code"),),
    )


def test_what_one_scanner_wants_out_is_out_for_all_and_told_of_both(take):
    files, tells = take({".x": ""}, {"x": {".x": "runs code"}, "y": {".x": TOLD}})

    assert files == []
    assert [(each.scanner, each.left_out) for each in tells] == [("x", True), ("y", False)]


def test_a_later_pattern_that_wants_it_out_is_heeded_too(take):
    files, _ = take({".x": ""}, {"x": {".x": TOLD, ".*": "runs code"}})

    assert files == []


def test_a_name_that_counts_at_the_root_is_free_elsewhere(take):
    at_root = Influence(effect="changes it", left_out=False, at_root=True)

    _, tells = take({"x.yaml": "", "k8s/x.yaml": ""}, {"x": {"x.yaml": at_root}})

    assert [each.path for each in tells] == ["x.yaml"]


@pytest.mark.parametrize(
    ("text", "told"), [("[a]\n[tool.x]\n", 1), ("[tool.xy]\n", 0), ("# [tool.x]\n", 0), ("", 0)]
)
def test_a_file_is_told_for_what_it_holds(take, text, told):
    files, tells = take({"p.toml": text}, {"x": {"p.toml": SECTION}})

    assert (files, len(tells)) == (["p.toml"], told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "has no effect on sonar"),
        ({"project_settings": "ignore"}, "has no effect on sonar"),
        (
            {"project_settings": "allow"},
            "is heeded by sonar, as project_settings = 'allow' asks: it says what is analysed",
        ),
    ],
)
def test_a_file_that_an_option_asks_to_heed_is_told_as_heeded(tmp_path, options, told):
    (tmp_path / "sonar-project.properties").touch()
    sonar = Sonar()
    snapshot = take_snapshot(tmp_path, environment={}, tells={"sonar": sonar.tells})

    (text,) = tell_influences(snapshot, [sonar], {}, {"sonar": options})

    assert f"'sonar-project.properties' {told}" in text
