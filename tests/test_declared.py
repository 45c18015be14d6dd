import json
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from scanrun.config.models import ScannerSettings
from scanrun.contracts import EngineSettings
from scanrun.declared import DeclaredOptions, DeclaredScanner
from scanrun.errors import ConversionError
from scanrun.model import Category, Snapshot, SnapshotFile, Target
from scanrun.sarif.build import Result
from scanrun.sarif.codec import to_json
from scanrun.testing import outputs
from scanrun_plugins.engines.local import LocalEngine


def declared(*, image=None, **options):
    made = DeclaredOptions(**options).model_dump()
    return DeclaredScanner("mine", ScannerSettings(image=image, declared=True, options=made))


def sarif(uri="a.py", level="error"):
    place = {"artifactLocation": {"uri": uri}, "region": {"startLine": 3}}
    result = {
        "ruleId": "R1",
        "level": level,
        "message": {"text": "bad"},
        "locations": [{"physicalLocation": place}],
    }
    rule = {"id": "R1", "shortDescription": {"text": "a rule"}}
    run = {"tool": {"driver": {"name": "mine", "rules": [rule]}}, "results": [result]}
    return json.dumps({"version": "2.1.0", "runs": [run]}).encode()


def places(scanner, data):
    items = scanner.convert(outputs("/out/report.sarif", data))
    return [
        to_json(item)["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for item in items
        if isinstance(item, Result)
    ]


def test_table_becomes_a_step():
    scanner = declared(
        image="example/tool:1.2",
        command="tool",
        output="/out/x.sarif",
        ok_exit_codes=(0, 3),
        network=True,
        source="/code",
        category="iac",
    )

    (step,) = scanner.steps(Target(snapshot=Snapshot(root=Path()), args=("--all",)))

    assert (step.image, step.executable, step.argv) == ("example/tool:1.2", "tool", ("--all",))
    assert (step.source, step.workdir, step.outputs) == ("/code", "/code", ("/out/x.sarif",))
    assert (step.ok_exit_codes, step.network, step.stdout) == ({0, 3}, True, None)
    assert scanner.category is Category.IAC


def test_sarif_that_is_printed_is_the_output():
    (step,) = declared(stdout=True, image="a/b:1").steps(Target(snapshot=Snapshot(root=Path())))

    assert step.stdout == "/out/report.sarif"


def test_it_applies_where_its_files_are():
    target = Target(snapshot=Snapshot(root=Path(), files=(SnapshotFile("main.tf", 1),)))

    assert declared(command="tool", files=("*.tf",)).applies(target).yes
    assert not declared(command="tool", files=("*.c",)).applies(target).yes
    assert declared(command="tool").applies(target).yes


@pytest.mark.parametrize(
    "uri", ["a.py", "./a.py", "/src/a.py", "file:///src/a.py"], ids=["plain", "dot", "abs", "file"]
)
def test_paths_become_relative_to_the_tree(uri):
    assert places(declared(command="tool"), sarif(uri)) == ["a.py"]


def test_findings_have_severity_and_category(check_scanner):
    (finding,) = check_scanner(declared(image="a/b:1"), sarif())

    assert (finding.severity.value, finding.category, finding.line) == ("high", "sast", 3)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"panic: oom", sarif()[:-9], b'{"version": "2.1.0", "runs": []}'],
    ids=["empty", "object", "list", "crash", "cut-off", "no-run"],
)
def test_unreadable_output_is_an_error_not_a_clean_scan(data):
    with pytest.raises(ConversionError):
        places(declared(command="tool"), data)


@pytest.mark.parametrize(
    "options",
    [
        {"command": "../evil"},
        {"command": "/bin/sh"},
        {"command": "sh -c"},
        {"output": "report.sarif"},
        {"output": "/report.sarif"},
        {"output": "/out/../etc/x"},
        {"output": "/src/report.sarif"},
        {"source": "/"},
        {"source": "src"},
        {"ok_exit_codes": ()},
        {"ok_exit_codes": (256,)},
        {"ok_exit_codes": (True,)},
        {"category": "other"},
        {"comand": "tool"},
    ],
)
def test_senseless_options_are_refused(options):
    with pytest.raises(ValidationError):
        DeclaredOptions(**options)


def test_declared_command_runs_for_real(tmp_path):
    """Ruff stands for any tool: its own SARIF names absolute paths, wherever it runs."""
    scanner = declared(command="ruff", ok_exit_codes=(0, 1), files=("*.py",))
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.py").write_text("exec(input())\n")
    snapshot = Snapshot(root=tmp_path / "tree", files=(SnapshotFile("a.py", 14),))
    args = ("check", "--isolated", "--no-cache", "--select=S102", "--output-format=sarif")
    target = Target(snapshot=snapshot, args=(*args, "--output-file=/out/report.sarif", "."))
    for name in ("scratch", "fetched"):
        (tmp_path / name).mkdir()
    settings = EngineSettings(run_id="r", scratch=tmp_path / "scratch")
    with LocalEngine().open(settings) as session:
        session.share(snapshot, {})
        (step,) = scanner.steps(target)
        outcome = session.run(
            step, name="mine", caches={}, folder=tmp_path / "fetched", cancel=threading.Event()
        )

    assert places(scanner, outcome.outputs["/out/report.sarif"]) == ["a.py"]
    assert str(tmp_path) not in outcome.outputs["/out/report.sarif"].read_text()


def test_documentation_lists_every_key_and_default():
    page = (Path(__file__).parents[1] / "docs" / "scanners" / "declared.md").read_text()

    rows = [
        [cell.strip() for cell in line.split("|")[1:3]] for line in page.splitlines() if "|" in line
    ]
    told = {key.strip("`"): default.strip("`") for key, default in rows if key.startswith("`")}
    assert set(told) == {*DeclaredOptions.model_fields, "image", "args"}
    defaults = DeclaredOptions().model_dump(mode="json")
    assert {key: told[key] for key in ("output", "category", "source")} == {
        key: defaults[key] for key in ("output", "category", "source")
    }
