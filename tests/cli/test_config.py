import json
import tomllib

import pytest

from scanrun.cli.app import run
from scanrun.config import load_settings
from scanrun.plugins import load_plugins


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "scanrun.toml").write_text('[gate]\nfail_on = "never"\n')
    return tmp_path


def test_show_prints_a_configuration_with_what_set_each_value(tree, capsys):
    code = run(["config", "show", str(tree)])

    out, err = capsys.readouterr()
    assert code == 0
    assert tomllib.loads(out)["gate"] == {"fail_on": "never", "limits": []}
    assert 'fail_on = "never"  # file scanrun.toml' in out
    assert "note: scanrun.toml of the scanned tree switches the gate off" in err


def test_show_as_json_has_the_same(tree, capsys):
    code = run(["config", "show", "--json", str(tree)])

    shown = json.loads(capsys.readouterr().out)
    assert code == 0
    assert shown["file"] == str(tree / "scanrun.toml")
    assert shown["settings"]["gate"]["fail_on"] == "never"
    assert shown["origin"]["gate.fail_on"] == "file scanrun.toml"
    assert len(shown["told"]) == 1


def test_show_ends_with_2_where_the_configuration_is_bad(tree, capsys):
    (tree / "scanrun.toml").write_text('[gate]\nfail-on = "low"\n')

    code = run(["config", "show", str(tree)])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "unknown key 'fail-on' in gate" in err
    assert "did you mean 'fail_on'?" in err


def test_schema_prints_json_that_knows_every_scanner(tmp_path, capsys):
    code = run(["config", "schema"])

    tables = json.loads(capsys.readouterr().out)["properties"]["scanner"]["properties"]
    assert code == 0
    assert set(tables) == set(load_plugins(scanned=tmp_path).scanners)


def test_what_show_prints_is_read_again(tree, capsys):
    run(["config", "show", str(tree)])
    (tree / "again.toml").write_text(capsys.readouterr().out)

    def load(file):
        scanners = load_plugins(scanned=tree).scanners
        return load_settings(
            tree, config=file, flags={}, environment={}, scanners=scanners, trusted=False
        )

    assert load(tree / "again.toml").settings == load(tree / "scanrun.toml").settings
