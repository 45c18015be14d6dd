"""`scanrun doctor --prove`: could the scanners find anything today? With the real tools."""

import pytest

from scanrun.cli.app import run

CONFIG = '[scan]\nskip = ["trivy", "trivy-image"]\n'


@pytest.fixture
def prove(tmp_path, capsys):
    """Return a function that proves scanners for a tree with a configuration of the user's own."""

    def call(config="", *more):
        tree = tmp_path / "tree"
        tree.mkdir()
        (tree / "notes.txt").write_text("no scanner but one applies here\n")
        own = tmp_path / "own.toml"
        own.write_text(CONFIG + config)
        code = run(["doctor", str(tree), "--prove", "--config", str(own), *more])
        shown = capsys.readouterr().out.splitlines()
        return code, {
            name.removeprefix("proof of "): (mark, detail)
            for line in shown
            if "proof of " in line
            for mark, _, rest in [line.partition("  ")]
            for name, _, detail in [rest.strip().partition(": ")]
        }

    return call


def test_every_scanner_that_works_is_proven_whether_it_applies_or_not(prove, tmp_path):
    code, proofs = prove("", "--engine", "local")

    named = {name for name, (mark, _) in proofs.items() if mark.startswith("ok")}
    assert named == {"bandit", "detect-secrets", "zizmor"}
    assert code == 0
    assert all("canary found" in proofs[name][1] for name in named)
    assert [each.name for each in (tmp_path / "tree").iterdir()] == ["notes.txt"]


def test_a_scanner_that_could_find_nothing_is_a_problem(prove):
    code, proofs = prove('[scanner.bandit]\nargs = ["-s", "B102"]\n', "--engine", "local")

    assert code == 1
    mark, detail = proofs["bandit"]
    assert mark.startswith("problem")
    assert "did not find its canary (B102)" in detail


def test_a_scanner_without_a_canary_is_not_proven_and_no_problem(prove):
    _, proofs = prove('[scanner.mine]\ncommand = "ruff"\n', "--engine", "local")

    mark, detail = proofs["mine"]
    assert mark.startswith("note")
    assert "it has no canary" in detail


def test_nothing_is_left_behind(prove, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    prove("", "--engine", "local")

    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.docker
@pytest.mark.lab
def test_image_scanners_are_proven_on_an_image_of_their_own(tmp_path, lab, capsys):
    tables = (
        f'[scanner.{name}]\ndb_repository = "{lab["db_repository"]}"\n'
        for name in ("trivy", "trivy-image")
    )
    own = tmp_path / "own.toml"
    skipped = '[scan]\nskip = ["bandit", "dependency-check", "detect-secrets", "zizmor"]\n'
    own.write_text(skipped + "".join(tables))

    code = run(["doctor", str(tmp_path), "--prove", "--config", str(own), "--engine", "docker"])

    shown = capsys.readouterr().out
    assert code == 0, shown
    for name in ("trivy", "trivy-image"):
        (line,) = (each for each in shown.splitlines() if f"proof of {name}:" in each)
        assert line.startswith("ok")
        assert "canary found" in line
