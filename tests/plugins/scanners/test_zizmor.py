import json
import re
from pathlib import Path

import pytest
from local_scan import scan_locally

from scanrun.errors import ConversionError
from scanrun.model import Snapshot, SnapshotFile, Target
from scanrun.testing import outputs
from scanrun_plugins.scanners.zizmor import REPORT, Zizmor

DATA = Path(__file__).parents[1] / "data" / "zizmor"
REPORTED = DATA / "one-workflow.sarif"
WORKFLOW = b"""\
on: pull_request
permissions: {}
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event.pull_request.title }}"  # zizmor: ignore[template-injection]
"""


def test_severity_is_zizmors_own_word(check_scanner):
    findings = check_scanner(Zizmor(), REPORTED)

    assert {(f.rule_id, f.path, f.severity.value) for f in findings} == {
        ("dangerous-triggers", ".github/workflows/ci.yml", "high"),
        ("excessive-permissions", ".github/workflows/ci.yml", "medium"),
        ("template-injection", ".github/workflows/ci.yml", "high"),
    }


def test_source_text_stays_behind():
    items = list(Zizmor().convert(outputs(REPORT, REPORTED)))

    assert "github.event.pull_request.title" in REPORTED.read_text()
    assert not any("pull_request.title" in repr(item) for item in items)


def test_completed_files_are_accounted_for():
    log = (DATA / "one-workflow.log").read_bytes()

    given = outputs(REPORT, REPORTED, log=log)

    assert Zizmor().accounted(given) == {".github/workflows/ci.yml"}
    assert Zizmor().version(given) == "1.32.0"


def test_another_tools_sarif_is_refused():
    log = json.loads(REPORTED.read_text())
    log["runs"][0]["tool"]["driver"]["name"] = "other"

    with pytest.raises(ConversionError, match="not zizmor's"):
        list(Zizmor().convert(outputs(REPORT, json.dumps(log).encode())))


def test_workflows_and_actions_are_expected():
    names = (
        ".github/workflows/a.yml",
        "sub/.github/workflows/b.yaml",
        "act/action.yml",
        ".github/workflows/sub/no.yml",
        "faction.yml",
    )
    snapshot = Snapshot(root=Path(), files=tuple(SnapshotFile(name, 1) for name in names))

    expected = Zizmor().expects(Target(snapshot=snapshot))

    assert [each.path for each in expected] == list(names[:3])


def test_nothing_collected_is_no_listed_exit_code():
    (step,) = Zizmor().steps(Target(snapshot=Snapshot(root=Path())))

    assert step.ok_exit_codes == {0}


def test_real_zizmor_finds_canary_and_workflow_whatever_the_tree_says(tmp_path):
    tree = {
        ".github/workflows/ci.yml": WORKFLOW,
        ".github/zizmor.yml": b"rules:\n  template-injection:\n    disable: true\n",
        ".gitignore": b"*\n",
    }

    scan = scan_locally(Zizmor(), tree, tmp_path)

    assert scan.canary >= {"template-injection"}
    assert ("template-injection", ".github/workflows/ci.yml") in scan.mine
    assert (scan.missing, scan.codes) == (set(), [0])


def test_broken_workflow_is_missing_and_shows_in_the_log(tmp_path):
    scan = scan_locally(Zizmor(), {".github/workflows/x.yml": b"on: [\n"}, tmp_path)

    assert scan.missing == {".github/workflows/x.yml"}
    assert any(re.search(sign.pattern, scan.log) and sign.incomplete for sign in Zizmor.signs)
