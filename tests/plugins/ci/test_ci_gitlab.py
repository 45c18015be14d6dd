"""The two jobs, against GitLab's published schema and a shell."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scanrun.api import Invocation, Severity
from scanrun_plugins.ci.gitlab import GitLab

CHECK = Path(sys.executable).parent / "check-jsonschema"


def is_valid(text, folder):
    file = folder / ".gitlab-ci.yml"
    file.write_text(text)
    schema = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    return subprocess.run([CHECK, *schema, file], check=False, capture_output=True).returncode == 0


def jobs(invocation):
    return yaml.safe_load(GitLab().emit(invocation))


def test_the_file_fits_the_published_schema(invocation, tmp_path):
    assert is_valid(GitLab().emit(invocation), tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong"), [("when: always", "when: ever"), ("  script:", "  scripts:")]
)
def test_the_published_schema_sees_a_mistake(right, wrong, tmp_path):
    text = GitLab().emit(Invocation())

    assert right in text
    assert not is_valid(text.replace(right, wrong), tmp_path)


def test_every_stage_that_a_job_names_is_there(invocation):
    document = jobs(invocation)

    assert [document["scan"]["stage"], document["gate"]["stage"]] == document["stages"]


@pytest.mark.parametrize("exit_code", [0, 1, 3])
def test_the_scan_job_passes_when_the_gate_can_judge(exit_code, run_shell):
    code, calls = run_shell(jobs(Invocation(version="1.2.3"))["scan"]["script"], exit_code)

    assert code == 0
    assert calls == [
        "python -m pip install scanrun[local]==1.2.3",
        "scanrun all --fail-on never",
    ]


@pytest.mark.parametrize("exit_code", [2, 4, 127, 130, 137])
def test_the_scan_job_fails_when_there_is_nothing_to_judge(exit_code, run_shell):
    code, _ = run_shell(jobs(Invocation())["scan"]["script"], exit_code)

    assert code == 1


@pytest.mark.parametrize("exit_code", [0, 1, 2, 3, 4])
def test_the_gate_job_ends_with_the_gate_s_exit_code(exit_code, run_shell):
    invocation = Invocation(version="1.2.3", fail_on=Severity.MEDIUM)

    code, calls = run_shell(jobs(invocation)["gate"]["script"], exit_code)

    assert code == exit_code
    assert calls == [
        "python -m pip install scanrun==1.2.3",
        "scanrun gate .scanrun/results.sarif --fail-on medium",
    ]


def test_no_job_is_allowed_to_fail(invocation):
    document = jobs(invocation)

    assert not any("allow_failure" in document[name] for name in ("scan", "gate"))
    assert document["gate"]["needs"] == ["scan"]


def test_shellcheck_accepts_both_scripts(invocation, shellcheck):
    document = jobs(invocation)

    assert shellcheck(document["scan"]["script"]) == ""
    assert shellcheck(document["gate"]["script"]) == ""


def test_the_reports_are_kept_whatever_happens():
    kept = jobs(Invocation(output="out"))["scan"]["artifacts"]

    assert kept["when"] == "always"
    assert kept["reports"] == {"junit": "out/junit.xml"}
    assert {"out/results.sarif", "out/verdict.json"} <= set(kept["paths"])


def test_what_may_hold_secrets_is_not_kept(invocation):
    assert not any("raw" in path for path in jobs(invocation)["scan"]["artifacts"]["paths"])


@pytest.mark.parametrize(("engine", "there"), [("auto", True), ("docker", True), ("local", False)])
def test_docker_in_docker_stands_by_where_containers_are_run(engine, there):
    scan = jobs(Invocation(engine=engine))["scan"]

    assert ("services" in scan) is there
    assert ("DOCKER_HOST" in scan.get("variables", {})) is there
