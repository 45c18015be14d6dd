"""The Jenkinsfile, against two Groovy parsers (one of them Jenkins' own) and a shell."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_groovy

from scanrun.api import Invocation
from scanrun_plugins.ci.jenkins import Jenkins

JARS = [
    Path("/usr/share/java", f"{name}.jar")
    for name in ("groovy-all", "antlr", "asm", "asm-commons", "commons-cli")
]
WRONG = [
    lambda text: text.replace("}", "", 1),
    lambda text: text.replace("enabledForFailure: true,", "enabledForFailure: true"),
    lambda text: text.replace("junit.xml'", "junit.xml", 1),
]
WRONG_IDS = ["brace", "comma", "quote"]


def has_error(text):
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
    return parser.parse(text.encode()).root_node.has_error


def parse(text, folder):
    """Return the calls of a Jenkinsfile, as Groovy 2.4 reads it."""
    if not shutil.which("java") or not all(jar.exists() for jar in JARS):
        if os.environ.get("TEST_REQUIRE_GROOVY"):
            pytest.fail("TEST_REQUIRE_GROOVY is set, and groovy is not installed")
        pytest.skip("no groovy: apt-get install groovy")
    file = folder / "Jenkinsfile"
    file.write_text(text)
    program = Path(__file__).parent / "calls.groovy"
    done = subprocess.run(
        ["java", "-cp", os.pathsep.join(map(str, JARS)), "groovy.ui.GroovyMain", program, file],
        check=True,
        capture_output=True,
    )
    return json.loads(done.stdout)


def named(calls, name):
    (found,) = [call for call in calls if call["name"] == name]
    return found


def all_calls(calls):
    for call in calls:
        yield call
        yield from all_calls(call["body"])


def test_the_grammar_finds_no_error(invocation):
    assert not has_error(Jenkins().emit(invocation))


@pytest.mark.parametrize("change", WRONG, ids=WRONG_IDS)
def test_the_grammar_finds_a_mistake(change):
    assert has_error(change(Jenkins().emit(Invocation())))


@pytest.mark.parametrize("change", WRONG, ids=WRONG_IDS)
def test_groovy_itself_finds_a_mistake(change, tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        parse(change(Jenkins().emit(Invocation())), tmp_path)


def test_groovy_reads_a_declarative_pipeline(tmp_path):
    (pipeline,) = parse(Jenkins().emit(Invocation(version="1.2.3")), tmp_path)

    assert pipeline["name"] == "pipeline"
    assert [call["name"] for call in pipeline["body"]] == ["agent", "stages", "post"]
    (stage,) = named(pipeline["body"], "stages")["body"]
    assert (stage["name"], [call["name"] for call in stage["body"]]) == ("stage", ["steps"])
    (always,) = named(pipeline["body"], "post")["body"]
    assert [call["name"] for call in always["body"]] == [
        "archiveArtifacts",
        "junit",
        "recordIssues",
    ]
    assert "skipMarkingBuildUnstable:true" in named(always["body"], "junit")["arguments"][0]


def test_groovy_reads_every_form(invocation, tmp_path):
    calls = list(all_calls(parse(Jenkins().emit(invocation), tmp_path)))

    assert "?" not in {call["name"] for call in calls}
    assert [invocation.command] in [call["arguments"] for call in calls]
    assert ("junit" in {call["name"] for call in calls}) is ("junit" in invocation.formats)


def shell_lines(text):
    lines = [line.strip() for line in text.splitlines()]
    return [line[4:-1] for line in lines if line.startswith("sh '")]


def test_shellcheck_accepts_each_line(invocation, shellcheck):
    lines = shell_lines(Jenkins().emit(invocation))

    assert len(lines) == 3
    assert shellcheck(lines) == ""


@pytest.mark.parametrize("exit_code", [0, 1, 2, 3])
def test_the_exit_code_of_scanrun_decides(exit_code, run_shell):
    code, calls = run_shell(shell_lines(Jenkins().emit(Invocation()))[-1:], exit_code)

    assert (code, calls) == (exit_code, ["scanrun all --fail-on high"])


def test_no_report_of_an_earlier_build_is_left():
    text = Jenkins().emit(Invocation(output="out/scan"))

    assert text.index("dir('out/scan')") < text.index("deleteDir()") < text.index("sh '")
