"""docs/false-cleans.md against the tests that it names."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/false-cleans.md"
FOLDER = "tests/false_cleans"
CONTROL = "::test_a_clean_"
"""Tests that what is whole stays complete: they guard no row, but all of them."""
VERDICTS = ("prevented", "detected", "told", "open")
ID = re.compile(r"[a-z]+(-[a-z]+)*-\d[a-z]?-\d\d[a-z]?")


class Row(NamedTuple):
    id: str
    case: str
    tool: str
    scanrun: str
    test: str

    @property
    def verdict(self):
        return re.match(r"\*(\w+)\*", self.scanrun)[1]


def cells(line):
    return [each.strip() for each in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.fixture(scope="module")
def rows():
    tables = PAGE.read_text().partition("\n## ")[2]
    lines = (line for line in tables.splitlines() if line.startswith("|"))
    listed = [cells(line) for line in lines]
    return [Row(*each) for each in listed if each[0] != "id" and set(each[0]) != {"-"}]


@pytest.fixture(scope="module")
def nodes(rows):
    """Return every test that pytest collects of the folder, and of other files in the table."""
    others = {row.test.strip("`").partition("::")[0] for row in rows if row.test != "none"}
    files = sorted(file for file in others if not file.startswith(FOLDER))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider",
         FOLDER, *files],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTEST_ADDOPTS": ""},  # a -v of the caller would undo our -q
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_each_row_is_whole_and_its_id_is_its_own(rows):
    assert len(rows) > 50
    assert [row.id for row in rows if not ID.fullmatch(row.id)] == []
    assert [id_ for id_, times in Counter(row.id for row in rows).items() if times > 1] == []
    assert [row.id for row in rows if not all(row)] == []


def test_each_verdict_is_one_of_four_words_and_says_how(rows):
    odd = [row.id for row in rows if not re.match(r"\*\w+\*: \S", row.scanrun)]

    assert odd == []
    assert {row.verdict for row in rows} <= {*VERDICTS}


def test_each_row_names_a_test_that_exists(rows, nodes):
    named = {row.id: row.test.strip("`") for row in rows if row.test != "none"}

    assert {id_: test for id_, test in named.items() if test not in nodes} == {}
    assert [row.id for row in rows if row.test == "none" and row.verdict != "open"] == []


def test_each_test_of_the_folder_stands_in_the_table(rows, nodes):
    named = {row.test.strip("`") for row in rows}
    listed = {node for node in nodes if node.startswith(FOLDER) and CONTROL not in node}

    assert sorted(listed - named) == []


def test_the_counts_at_the_top_are_right(rows):
    count = Counter(row.verdict for row in rows)
    said = ", ".join(f"{count[word]} {word}" for word in VERDICTS)

    assert f"\n{len(rows)} rows: {said}\n" in PAGE.read_text()
