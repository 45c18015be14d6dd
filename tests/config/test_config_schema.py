import json
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from scanrun.config.schema import config_schema
from scanrun.plugins import load_plugins

STORED = Path(__file__).parents[2] / "schemas" / "config.schema.json"


def of_ours(tmp_path):
    plugins = load_plugins(scanned=tmp_path)
    ours = {
        name: scanner
        for name, scanner in plugins.scanners.items()
        if type(scanner).__module__.startswith("scanrun_plugins.")
    }
    return config_schema(ours)


def test_the_stored_schema_is_the_one_that_is_printed(tmp_path):
    assert json.loads(STORED.read_text()) == of_ours(tmp_path)


def test_the_schema_takes_what_the_loader_takes(scanners, full):
    data = tomllib.loads(full)
    data["waiver"][0]["expires"] = "2030-01-31"  # TOML's dates are text to an editor
    validator = jsonschema_rs.Draft202012Validator(config_schema(scanners))

    assert list(validator.iter_errors(data)) == []


@pytest.mark.parametrize(
    "text",
    [
        "[gaet]",
        "[gate]\nfail-on = 'low'",
        "[gate]\nfail_on = 'hihg'",
        "[scan]\ntimeout = '1x'",
        "[scan]\ntimeout = ''",
        "[scanner.deep]\ndetph = 1",
        "[scanner.trivy]\ndeclared = true",
        "[scanner.trivy]\ncommand = 'x'",
        "[scanner.trivy.severity]\nX = 'hi'",
        "[[waiver]]\nid = 'X'",
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(scanners, text):
    validator = jsonschema_rs.Draft202012Validator(config_schema(scanners))

    assert not validator.is_valid(tomllib.loads(text))
