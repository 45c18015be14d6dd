"""What proofs a declared SARIF tool can be given by its table."""

import json

import pytest
from pydantic import ValidationError

from scanrun.api import HasCanary
from scanrun.cli.app import run
from scanrun.config.models import ScannerSettings
from scanrun.declared import DeclaredOptions, declared_scanner

RUFF = """\
[scanner.mine]
command = "ruff"
args = [
  "check", "--isolated", "--no-cache", "--select=S102", "--output-format=sarif",
  "--output-file=/out/report.sarif", "--no-respect-gitignore", "--exclude=", {more} ".",
]
ok_exit_codes = [0, 1]
canary = {{ "sub/bad.py" = "exec(input())\\n" }}
canary_rule = "{rule}"
signs = ["No Python files", "{sign}"]
"""


def declared(**options):
    made = DeclaredOptions(command="tool", **options).model_dump()
    return declared_scanner("mine", ScannerSettings(declared=True, options=made))


def test_a_table_without_a_canary_makes_a_scanner_without_one():
    assert not isinstance(declared(), HasCanary)
    assert declared().signs == ()


def test_canary_and_signs_are_those_of_the_table():
    scanner = declared(canary={"a/bad.py": "x = 1\n"}, canary_rule="R1", signs=("skipped .*",))

    assert isinstance(scanner, HasCanary)
    assert scanner.canary().files == {"a/bad.py": b"x = 1\n"}
    assert scanner.canary().rule_ids == {"R1"}
    assert [(each.pattern, each.incomplete) for each in scanner.signs] == [("skipped .*", True)]


@pytest.mark.parametrize(
    "options",
    [
        {"canary": {"a.py": "x"}},
        {"canary_rule": "R1"},
        {"canary": {"../a.py": "x"}, "canary_rule": "R1"},
        {"canary": {"/a.py": "x"}, "canary_rule": "R1"},
        {"canary": {"a/./b": "x"}, "canary_rule": "R1"},
        {"canary": {"a\nb": "x"}, "canary_rule": "R1"},
        {"canary": {"": "x"}, "canary_rule": "R1"},
        {"signs": ("(",)},
        {"signs": ("",)},
    ],
)
def test_senseless_proofs_are_refused(options):
    with pytest.raises(ValidationError):
        DeclaredOptions(**options)


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ({}, 0, "1 scanner completed"),
        ({"rule": "S999"}, 3, "did not find its canary (S999)"),
        ({"more": '"--exit-zero", "--exclude=*.py",'}, 3, "did not find its canary"),
        ({"more": '"--verbose",', "sign": "Checked .* file"}, 3, "its log has a line that fits"),
    ],
)
def test_a_real_tool_is_believed_on_its_canary_and_its_log(tmp_path, table, code, words):
    tree, own = tmp_path / "tree", tmp_path / "own.toml"
    tree.mkdir()
    (tree / "a.py").write_text("x = 1\n")
    own.write_text(RUFF.format(**{"rule": "S102", "more": "", "sign": "Failed to lint", **table}))

    done = run(["scan", "mine", str(tree), "--engine", "local", "--config", str(own), "-q"])

    verdict = json.loads((tree / ".scanrun" / "verdict.json").read_text())
    assert (done, verdict["counts"]["high"]) == (code, 0)
    assert words in verdict["reason"]
