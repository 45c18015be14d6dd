import re
from pathlib import Path

import pytest
from local_scan import scan_locally

from scanrun.errors import ConversionError
from scanrun.model import Notification, Severity, Snapshot, SnapshotFile, Target
from scanrun.sarif.build import Rule
from scanrun.testing import outputs
from scanrun_plugins.scanners.bandit import REPORT, Bandit

MIXED = Path(__file__).parents[1] / "data" / "bandit" / "mixed.json"


def test_issues_keep_bandits_severity_and_place(check_scanner):
    findings = check_scanner(Bandit(), MIXED, exit_code=1)

    places = [(f.rule_id, f.path, f.line, f.severity.value) for f in findings]
    assert places == [
        ("B404", "app.py", 1, "low"),
        ("B602", "app.py", 5, "high"),
        ("B602", "app.py", 6, "low"),
        ("B607", "app.py", 6, "low"),
        ("B105", "sub/conf.py", 8, "low"),
    ]


def test_password_is_not_in_the_message(check_scanner):
    *_, password = check_scanner(Bandit(), MIXED, exit_code=1)

    assert password.message == "Possible hardcoded password"


def test_rule_is_as_bad_as_its_worst_issue():
    rules = {
        item.id: item for item in Bandit().convert(outputs(REPORT, MIXED)) if isinstance(item, Rule)
    }

    assert rules["B602"].properties["security-severity"] == "8.0"
    assert rules["B602"].properties["precision"] == "high"
    assert "cwe-78" in rules["B602"].properties["tags"]
    assert rules["B404"].short_description.text == "import subprocess"


def test_file_that_can_not_be_parsed_is_an_error_and_not_left_out():
    notes = [n for n in Bandit().convert(outputs(REPORT, MIXED)) if isinstance(n, Notification)]

    assert [(n.level, n.path) for n in notes] == [("error", "bad.py")]
    assert "syntax error" in notes[0].text


def test_files_with_metrics_are_accounted_for():
    assert Bandit().accounted(outputs(REPORT, MIXED)) == {"app.py", "bad.py", "sub/conf.py"}


def test_python_files_are_expected():
    names = ("a.py", "b.pyw", "c.pyi", "d.txt")
    snapshot = Snapshot(root=Path(), files=tuple(SnapshotFile(name, 1) for name in names))

    expected = Bandit().expects(Target(snapshot=snapshot))

    assert [each.path for each in expected] == ["a.py", "b.pyw"]
    assert Bandit().applies(Target(snapshot=snapshot)).reason == "2 Python files"


@pytest.mark.parametrize("data", [b"", b"{}", b"Traceback", b'{"errors":[],"results":[]}'])
def test_unreadable_output_is_an_error_not_a_clean_scan(data):
    with pytest.raises(ConversionError):
        list(Bandit().convert(outputs(REPORT, data)))


@pytest.mark.parametrize(
    "line",
    [
        "[tester]\tERROR\tBandit internal error running: hardcoded_sql_expressions on file a.py",
        "[manager]\tERROR\tException occurred when executing tests against a.py.",
    ],
)
def test_failure_inside_a_file_shows_in_the_log(line):
    assert any(re.search(sign.pattern, line) and sign.incomplete for sign in Bandit.signs)


def test_real_bandit_finds_canary_and_code_and_reads_every_file(tmp_path):
    tree = {"app.py": b"exec(input())\n", "build/.hidden/b.py": b"assert x\n", "w.pyw": b"x = 1\n"}

    scan = scan_locally(Bandit(), tree, tmp_path)

    assert scan.canary >= {"B102"}
    assert {("B102", "app.py"), ("B101", "build/.hidden/b.py")} <= scan.mine
    assert (scan.missing, scan.codes, scan.notifications) == (set(), [1], [])


def test_bandit_settings_of_the_tree_have_no_effect(tmp_path):
    tree = {
        "app.py": b"exec(input())  # nosec\n",
        ".bandit": b"[bandit]\nskips: B102\nexclude: app.py\n",
        "sub/.bandit": b"[bandit]\ntests: B101\n",
    }

    scan = scan_locally(Bandit(), tree, tmp_path)

    assert ("B102", "app.py") in scan.mine


def test_real_bandit_names_the_file_it_could_not_parse(tmp_path):
    scan = scan_locally(Bandit(), {"bad.py": b"def f(:\n", "l.py": b"x = '\xe9'\n"}, tmp_path)

    assert [(n.path, n.level) for n in scan.notifications] == [
        ("bad.py", "error"),
        ("l.py", "error"),
    ]


def test_severity_words_are_all_known():
    words = ("LOW", "MEDIUM", "HIGH")

    assert [Severity.of_word(w).value for w in words] == ["low", "medium", "high"]


@pytest.mark.parametrize("metrics", [b"{}", b'{"_totals": {"loc": 0}}'])
def test_report_that_names_no_file_is_an_error_not_a_clean_scan(metrics):
    """So it looks where Bandit is given a folder without `-r`."""
    report = b'{"errors": [], "metrics": ' + metrics + b', "results": []}'

    (note,) = Bandit().convert(outputs(REPORT, report))

    assert (note.level, note.text) == ("error", "Bandit names no file that it has looked at")
