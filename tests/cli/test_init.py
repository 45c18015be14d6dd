import re

import pytest

from scanrun.cli.app import run
from scanrun.config import load_settings
from scanrun.plugins import load_plugins


@pytest.fixture
def tree(tmp_path):
    for name in ("app.py", "poetry.lock", "Dockerfile", ".github/workflows/ci.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "web" / "vendor").mkdir(parents=True)
    (tmp_path / "web" / "vendor" / "lib.js").write_text("1\n")
    return tmp_path


def load(tree):
    scanners = load_plugins(scanned=tree).scanners
    return load_settings(
        tree, config=None, flags={}, environment={}, scanners=scanners, trusted=False
    )


def test_init_writes_what_it_found_and_who_looks_at_it(tree, capsys):
    code = run(["init", str(tree)])

    text = (tree / "scanrun.toml").read_text()
    assert code == 0
    assert (
        "# Found: 1 JavaScript file, 1 Python file, poetry.lock, 1 workflow, 1 Dockerfile." in text
    )
    assert re.search(r"^#   bandit +runs: 1 Python file$", text, re.MULTILINE)
    assert '#exclude = ["web/vendor/"]' in text
    assert "scanrun all --dry-run" in capsys.readouterr().err


def test_what_init_writes_is_valid_and_changes_nothing(tree):
    before = load(tree).settings
    run(["init", str(tree)])

    loaded = load(tree)

    assert loaded.settings == before
    assert loaded.told == ()


def test_every_suggestion_is_valid(tree):
    run(["init", str(tree)])
    file = tree / "scanrun.toml"

    file.write_text(re.sub(r"^#(?=\S)", "", file.read_text(), flags=re.MULTILINE))

    settings = load(tree).settings
    assert "bandit" in settings.scan.required
    assert settings.scan.exclude == ("web/vendor/",)
    assert len(settings.waiver) == 1


def test_init_works_on_a_folder_with_nothing_in_it(tmp_path):
    code = run(["init", str(tmp_path)])

    assert code == 0
    assert load(tmp_path).file == tmp_path / "scanrun.toml"


def test_init_never_replaces_a_file_unless_forced(tree, capsys):
    (tree / "scanrun.toml").write_text("mine, and broken")

    refused = run(["init", str(tree)])
    kept = (tree / "scanrun.toml").read_text()
    forced = run(["init", "--force", str(tree)])

    assert (refused, kept, forced) == (2, "mine, and broken", 0)
    assert "--force" in capsys.readouterr().err
    assert load(tree).settings.gate.fail_on == "high"


def test_init_does_not_make_a_second_configuration(tree, capsys):
    (tree / "pyproject.toml").write_text("[tool.scanrun]\n")

    code = run(["init", "--force", str(tree)])

    assert code == 2
    assert "configures this folder already" in capsys.readouterr().err
    assert not (tree / "scanrun.toml").exists()


def test_names_of_a_hostile_tree_stay_within_their_comments(tree):
    folder = tree / "a\n[gate]\nfail_on = 'never'\n" / "vendor"
    folder.mkdir(parents=True)
    (folder / "x.py").write_text("")

    run(["init", str(tree)])

    assert load(tree).settings.gate.fail_on == "high"
    assert "never'" not in (tree / "scanrun.toml").read_text()


def test_init_wants_a_folder(tree, capsys):
    assert run(["init", str(tree / "app.py")]) == 2
    assert "is no folder" in capsys.readouterr().err
