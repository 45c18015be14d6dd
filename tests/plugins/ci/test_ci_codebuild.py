"""The buildspecs, against our own strict schema, shellcheck and a shell."""

import copy
import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from scanrun.api import Invocation
from scanrun_plugins.ci.codebuild import CodeBuild, CodeBuildShort

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/buildspec.schema.json").read_text())
VALID = jsonschema_rs.validator_for(SCHEMA).is_valid
EMITTERS = [CodeBuild(), CodeBuildShort()]

EVERYTHING = {
    "version": 0.2,
    "run-as": "root",
    "env": {
        "shell": "/bin/sh",
        "variables": {"A": "b", "N": 1},
        "parameter-store": {"P": "/a/b"},
        "secrets-manager": {"S": "id:key:AWSCURRENT:1"},
        "exported-variables": ["A"],
        "git-credential-helper": "yes",
    },
    "proxy": {"upload-artifacts": "no", "logs": "yes"},
    "batch": {
        "fast-fail": True,
        "build-list": [{"identifier": "a", "env": {"privileged-mode": True}}],
        "build-graph": [
            {"identifier": "b", "depend-on": ["a"], "env": {"variables": {"X": "1"}}},
        ],
        "build-matrix": {
            "static": {"ignore-failure": False, "env": {"type": "LINUX_CONTAINER"}},
            "dynamic": {"buildspec": ["a.yml"], "env": {"image": ["x"], "variables": {"V": ["1"]}}},
        },
        "build-fanout": {"parallelism": 5},
    },
    "phases": {
        "install": {"runtime-versions": {"python": "3.12", "nodejs": 20}, "finally": ["true"]},
        "pre_build": {"on-failure": "RETRY-3-.*timeout.*", "commands": ["true"]},
        "build": {"run-as": "me", "on-failure": "ABORT", "commands": ["true"]},
        "post_build": {"on-failure": "RETRY-100", "commands": ["true"], "finally": ["true"]},
    },
    "reports": {"r": {"files": ["a.xml"], "file-format": "JunitXml", "discard-paths": "yes"}},
    "artifacts": {
        "files": ["**/*"],
        "exclude-paths": ["x/*"],
        "enable-symlinks": "no",
        "s3-prefix": "p",
        "secondary-artifacts": {"more": {"files": ["b"], "name": "n"}},
    },
    "cache": {"key": "k-$(date +%V)", "fallback-keys": ["k-"], "action": "save", "paths": ["p"]},
}


def set_in(document, path, value):
    changed = copy.deepcopy(document)
    table = changed
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return changed


@pytest.mark.parametrize("emitter", EMITTERS, ids=lambda each: each.name)
def test_every_form_fits_the_schema(emitter, invocation):
    assert VALID(yaml.safe_load(emitter.emit(invocation)))


def test_the_schema_is_one():
    jsonschema_rs.meta.validate(SCHEMA)


def test_all_that_a_buildspec_may_hold_fits_the_schema():
    jsonschema_rs.validate(SCHEMA, EVERYTHING)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("reports", "scanrun", "file-format"), "SARIF"),
        (("phases", "prebuild"), {"commands": ["true"]}),
        (("phases", "build", "on-failure"), "IGNORE"),
        (("phases", "build", "on-failure"), "RETRY-101"),
        (("reports", "scanrun", "format"), "JUNITXML"),
        (("env", "variables"), {"CODEBUILD_X": "1"}),
        (("cache",), {"paths": ["a"], "restore-keys": ["a"]}),
        (("phases", "install", "runtime-versions", "python"), 3.12),
        (("version",), 0.3),
        (("phases", "install", "runtimes"), {"python": "3.12"}),
        (("phases", "build", "commands"), "scanrun all"),
        (("env", "exported-variables"), ["AWS_X"]),
    ],
    ids=lambda each: ".".join(each) if isinstance(each, tuple) else str(each),
)
def test_a_mistake_does_not_fit_the_schema(path, value):
    document = yaml.safe_load(CodeBuild().emit(Invocation()))

    assert VALID(document)
    assert not VALID(set_in(document, path, value))


def test_six_report_groups_are_one_too_many():
    report = {"files": ["a.xml"]}

    assert VALID(EVERYTHING | {"reports": {str(n): report for n in range(5)}})
    assert not VALID(EVERYTHING | {"reports": {str(n): report for n in range(6)}})


def commands(emitter, invocation):
    phases = yaml.safe_load(emitter.emit(invocation))["phases"]
    return [line for phase in phases.values() for line in phase["commands"]]


@pytest.mark.parametrize("emitter", EMITTERS, ids=lambda each: each.name)
def test_each_command_is_one_line_that_shellcheck_accepts(emitter, invocation, shellcheck):
    for line in commands(emitter, invocation):
        assert "\n" not in line
        assert shellcheck([line]) == ""


@pytest.mark.parametrize("emitter", EMITTERS, ids=lambda each: each.name)
@pytest.mark.parametrize("exit_code", [0, 1, 2, 3, 4, 130])
def test_the_exit_code_of_scanrun_is_the_gate(emitter, exit_code, run_shell):
    code, calls = run_shell(commands(emitter, Invocation(version="1.2.3")), exit_code)

    assert code == exit_code
    assert calls == [
        "python -m pip install scanrun[local]==1.2.3",
        "scanrun all --fail-on high",
    ]


def test_no_phase_goes_on_after_a_failure(invocation):
    for emitter in EMITTERS:
        assert "on-failure" not in emitter.emit(invocation)


def test_report_and_artifacts_are_those_of_the_run():
    document = yaml.safe_load(CodeBuild().emit(Invocation(output="build/scan")))

    assert document["reports"]["scanrun"]["files"] == ["junit.xml"]
    assert document["artifacts"]["files"] == [
        "results.sarif",
        "verdict.json",
        "junit.xml",
        "logs/*",
    ]
    places = {document["reports"]["scanrun"]["base-directory"]}
    assert places | {document["artifacts"]["base-directory"]} == {"build/scan"}


def test_without_the_junit_report_there_is_no_report_group():
    document = yaml.safe_load(CodeBuild().emit(Invocation(formats=())))

    assert "reports" not in document
    assert "junit.xml" not in document["artifacts"]["files"]


@pytest.mark.parametrize(("engine", "said"), [("auto", True), ("docker", True), ("local", False)])
def test_privileged_mode_is_asked_for_where_containers_are_run(engine, said):
    assert ("privileged mode" in CodeBuild().emit(Invocation(engine=engine))) is said


def test_the_short_form_is_one_line(invocation):
    assert CodeBuildShort().emit(invocation).count("\n") == 1
