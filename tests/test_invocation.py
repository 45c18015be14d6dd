"""What stands in a CI file, and what is refused because it would have to be quoted."""

import shlex

import pytest

from scanrun.api import Invocation, Severity
from scanrun.errors import ConfigError

HOSTILE = [
    " ",
    "a b",
    "a'b",
    'a"b',
    "a\nb",
    "a\n",
    "$(id)",
    "`id`",
    "$HOME",
    "a;b",
    "a|b",
    "a&b",
    "a#b",
    "a: b",
    "{a",
    "*",
    "a\\b",
    "-rf",
    "a\0b",
    "ü",
    "a,b",
    "${env.X}",
    "\x1b[31m",
]


def test_the_default_is_the_one_line():
    assert Invocation().command == "scanrun all --fail-on high"


def test_what_is_not_the_default_is_said():
    invocation = Invocation(
        fail_on=Severity.LOW, output="out/scan", scanners=("trivy", "ruff"), engine="local"
    )

    assert invocation.command == (
        "scanrun scan trivy,ruff --fail-on low --engine local --output out/scan"
    )
    assert invocation.gate_command == "scanrun gate out/scan/results.sarif --fail-on low"


def test_scanning_alone_fails_on_no_finding():
    assert Invocation().scan_command == "scanrun all --fail-on never"
    assert Invocation(fail_on=None).gate_command.endswith("--fail-on never")


def test_this_very_version_is_installed():
    invocation = Invocation(version="1.2.3rc1+local.1")

    assert invocation.requirement == "scanrun[local]==1.2.3rc1+local.1"
    assert invocation.gate_requirement == "scanrun==1.2.3rc1+local.1"


def test_a_named_configuration_is_named_wherever_one_is_read():
    invocation = Invocation(config="./ci/strict.toml", fail_on_configured=True)

    assert invocation.command == "scanrun all --config ci/strict.toml"
    assert invocation.scan_command == "scanrun all --fail-on never --config ci/strict.toml"
    assert invocation.gate_command == (
        "scanrun gate .scanrun/results.sarif --config ci/strict.toml"
    )


@pytest.mark.parametrize("key", ["scanners", "formats", "engine", "version", "output", "config"])
@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_a_value_that_would_have_to_be_quoted_is_refused(key, value):
    with pytest.raises(ConfigError, match="can't stand in a CI file"):
        Invocation(**{key: (value,) if key in {"scanners", "formats"} else value})


@pytest.mark.parametrize(
    "output", ["", "/tmp/out", "..", "../out", "a/../../b", ".", "a/..", "a//b"]
)
def test_an_output_folder_outside_of_the_tree_is_refused(output):
    with pytest.raises(ConfigError, match="output folder"):
        Invocation(output=output)


@pytest.mark.parametrize("config", ["/etc/scanrun.toml", "../scanrun.toml", "a/../../b.toml"])
def test_a_configuration_outside_of_the_tree_is_refused(config):
    with pytest.raises(ConfigError, match="configuration file"):
        Invocation(config=config)


def test_what_is_taken_needs_no_quoting():
    invocation = Invocation(
        config="a.toml", output="a.b/c-d_e", scanners=("x-1",), engine="my_engine"
    )

    for line in (invocation.command, invocation.scan_command, invocation.gate_command):
        assert shlex.join(shlex.split(line)) == line
