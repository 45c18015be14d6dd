import gc
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel

from scanrun.api import (
    Applies,
    Canary,
    Category,
    ConversionError,
    Severity,
    Sign,
    Step,
    read_json,
    read_sarif,
    result,
    rule,
)
from scanrun.contracts import Engine, EngineSettings, Session
from scanrun.errors import EngineError, InterruptedRunError, MissingToolError, StepError
from scanrun.model import Snapshot
from scanrun.testing import FakeEngine, Reply, conformance, outputs

REPORT = "/out/r.json"


class Good:
    """A scanner that keeps all promises; the others break one each."""

    name = "good"
    category = Category.SAST
    step = Step.scan("a/b:1", (), output=REPORT)
    severity = Severity.HIGH
    path = "a.py"

    def applies(self, target):
        return Applies.to(target.files)

    def steps(self, target):
        return (self.step,)

    def canary(self):
        return Canary({"c.py": b"x"}, "R")

    def convert(self, outputs):
        for line in self.lines(outputs):
            yield rule("R", short="a rule", severity=self.severity, category=self.category)
            yield result("R", "bad", path=self.path, severity=self.severity, line=line)

    def lines(self, outputs):
        found = read_json(outputs[REPORT], list[int])
        if not found:
            raise ConversionError("nothing")
        return found


class Gitleaks:
    """Scans files only: history needs a full clone, which CI rarely has."""

    name = "gitleaks"
    category = Category.SECRET

    def applies(self, snapshot):
        return Applies.to(snapshot.files)

    def steps(self, target):
        """Redact, so that no secret reaches a report."""
        argv = ("dir", "/src", "--redact", f"--report-path={REPORT}", "--report-format=sarif")
        return (
            Step.scan("zricethezav/gitleaks:v8.30.0", argv, output=REPORT, ok_exit_codes={0, 1}),
        )

    def canary(self):
        return Canary({"token.env": b"t=ghp_" + b"k3Yp" * 9}, rule_id="github-pat")

    def convert(self, outputs):
        for item in read_sarif(outputs[REPORT]):
            yield item.with_score(9.5)


class Absolute(Good):
    path = "/etc/a.py"


class Climbing(Good):
    path = "../a.py"


class Unknown(Good):
    severity = Severity.UNKNOWN


class NoRule(Good):
    def convert(self, outputs):
        yield from (each for each in super().convert(outputs) if hasattr(each, "rule_id"))


class Lenient(Good):
    """Takes anything it can't read for a clean scan."""

    def lines(self, outputs):
        try:
            return super().lines(outputs)
        except ConversionError:
            return []


class Unpinned(Good):
    step = Step.scan("a/b:latest", (), output=REPORT)


class Relative(Good):
    step = Step.scan("a/b:1", (), output="r.json")


class RelativeSecret(Good):
    step = Step.scan("a/b:1", (), output=REPORT, sealed={"token": lambda values: b""})


class ClimbingCanary(Good):
    def canary(self):
        return Canary({"../c.py": b"x"}, "R")


class BadSign(Good):
    signs = (Sign("(", "nothing to be found"),)


class LaxOptions(BaseModel):
    colour: str = ""


class Lax(Good):
    options = LaxOptions


class Shaky(Good):
    """Never says the same twice."""

    numbers = iter(range(1, 10_000))

    def lines(self, outputs):
        super().lines(outputs)
        return [next(self.numbers)]


def test_conforming_scanner_passes_and_its_findings_come_back(check_scanner):
    (finding,) = check_scanner(Good(), b"[7]")

    assert (finding.rule_id, finding.path, finding.line) == ("R", "a.py", 7)


def test_tool_that_writes_sarif_takes_a_few_lines(check_scanner):
    place = {"artifactLocation": {"uri": "app.py"}, "region": {"startLine": 3}}
    leak = {
        "ruleId": "aws-access-token",
        "message": {"text": "a leak"},
        "locations": [{"physicalLocation": place}],
    }
    driver = {"name": "gitleaks", "rules": [{"id": "aws-access-token"}]}
    failed = {"executionSuccessful": False}
    run = {"tool": {"driver": driver}, "results": [leak], "invocations": [failed]}
    report = json.dumps({"version": "2.1.0", "runs": [run]}).encode()

    (leak,) = check_scanner(Gitleaks(), report, exit_code=1)

    assert (leak.rule_id, leak.uri, leak.line) == ("aws-access-token", "app.py", 3)
    assert leak.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("scanner", "complaint"),
    [
        (Absolute, "absolute"),
        (Climbing, "climbs"),
        (Unknown, "severity is unknown"),
        (NoRule, "does not come before"),
        (Lenient, "was read as"),
        (Unpinned, "no pinned version"),
        (Relative, "not absolute"),
        (RelativeSecret, "not absolute"),
        (ClimbingCanary, "leaves its folder"),
        (BadSign, "no pattern"),
        (Lax, "keys that nobody knows"),
        (Shaky, "two readings differ"),
    ],
)
def test_broken_promise_is_found(check_scanner, scanner, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_scanner(scanner(), b"[7]")


def test_unlisted_exit_code_is_found(check_scanner):
    with pytest.raises(AssertionError, match="not listed"):
        check_scanner(Good(), b"[7]", exit_code=2)


def test_what_is_no_scanner_is_found():
    with pytest.raises(AssertionError, match="no Scanner"):
        conformance(object())


def test_plugin_is_cheap_to_load_in_every_pytest_run():
    code = "import scanrun.testing, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(json.loads(done.stdout))
    assert not loaded & {"docker", "pydantic", "sarif_om", "msgspec", "scanrun.model", "requests"}


def test_outputs_hold_the_report_and_the_log_as_long_as_they_live():
    given = outputs(REPORT, b"[1]", exit_code=3, log=b"said")
    folder = given.log.parent

    assert (given[REPORT].read_bytes(), given.exit_code) == (b"[1]", 3)
    assert given.log.read_bytes() == b"said"
    del given
    gc.collect()
    assert not folder.exists()


@pytest.fixture
def run(tmp_path):
    numbers = iter(range(100))

    def go(engine, step, *, cancel=None, name="tool"):
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        with engine.open(EngineSettings(run_id="r", scratch=tmp_path)) as session:
            session.share(Snapshot(root=Path()), {"c": b""})
            return session.run(
                step, name=name, caches={}, folder=folder, cancel=cancel or threading.Event()
            )

    return go


def test_fake_engine_keeps_the_contract(tmp_path):
    engine = FakeEngine()

    assert isinstance(engine, Engine)
    session = engine.open(EngineSettings(run_id="r", scratch=tmp_path))
    members = [name for name in vars(Session) if not name.startswith("_")]
    assert [name for name in members if not hasattr(session, name)] == []


def test_fake_engine_answers_and_records(run):
    engine = FakeEngine({"tool/scan": Reply(outputs={REPORT: b"[1]"}, log=b"hm", exit_code=1)})

    outcome = run(engine, Good.step)

    assert (outcome.exit_code, outcome.outputs[REPORT].read_bytes()) == (1, b"[1]")
    assert [(name, step.name) for name, step in engine.ran] == [("tool", "scan")]
    assert (len(engine.shared), engine.closed) == (1, 1)


def test_fake_engine_refuses_a_forgotten_reply_and_a_missing_output(run):
    with pytest.raises(StepError, match="no reply"):
        run(FakeEngine(), Good.step)
    with pytest.raises(StepError, match="left no"):
        run(FakeEngine({"tool": Reply()}), Good.step)


def test_fake_engine_fails_as_told(run, tmp_path):
    with pytest.raises(StepError, match="boom"):
        run(FakeEngine({"tool": Reply(error=StepError("boom"))}), Good.step)
    with pytest.raises(EngineError, match="none"):
        run(FakeEngine(unavailable=EngineError("none")), Good.step)
    session = FakeEngine(problems={"a/b:1": "gone"}).open(
        EngineSettings(run_id="r", scratch=tmp_path)
    )
    with pytest.raises(MissingToolError, match="gone"):
        session.prepare(Good.step, threading.Event())


def test_fake_step_waits_until_it_is_let_go_or_cancelled(run):
    cancel = threading.Event()
    cancel.set()
    engine = FakeEngine({"tool": Reply(wait=threading.Event())})

    with pytest.raises(InterruptedRunError):
        run(engine, Good.step, cancel=cancel)
    assert engine.started.is_set()


def test_fake_folder_output_holds_what_lies_below_it(run):
    step = Step(image="a/b:1", outputs=("/db/",))

    outcome = run(FakeEngine({"tool": Reply(outputs={"/db/x/y": b"1"})}), step)

    assert (outcome.outputs["/db/"] / "x" / "y").read_bytes() == b"1"
