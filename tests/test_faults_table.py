"""docs/faults.md names every fault's test, and every test of a fault."""

import ast
import re
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "docs" / "faults.md").read_text()
ROWS = re.findall(r"^\| ([a-z0-9-]+) \| .* \| ([^|]+) \| `(test_\w+)` \|$", TABLE, re.MULTILINE)


def named_in(folder):
    return {
        node.name
        for path in folder.rglob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_row_is_whole():
    lines = [line for line in TABLE.splitlines() if line.startswith("| ")]

    assert len(ROWS) == len(lines) - 2


def test_every_id_is_there_once():
    assert [name for name, count in Counter(row[0] for row in ROWS).items() if count > 1] == []


def test_every_row_names_a_test_that_exists():
    assert {row[2] for row in ROWS} - named_in(TESTS) == set()


def test_every_test_of_a_fault_has_a_row():
    assert named_in(TESTS / "faults") - {row[2] for row in ROWS} == set()


def test_every_exit_code_is_one():
    codes = {code for row in ROWS for code in re.findall(r"\d+", row[1])}

    assert codes <= {"0", "2", "3", "130"}
