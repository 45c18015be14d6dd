import re
from pathlib import Path

import pytest
from local_scan import scan_locally

from scanrun.errors import ConversionError
from scanrun.model import Notification, Outputs, Snapshot, Target
from scanrun.testing import outputs
from scanrun_plugins.scanners.ruff import REPORT, Ruff

MIXED = Path(__file__).parents[1] / "data" / "ruff" / "mixed.json"


def test_severity_is_that_of_the_bandit_twin(check_scanner):
    findings = check_scanner(Ruff(), MIXED, exit_code=1)

    places = [(f.rule_id, f.path, f.line, f.severity.value) for f in findings]
    assert places == [
        ("S602", "app.py", 5, "high"),
        ("S602", "app.py", 6, "low"),
        ("S607", "app.py", 6, "low"),
    ]


def test_syntax_error_is_one_error_a_file_and_no_finding():
    notes = [n for n in Ruff().convert(outputs(REPORT, MIXED)) if isinstance(n, Notification)]

    assert [(n.level, n.path) for n in notes] == [("error", "bad.py")]


def test_unknown_rule_is_medium(check_scanner):
    data = MIXED.read_bytes().replace(b"S607", b"S999")

    assert {f.severity.value for f in check_scanner(Ruff(), data) if f.rule_id == "S999"} == {
        "medium"
    }


def test_path_outside_the_tree_is_refused():
    data = MIXED.read_bytes().replace(b"/src/app.py", b"/elsewhere/app.py")

    with pytest.raises(ConversionError, match="elsewhere"):
        list(Ruff().convert(outputs(REPORT, data)))


def test_file_that_was_not_linted_shows_in_the_log():
    line = "warning: Failed to lint a.py: stream did not contain valid UTF-8"

    assert any(re.search(sign.pattern, line) and sign.incomplete for sign in Ruff.signs)


def test_it_runs_on_request_only():
    assert Ruff.on_request
    assert not Ruff().applies(Target(snapshot=Snapshot(root=Path()))).yes


def test_real_ruff_looks_into_every_folder_whatever_the_tree_says(tmp_path):
    call = b"exec(input())  # noqa: S102\n"
    tree = {
        "a.py": call + b"# ruff: noqa\n",
        "node_modules/b.py": call,
        ".venv/c.py": call,
        "w.pyw": call,
        "pyproject.toml": b"[tool.ruff]\nexclude = ['*']\nlint.ignore = ['S']\n",
        ".gitignore": b"*\n",
    }

    scan = scan_locally(Ruff(), tree, tmp_path)

    assert {path for rule, path in scan.mine if rule == "S102"} == {
        "a.py",
        "node_modules/b.py",
        ".venv/c.py",
        "w.pyw",
    }
    assert scan.canary >= {"S102"}
    assert (scan.missing, scan.codes) == (set(), [1])


def test_real_ruff_tells_in_its_log_what_it_could_not_read(tmp_path):
    scan = scan_locally(Ruff(), {"latin.py": b"x = '\xe9'\n"}, tmp_path)

    assert any(re.search(sign.pattern, scan.log) for sign in Ruff.signs)


def test_saved_report_that_is_an_empty_list_is_refused(tmp_path):
    """Any tool could have written it; in a run its log stands beside it, and a canary is found."""
    report = tmp_path / "report.json"
    report.write_bytes(b"[]")

    with pytest.raises(ConversionError, match="any tool"):
        list(Ruff().convert(Outputs({REPORT: report})))
    assert list(Ruff().convert(outputs(REPORT, b"[]"))) == []
