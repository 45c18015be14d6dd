import json

import pytest

from scanrun import __version__
from scanrun.cli.app import run

KINDS = ["scanners", "reporters", "ci emitters", "engines"]
GOOD = """
from scanrun.api import Category, hookimpl

class Tool:
    name, category = "my-tool", Category.SECRET
    on_request, embedded = True, False
    def applies(self, target): ...
    def steps(self, target): ...
    def convert(self, outputs): ...

@hookimpl
def scanrun_register_scanners():
    return [Tool()]
"""


def test_plugins_are_listed_by_kind_with_where_they_come_from(capsys):
    assert run(["plugins"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line[:-1] for line in lines if not line.startswith(" ")] == KINDS
    (bandit,) = (line for line in lines if line.startswith("  bandit "))
    assert bandit.split()[1:] == ["sast", "scanrun", __version__]


def test_json_has_the_same_rows(capsys):
    assert run(["plugins", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert list(dict.fromkeys(row["kind"] for row in rows)) == KINDS
    assert {"docker", "local"} <= {row["name"] for row in rows}


def test_a_local_plugin_is_listed_with_its_file(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(GOOD)

    assert run(["plugins", "--plugin", str(file)]) == 0

    (line,) = (each for each in capsys.readouterr().out.splitlines() if "my-tool" in each)
    assert "secret, on request" in line
    assert line.endswith(str(file))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "--plugin: '{file}' does not exist"),
        ("x = (\n", "can't be loaded: {file}:1: '(' was never closed"),
        ("import nothing_of_that_name\n", "can't be loaded: ModuleNotFoundError: No module named"),
    ],
    ids=["missing", "syntax", "import"],
)
def test_a_plugin_that_cant_be_loaded_is_a_usage_error_in_words(tmp_path, capsys, content, told):
    file = tmp_path / "mine.py"
    if content is not None:
        file.write_text(content)

    assert run(["plugins", "--plugin", str(file)]) == 2

    shown = capsys.readouterr().err
    assert told.format(file=file) in shown
    assert "Error(" not in shown
