import json
from pathlib import Path

import pytest

from scanrun.errors import ConversionError
from scanrun.model import Notification, Snapshot, SnapshotFile, Target
from scanrun.testing import outputs
from scanrun_plugins.scanners.checkov import Checkov
from scanrun_plugins.scanners.checkov.inputs import expected
from scanrun_plugins.scanners.checkov.rules import severity_of
from scanrun_plugins.scanners.checkov.scanner import IMAGE, REPORT

MIXED = Path(__file__).parents[1] / "data" / "checkov" / "mixed.json"
NOTHING = {
    "passed": 0,
    "failed": 0,
    "skipped": 0,
    "parsing_errors": 0,
    "resource_count": 0,
    "checkov_version": "3.3.30",
}


def snapshot(root, contents):
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    files = (SnapshotFile(path, len(content)) for path, content in contents.items())
    return Snapshot(root=root, files=tuple(files))


def test_checks_have_a_severity_by_their_id_and_skipped_ones_are_suppressed(check_scanner):
    findings = check_scanner(Checkov(), MIXED, exit_code=1)

    assert [(f.rule_id, f.path, f.line, f.severity.value, f.suppressed) for f in findings] == [
        ("CKV_SECRET_2", ".env", 1, "high", False),
        ("CKV_DOCKER_3", "Dockerfile", 1, "medium", False),
        ("CKV2_AWS_6", "main.tf", 1, "medium", False),
        ("CKV_AWS_18", "main.tf", 1, "medium", True),
        ("CKV_AWS_24", "main.tf", 5, "high", False),
    ]


def test_order_of_the_report_does_not_matter():
    report = json.loads(MIXED.read_text())
    for part in report:
        part["results"]["failed_checks"].reverse()
    turned = json.dumps(report[::-1]).encode()

    one, other = (repr(list(Checkov().convert(outputs(REPORT, r)))) for r in (MIXED, turned))

    assert one == other


def test_nothing_of_a_secret_is_passed_on():
    items = list(Checkov().convert(outputs(REPORT, MIXED)))

    text = MIXED.read_text()
    assert "abcdef***" in text
    assert "0123456789abcdef" in text
    assert not any("abcdef" in repr(item) for item in items)


def test_one_framework_alone_is_read(check_scanner):
    (docker,) = [part for part in json.loads(MIXED.read_text()) if part["check_type"] == "secrets"]

    (finding,) = check_scanner(Checkov(), json.dumps(docker).encode(), exit_code=1)

    assert finding.rule_id == "CKV_SECRET_2"
    assert finding.category == "secret"


def test_report_of_nothing_proves_nothing():
    given = outputs(REPORT, json.dumps(NOTHING).encode())

    items = list(Checkov().convert(given))

    assert [item.level for item in items if isinstance(item, Notification)] == ["error", "note"]
    assert Checkov().version(given) == "3.3.30"


def test_report_without_what_passed_is_an_error_for_it_hides_broken_files():
    report = json.loads(MIXED.read_text())
    for part in report:
        part["results"]["passed_checks"] = part["results"]["parsing_errors"] = []

    items = Checkov().convert(outputs(REPORT, json.dumps(report).encode()))

    assert any("no passed check" in getattr(item, "text", "") for item in items)


def test_file_that_can_not_be_parsed_is_an_error_but_for_json_tried_as_a_plan():
    notes = [n for n in Checkov().convert(outputs(REPORT, MIXED)) if isinstance(n, Notification)]

    assert [(n.path, n.level) for n in notes if n.path] == [
        (".vscode/settings.json", "note"),
        ("broken.tf", "error"),
        ("cfn-broken.yaml", "error"),
        ("latin.tf", "error"),
    ]


def test_broken_terraform_plan_is_an_error(tmp_path):
    plan = snapshot(tmp_path, {".vscode/settings.json": b'{"terraform_version": "1.9", '})

    notes = Checkov().convert(outputs(REPORT, MIXED, snapshot=plan))

    assert [n.level for n in notes if getattr(n, "path", "") == ".vscode/settings.json"] == [
        "error"
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"results": {}}',
        b'{"checkov_version": "3.3.30"}',
        json.dumps([NOTHING, NOTHING]).encode(),
    ],
)
def test_unreadable_output_is_an_error_not_a_clean_scan(data):
    with pytest.raises(ConversionError):
        list(Checkov().convert(outputs(REPORT, data)))


def test_files_that_some_check_always_speaks_of_are_expected(tmp_path):
    tree = snapshot(
        tmp_path,
        {
            "Dockerfile": b"FROM a\n",
            "empty.Dockerfile": b"",
            "Dockerfile.dockerignore": b"*\n",
            ".github/workflows/ci.yml": b"on: push\n",
            "k8s/pod.yaml": b"apiVersion: v1\nkind: Pod\nspec: [\n",
            "k8s/custom.yaml": b"apiVersion: v1\nkind: Widget\n",
            "chart/templates/pod.yaml": b'apiVersion: v1\nkind: Pod\nname: "{{ .Values.a }}"\n',
            "api.yml": b"openapi: 3.0.0\n",
            "other.yaml": b"a: 1\n",
            "main.tf": b"",
        },
    )

    assert {each.path: each.kind for each in expected(tree)} == {
        "Dockerfile": "Dockerfile",
        ".github/workflows/ci.yml": "workflow",
        "k8s/pod.yaml": "Kubernetes file",
        "api.yml": "API description",
    }


def test_no_configuration_of_the_tree_or_network_is_used():
    (step,) = Checkov().steps(Target(snapshot=Snapshot(root=Path())))

    assert {".checkov.yaml", ".checkov.yml"} == set(Checkov.tells)
    assert "--skip-download" in step.argv
    assert step.env["CKV_SKIP_PACKAGE_UPDATE_CHECK"] == "true"
    assert not step.network
    assert "--quiet" not in step.argv


@pytest.mark.parametrize(
    ("check_id", "severity"),
    [
        ("CKV_K8S_16", "high"),
        ("CKV_SECRET_6", "high"),
        ("CKV_DOCKER_2", "low"),
        ("CKV_X", "medium"),
    ],
)
def test_severity_goes_by_the_id(check_id, severity):
    assert severity_of(check_id).value == severity


def test_lab_pins_the_version_that_the_image_says():
    pins = (Path(__file__).parents[3] / "lab" / "checkov.txt").read_text().splitlines()

    assert f"checkov=={IMAGE.rpartition(':')[2]}" in pins
