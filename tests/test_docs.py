"""Facts that stand in two places are compared here."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from scanrun import api, hookspecs
from scanrun.cli.app import COMMANDS
from scanrun.errors import ExitCode

ROOT = Path(__file__).parent.parent
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def hooks():
    return {
        name: function
        for name, function in vars(hookspecs).items()
        if name.startswith("scanrun_") and callable(function)
    }


@pytest.mark.parametrize("name", hooks())
def test_hook_is_documented_with_its_arguments(name):
    arguments = ", ".join(inspect.signature(hooks()[name]).parameters)

    assert f"`{name}({arguments})`" in ARCHITECTURE


def test_every_hook_in_the_docs_exists():
    assert set(re.findall(r"`(scanrun_\w+)\(", ARCHITECTURE)) == set(hooks())


def test_exit_codes_are_documented():
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "exit-codes.md").read_text(), re.MULTILINE)

    assert [int(row) for row in rows] == [code.value for code in ExitCode]


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_in_the_readme(name):
    assert f"`scanrun {name}" in (ROOT / "README.md").read_text()


def test_modules_named_in_the_architecture_exist():
    names = re.findall(r"`([a-z_/]+\.py|[a-z_]+/)`", ARCHITECTURE)

    missing = [
        name
        for name in names
        if not (ROOT / "src/scanrun" / name).exists() and not (ROOT / name).exists()
    ]
    assert len(names) > 20
    assert not missing


def test_messages_on_the_page_of_the_application_are_those_that_are_told():
    page = (ROOT / "docs" / "app.md").read_text().partition("## Incomplete")[2]
    source = "".join(
        path.read_text() for folder in ("src", "plugins") for path in (ROOT / folder).rglob("*.py")
    )
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    pieces = [
        piece.strip()
        for span in re.findall(r"`([^`]+)`", " ".join(rows))
        for piece in re.split(r"…|\d+.*", span)
        if piece.strip()
    ]

    assert len(pieces) > 20
    assert [piece for piece in pieces if piece not in source] == []


def plugin_files():
    return sorted((ROOT / "plugins").rglob("*.py"))


@pytest.mark.parametrize("path", plugin_files(), ids=lambda path: path.stem)
def test_plugins_import_the_api_and_nothing_else_of_ours(path):
    tree = ast.parse(path.read_text())
    imported = {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    } | {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }

    ours = {name for name in imported if name.split(".")[0] == "scanrun"}
    assert ours <= {"scanrun.api"}


def test_api_exports_what_it_imports():
    public = {name for name, value in vars(api).items() if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(api, name))}

    assert public - modules == set(api.__all__)


@pytest.mark.parametrize("path", sorted((ROOT / "src/scanrun").rglob("*.py")), ids=str)
def test_the_core_names_no_tool(path):
    text = path.read_text()
    tools = r"\b(trivy|bandit|zizmor|detect-secrets|checkov|ruff check|jenkins|codebuild|gitlab)\b"

    found = set(re.findall(tools, re.sub(r"#.*|\"\"\"[\s\S]*?\"\"\"", "", text), re.IGNORECASE))
    assert not found
