"""How each tool's ignore comments are written, and which of them speak of a finding."""

import datetime as dt

import pytest

from scanrun.model import Snapshot, SnapshotFile
from scanrun.stages.ignores import IgnoreComments
from scanrun_plugins.scanners.bandit import Bandit
from scanrun_plugins.scanners.ruff import Ruff
from scanrun_plugins.scanners.trivy.tree import Trivy
from scanrun_plugins.scanners.zizmor import Zizmor


@pytest.fixture
def justification(tmp_path):
    """Return a function: the reason that a comment gives for a finding beside it, or None."""

    def ask(scanner, comment, rule_id, name="", *, above=False):
        source = f"{comment}\nx\n" if above else f"x {comment}\n"
        (tmp_path / "f").write_text(source)
        snapshot = Snapshot(root=tmp_path, files=(SnapshotFile("f", 1),))
        place = {"artifactLocation": {"uri": "f"}, "region": {"startLine": 2 if above else 1}}
        result = {"ruleId": rule_id, "locations": [{"physicalLocation": place}]}
        marked = IgnoreComments(scanner, snapshot, dt.date(2026, 6, 1)).mark(result, {"name": name})
        found = marked.get("suppressions")
        return found[0]["justification"] if found else None

    return ask


BESIDE = "ignore comment on line 1"


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# nosec", BESIDE),
        ("#nosec", BESIDE),
        ("# NOSEC", BESIDE),
        ("# nosec B602", BESIDE),
        ("# nosec: B602, B404", BESIDE),
        ("# nosec B602 - a constant", "a constant"),
        ("# nosec subprocess_popen_with_shell_equals_true", BESIDE),
        ("# nosec because it is a constant", "because it is a constant"),
        ("# nosec B404", None),
        ("# nosec assert_used", None),
        ("# nosec pickle", None),
        ("# no sec", None),
    ],
)
def test_nosec_of_bandit(justification, comment, reason):
    name = "SubprocessPopenWithShellEqualsTrue"

    assert justification(Bandit(), comment, "B602", name) == reason


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# noqa", BESIDE),
        ("#NoQA", BESIDE),
        ("# noqa: S602", BESIDE),
        ("# noqa:E501,S602 fine here", "fine here"),
        ("# noqa: S60", None),
        ("# noqa: E501", None),
        ("# noqaish", None),
        ("# nosec", None),
    ],
)
def test_noqa_of_ruff(justification, comment, reason):
    assert justification(Ruff(), comment, "S602") == reason


@pytest.mark.parametrize(
    ("comment", "marked"),
    [
        ("# ruff: noqa", True),
        ("# flake8: noqa: S602", True),
        ("# ruff:noqa: E501", False),
        ("x  # ruff: noqa", False),
    ],
)
def test_noqa_of_a_whole_file(justification, comment, marked):
    assert (justification(Ruff(), comment, "S602", above=True) is not None) is marked


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# zizmor: ignore[template-injection]", BESIDE),
        ("# zizmor: ignore[artipacked, template-injection] by hand", "by hand"),
        ("# zizmor: ignore[artipacked]", None),
        ("# zizmor: ignore", None),
        ("# zizmor: ignore[]", None),
    ],
)
def test_ignore_of_zizmor(justification, comment, reason):
    assert justification(Zizmor(), comment, "template-injection") == reason


@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# trivy:ignore:DS-0001", BESIDE),
        ("//tfsec:ignore:* agreed", "agreed"),
        ("# trivy:ignore:AVD-DS-0001", BESIDE),
        ("# trivy:ignore:ds-00*", BESIDE),
        ("# trivy:ignore:DS-0001:exp:2026-06-02", BESIDE),
        ("# trivy:exp:2026-06-02:ignore:DS-0001 soon", "soon"),
        ("# trivy:ignore:DS-0001:exp:2026-06-01", None),
        ("# trivy:exp:2026-06-01:ignore:DS-0001", None),
        ("# trivy:ignore:DS-0001:exp:never", None),
        ("# trivy:ignore:DS-0002", None),
        ("# trivy:ignore", None),
        ("# trivy: ignore:DS-0001", None),
        ("# trivy-ignore-DS-0001", None),
    ],
)
def test_ignore_of_trivy(justification, comment, reason, above):
    assert justification(Trivy(), comment, "DS-0001", above=above) == reason
