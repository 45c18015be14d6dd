"""An application that runs already, named on the command line."""

import pytest

from scanrun.cli.app import run

URL, PLACE = "http://127.0.0.1:1/shop", "127.0.0.1:1"


@pytest.fixture
def plan(tmp_path, capsys):
    """Return a function that shows the plan of a small tree: exit code, stdout and stderr."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "app.py").write_text("x = 1\n")

    def call(*arguments, config=""):
        if config:
            (root / "scanrun.toml").write_text(config)
        code = run(["all", str(root), "--engine", "local", "--dry-run", *arguments])
        answer = capsys.readouterr()
        return code, answer.out, answer.err

    return call


def test_an_application_that_runs_is_named_with_two_flags(plan):
    code, out, _ = plan("--app-url", URL, "--allow-target", PLACE)

    assert code == 0
    assert f"app     {URL}" in out
    assert f"proof: GET {URL} answers 200" in out


def test_an_address_that_nobody_allowed_is_refused_with_what_to_say(plan):
    code, _, err = plan("--app-url", URL)

    assert code == 2
    assert f"{PLACE} is not among the targets" in err


def test_targets_of_both_are_allowed(plan):
    config = 'app.url = "http://127.0.0.1:1/"\napp.allowed_targets = ["127.0.0.1:1"]\n'

    code, out, _ = plan("--trust-config", "--allow-target", "127.0.0.1:2", config=config)

    assert code == 0
    assert "says where requests are sent" in out


def test_a_wrong_address_is_told_with_how_to_write_it(plan):
    code, _, err = plan("--app-url", "ftp://x", "--allow-target", PLACE)

    assert code == 2
    assert "url: write http://host:port/path" in err


def test_the_tree_s_own_file_sends_no_requests(plan):
    config = 'app.url = "http://127.0.0.1:1/"\napp.allowed_targets = ["127.0.0.1:1"]\n'

    code, _, err = plan(config=config)

    assert code == 2
    assert "app.url says where requests are sent" in err


def test_another_status_that_the_tree_s_own_file_asks_for_is_told(plan):
    _, out, _ = plan(config='[app]\nimage = "x:1"\nport = 80\nstatus = 404\n')

    assert "has the application answer 404 where it is scanned" in out
