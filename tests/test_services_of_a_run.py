"""Services, tasks and secrets in a whole run, on an engine in memory."""

import json
import subprocess
import threading
from dataclasses import replace
from functools import partial

import pytest
from pipeline_kit import CLEAN, REPORT, Learned, Tool, finding, report

from scanrun.api import Canary, Condition, Limits, Need, ScanError, Service, Step, StepError, Task
from scanrun.cache import Held
from scanrun.cli.app import run as cli
from scanrun.errors import EngineError, NotReadyError
from scanrun.sarif.mask import Masker
from scanrun.stages.services import Services
from scanrun.stages.update import fetch
from scanrun.testing import FakeEngine, Reply
from scanrun.testing.fake import FakeService

SECRET = "s3cr3t" + "-0f-the-server"


def always(address):
    return True


SERVER = Service(name="server", image="example/server:1", port=80, ready=always)


class Served(Tool):
    """A scanner with a server beside it, and a task that reads what is found from that."""

    service = SERVER

    def services(self, target):
        return (self.service,)

    def steps(self, target):
        scan = Step(image="example/tool:1", argv=("scan",), services=("server",))
        return (scan, Task(name="read", run=self.read, services=("server",), outputs=(REPORT,)))

    def read(self, desk):
        desk.say(f"asking {desk.address('server').url}")
        desk.place(REPORT).write_bytes(report(finding()))


def engine_with(*running, **replies):
    services = dict(zip(("server", "other"), running, strict=False))
    return FakeEngine({name: Reply() for name in ("tool", "second")} | replies, services=services)


def test_task_reads_from_the_service_what_is_found(scan):
    service = FakeService()
    engine = engine_with(service)

    verdict = scan(Served(), engine=engine)

    assert verdict.exit_code == 1
    assert verdict.scanners[0].findings == 1
    assert engine.served == [SERVER]
    assert engine.beside == [(service,)]
    assert service.stopped == 1


def test_two_scanners_share_an_equal_service_and_the_last_one_stops_it(scan):
    service = FakeService()
    engine = engine_with(service)

    verdict = scan(Served(), Served("second"), engine=engine)

    assert [each.status.value for each in verdict.scanners] == ["completed", "completed"]
    assert len(engine.served) == 1
    assert service.stopped == 1


def test_service_that_can_not_be_started_costs_its_own_scanner(scan):
    service = FakeService(error=StepError("no such image"))
    engine = engine_with(service, good=Reply(outputs={REPORT: CLEAN}))

    verdict = scan(Served(), Tool("good"), engine=engine)

    assert verdict.exit_code == 3
    assert [each.status.value for each in verdict.scanners] == ["failed", "completed"]
    assert "no such image" in verdict.scanners[0].reason


def test_service_that_ends_is_named_not_the_task_that_asked_it(scan):
    class Dying(Served):
        def read(self, desk):
            dead.ended = "exit code 0, killed for its memory"
            raise ScanError("connection refused")

    dead = FakeService()

    verdict = scan(Dying(), engine=engine_with(dead))

    assert verdict.exit_code == 3
    assert (
        "service 'server' ended: exit code 0, killed for its memory" in verdict.scanners[0].reason
    )


def test_service_that_ended_while_it_started_is_not_waited_for(scan):
    verdict = scan(Served(), engine=engine_with(FakeService(ended="exit code 0")))

    assert "service 'server' ended: exit code 0" in verdict.scanners[0].reason


def test_service_that_never_is_ready_is_an_error_and_its_log_is_kept(scan, tree):
    class Slow(Served):
        service = replace(SERVER, ready=lambda address: False, start_s=0.3)

    service = FakeService()

    verdict = scan(Slow(), engine=engine_with(service))

    assert "was not ready after 0.3 s" in verdict.scanners[0].reason
    assert service.stopped == 1
    (log,) = (tree / ".scanrun" / "raw" / "tool").rglob("server.log")
    assert log.read_text() == "the service's own log\n"


def test_question_is_not_waited_for_beyond_the_start_s_deadline(scan):
    over, answered = threading.Event(), []

    def ready(address):
        over.wait(10)
        answered.append(address)
        return False

    class Silent(Served):
        service = replace(SERVER, ready=ready, start_s=0.3)

    verdict = scan(Silent(), engine=engine_with(FakeService()))

    assert "was not ready after 0.3 s" in verdict.scanners[0].reason
    assert answered == []
    over.set()


def test_service_that_says_not_yet_is_waited_for(scan):
    said = ["/ answers 503", "/ answers 404"]

    def ready(address):
        if said:
            raise NotReadyError(said.pop())
        return True

    class Late(Served):
        service = replace(SERVER, ready=ready, start_s=30)

    assert scan(Late(), engine=engine_with(FakeService())).scanners[0].status == "completed"
    assert said == []


def test_service_that_never_is_ready_tells_its_last_answer_and_what_to_set(scan):
    def ready(address):
        raise NotReadyError("/ answers \x1b[31m404", hint="see [app] path")

    class Bare(Served):
        service = replace(SERVER, ready=ready, start_s=0.3)

    (result,) = scan(Bare(), engine=engine_with(FakeService())).scanners

    assert "was not ready after 0.3 s: / answers 404" in result.reason
    assert result.hint == "see [app] path; its log is kept with the raw reports"


def test_service_that_never_is_ready_says_why_that_may_be(scan):
    class Advising(FakeService):
        def advice(self):
            return "it listens on port \x1b[31m5000"

    class Slow(Served):
        service = replace(SERVER, ready=lambda address: False, start_s=0.3)

    verdict = scan(Slow(), engine=engine_with(Advising()))

    assert "not ready after 0.3 s: it listens on port 5000" in verdict.scanners[0].reason


def test_log_of_a_service_is_kept_with_the_raw_reports_of_a_failed_scan(scan, tree):
    class Failing(Served):
        def read(self, desk):
            raise ScanError("no answer")

    scan(Failing(), engine=engine_with(FakeService()))

    log = tree / ".scanrun" / "raw" / "tool" / "services" / "server.log"
    assert log.read_text() == "the service's own log\n"


def test_log_of_a_service_is_kept_where_the_answer_is_not_believed(scan, tree):
    class Failing(Served):
        def canary(self):
            return Canary({}, frozenset({"never-found"}))

    verdict = scan(Failing(), engine=engine_with(FakeService()))

    assert "did not find its canary" in verdict.scanners[0].reason
    log = tree / ".scanrun" / "raw" / "tool" / "services" / "server.log"
    assert log.read_text() == "the service's own log\n"


def test_task_that_leaves_nothing_is_incomplete(scan):
    class Empty(Served):
        def read(self, desk):
            pass

    verdict = scan(Empty(), engine=engine_with(FakeService()))

    assert verdict.exit_code == 3
    assert "left no" in verdict.scanners[0].reason


def test_task_that_hangs_is_held_to_its_deadline(scan):
    class Hanging(Served):
        def steps(self, target):
            step, task = super().steps(target)
            return step, replace(task, timeout_s=0.3)

        def read(self, desk):
            desk.cancel.wait(60)

    verdict = scan(Hanging(), engine=engine_with(FakeService()))

    assert verdict.exit_code == 3
    assert "took longer than 0.3 s" in verdict.scanners[0].reason


def test_services_need_the_memory_that_there_is(scan):
    class Large(Served):
        service = replace(SERVER, limits=Limits(memory_mb=4096))

    engine = engine_with(FakeService())
    engine.memory_mb = 3000

    verdict = scan(Large(), engine=engine)

    assert "it needs 5120 MB of memory, and there are 3000 MB" in verdict.scanners[0].reason
    assert engine.served == []


def test_limit_of_a_scanner_alone_is_no_need(scan):
    engine = FakeEngine({"tool": Reply(outputs={REPORT: CLEAN})}, memory_mb=500)

    assert scan(Tool(), engine=engine).exit_code == 0


class Secretive(Served):
    """The same, with a secret in a file, and one that the task makes."""

    def secrets(self, target):
        return (Need("SERVER_TOKEN", "token for the server"),)

    def steps(self, target):
        first = Task(name="login", run=self.login, services=("server",))
        step, read = super().steps(target)
        sealed = {
            "/conf/token": lambda values: f"{values['SERVER_TOKEN']} {values['made']}".encode()
        }
        return first, replace(step, sealed=sealed), read

    def login(self, desk):
        desk.seal("made", desk.secret("SERVER_TOKEN")[::-1])


def test_secrets_are_in_the_step_s_file_and_nowhere_else(scan, tree):
    engine = engine_with(FakeService(), tool=Reply(log=f"token {SECRET} {SECRET[::-1]}".encode()))

    verdict = scan(Secretive(), engine=engine, more={"SERVER_TOKEN": SECRET})

    (_, step) = engine.ran[0]
    assert step.files["/conf/token"] == f"{SECRET} {SECRET[::-1]}".encode()
    assert verdict.scanners[0].status == "completed"
    written = b"".join(
        path.read_bytes() for path in (tree / ".scanrun").rglob("*") if path.is_file()
    )
    assert SECRET.encode() not in written
    assert SECRET[::-1].encode() not in written
    assert b"token ********" in written


def test_missing_secret_is_seen_in_the_plan_and_costs_its_own_scanner(scan):
    engine = engine_with(FakeService(), good=Reply(outputs={REPORT: CLEAN}))

    verdict = scan(Secretive(), Tool("good"), engine=engine)

    assert verdict.exit_code == 3
    assert "variable SERVER_TOKEN is not set" in verdict.scanners[0].reason
    assert [name for name, _ in engine.ran] == ["good"]


def test_hint_names_the_secret_that_is_missing(scan):
    class Two(Tool):
        def secrets(self, target):
            return Need("FIRST", "first", optional=True), Need("SECOND", "second")

    verdict = scan(Two(), tool=CLEAN)

    assert "[secret.SECOND]" in verdict.scanners[0].hint


def test_what_a_task_says_and_a_server_asks_is_masked(scan):
    class Chatty(Secretive):
        def login(self, desk):
            super().login(desk)
            desk.say(f"logged in with {desk.secret('made')}")

        def conditions(self, outputs):
            return (Condition("gate", passed=False, detail=f"\x1b[2Jtoken is {SECRET[::-1]}"),)

    seen = []
    engine = engine_with(FakeService())

    verdict = scan(Chatty(), engine=engine, see=seen.append, more={"SERVER_TOKEN": SECRET})

    assert "logged in with ********" in [event.text for event in seen]
    (condition,) = verdict.scanners[0].conditions
    assert condition.detail == "token is ********"


def test_what_the_tree_s_file_sets_is_told_masked_in_the_verdict(scan, tree):
    token = "ghp_" + "k3Yp" * 9
    (tree / "scanrun.toml").write_text(f'[scan]\nexclude = ["{token}"]\n')

    verdict = scan(Tool(), tool=CLEAN)

    assert any("leaves files out ('********')" in each for each in verdict.told)
    assert token not in str(verdict.told)


def test_run_that_can_not_begin_does_not_write_a_secret_down(scan, tree):
    engine = FakeEngine(unavailable=EngineError(f"no engine at {SECRET}"))

    with pytest.raises(EngineError):
        scan(Tool(), engine=engine, more={"ENGINE_TOKEN": SECRET})

    verdict = json.loads((tree / ".scanrun" / "verdict.json").read_text())
    assert verdict["reason"] == "no engine at ********"


def test_scanner_that_fails_before_its_service_starts_does_not_keep_it_for_others(scan):
    class Locked(Served):
        def secrets(self, target):
            return (Need("KEY", "key"),)

    service = FakeService()
    engine = engine_with(service)
    flags = {"secret.KEY.command": ("false",)}

    verdict = scan(Locked("second"), Served(), engine=engine, flags=flags)

    assert [each.status.value for each in verdict.scanners] == ["failed", "completed"]
    assert service.stopped == 1


class _Unwritable(FakeService):
    def write_log(self, path):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("ready", [True, False])
def test_service_is_removed_even_where_its_log_can_not_be_kept(tmp_path, ready):
    service = replace(SERVER, ready=lambda address: ready, start_s=0.0)
    running = _Unwritable()
    shared, log = Services([service]), tmp_path / "log"
    session = engine_with(running).open(None)
    start = partial(
        shared.start, service, session, name="tool", cancel=threading.Event(), say=str, log=log
    )

    with pytest.raises(OSError, match="No space"):  # noqa: PT012 - either may be the one
        start()
        shared.leave(service, log)

    assert running.stopped == 1


def test_update_that_is_due_counts_for_the_memory_that_is_waited_for(scan):
    class Hungry(Learned):
        def databases(self, target):
            (database,) = super().databases(target)
            update = replace(database.update, limits=Limits(memory_mb=9000))
            return (replace(database, update=update),)

    plan = scan(Hungry("learned"), learned=CLEAN, dry=True)

    assert plan.entries[0].memory_mb == 9000


def test_failed_condition_of_a_server_fails_the_gate_and_again_from_the_log(scan, tree):
    class Gated(Tool):
        def conditions(self, outputs):
            return (Condition("quality gate", passed=False, detail="coverage 10 < 80"),)

    verdict = scan(Gated(), tool=CLEAN)

    assert verdict.exit_code == 1
    assert "coverage 10 < 80" in verdict.reason
    assert cli(["gate", str(tree / ".scanrun" / "results.sarif")]) == 1


def test_phases_of_a_scan_stand_in_the_verdict_in_their_order(scan, tree):
    scan(Served(), engine=engine_with(FakeService()))

    (scanner,) = json.loads((tree / ".scanrun" / "verdict.json").read_text())["scanners"]
    names = [each["name"] for each in scanner["phases"]]
    assert names == ["starting server", "scan", "read", "reading its report"]


@pytest.mark.parametrize("name", ["built.jar", "lib/inner.war"])
def test_files_that_git_ignores_are_scanned_where_a_scanner_wants_them(scan, tree, name):
    class Wanting(Tool):
        wanted = ("*.jar", "*.war")

    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_bytes(b"PK")
    (tree / ".gitignore").write_text("*.jar\nlib/\n")
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    seen = []

    verdict = scan(Wanting(), tool=CLEAN, planned=seen.append)

    assert name in [file.path for file in seen[0].snapshot.files]
    assert any("that git ignores is scanned all the same" in note for note in verdict.told)


def test_database_update_is_given_its_secrets(scan):
    class Fetched(Learned):
        def secrets(self, target):
            return (Need("FEED_KEY", "key of the feed", optional=True),)

        def databases(self, target):
            (database,) = super().databases(target)
            sealed = {"/conf/feed": lambda values: values["FEED_KEY"].encode()}
            return (replace(database, update=replace(database.update, sealed=sealed)),)

    engine = FakeEngine({"learned": Reply(outputs={REPORT: CLEAN})})

    scan(Fetched("learned"), engine=engine, more={"FEED_KEY": SECRET})

    assert engine.ran[0][1].files == {"/conf/feed": SECRET.encode()}


def test_update_of_a_database_that_grows_goes_on_from_the_edition_held(tmp_path):
    (database,) = Learned().databases(None)
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "updated").write_text("2026-01-01T00:00:00+00:00")
    (tmp_path / "new").mkdir()
    held = Held(tmp_path / "held", database.read(tmp_path / "held"), 1)
    engine = FakeEngine({"learned": Reply(outputs={"/db/updated": b"2026-01-02T00:00:00+00:00"})})

    for grows in (False, True):
        fetch(
            engine.open(None),
            Learned("learned"),
            replace(database, grows=grows),
            database.update,
            folder=tmp_path / "new",
            held=held,
            cancel=threading.Event(),
            log=tmp_path / "log",
            masker=Masker(),
            say=pytest.fail,
        )

    given = [step.host_files for _, step in engine.ran]
    assert given == [{}, {"/db/updated": tmp_path / "held" / "updated"}]


def test_scanner_that_knows_what_its_exit_codes_mean_says_so(scan):
    class Telling(Tool):
        def failure(self, step, exit_code, log):
            return ScanError(
                f"{step.name}: code {exit_code} means {log.read_text()}", hint="mend it"
            )

    verdict = scan(Telling(), tool=Reply(exit_code=7, log=b"no licence"))

    assert (verdict.scanners[0].reason, verdict.scanners[0].hint) == (
        "scan: code 7 means no licence",
        "mend it",
    )
