"""Proof of reach in a whole run, on an engine in memory."""

import json
import threading
from dataclasses import replace

import pytest
from crawling_kit import APP, DEAD, PAGE, URL, Crawler, engine
from pipeline_kit import Tool, finding, report

from scanrun.api import Category, EngineLostError, Reached, ScanError
from scanrun.cli.app import run as gate
from scanrun.stages.watch import Watch
from scanrun.testing import FakeEngine
from scanrun.testing.fake import FakeService

SIGN_IN = "tok" + "en-of-the-application"


def result_of(verdict):
    (result,) = verdict.scanners
    return result


def saved_of(tree, name):
    return json.loads((tree / ".scanrun" / name).read_text())


def test_what_was_reached_stands_in_the_summary_the_verdict_and_the_log(scan, tree):
    verdict = scan(Crawler("dast"), engine=engine(), flags=APP)

    assert verdict.exit_code == 0
    assert result_of(verdict).evidence.summary == f"15 pages of {URL}, 2xx 80 %, 4xx 20 %"
    told = {
        "url": URL,
        "before": '200, "Parcels", 0.8 kB',
        "after": '200, "Parcels", 0.8 kB',
        "pages": 15,
        "codes": {"2xx": 80, "4xx": 20},
        "others": [],
    }
    (scanner,) = saved_of(tree, "verdict.json")["scanners"]
    (run,) = saved_of(tree, "results.sarif")["runs"]
    assert scanner["evidence"]["reached"] == told
    assert run["invocations"][0]["properties"]["reached"] == told


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 3)])
def test_the_proof_is_read_back_from_the_log(scan, tree, status, code):
    scan(Crawler("dast"), engine=engine(after={**PAGE, "status": status}), flags=APP)

    assert gate(["gate", str(tree / ".scanrun" / "results.sarif")]) == code


def test_an_application_that_does_not_answer_is_not_scanned(scan):
    memory = engine(before=DEAD)

    verdict = scan(Crawler("dast"), engine=memory, flags=APP)

    assert verdict.exit_code == 3
    assert result_of(verdict).reason == f"{URL} refuses connections (nobody there)"
    assert "[app] port" in result_of(verdict).hint
    assert [step.name for _, step in memory.ran] == ["probe-before"]


def test_an_application_that_sends_on_elsewhere_is_not_scanned(scan):
    hop = {"url": URL, "status": 302, "location": "http://localhost:9000/"}
    memory = engine(before={**PAGE, "status": 302, "chain": [hop]})

    verdict = scan(Crawler("dast"), engine=memory, flags=APP)

    assert f"{URL} answers 302 to http://localhost:9000/" in result_of(verdict).reason
    assert [step.name for _, step in memory.ran] == ["probe-before"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_error_page_is_no_application_and_the_findings_are_kept(scan, when):
    memory = engine(**{when: {**PAGE, "status": 500}}, report=report(finding(path="x", line=1)))

    verdict = scan(Crawler("dast"), engine=memory, flags=APP)

    assert (result_of(verdict).status, result_of(verdict).findings) == ("failed", 1)
    assert f"{URL} answers 500, and 200 is due" in result_of(verdict).reason


def test_reach_can_be_lowered_and_is_told(scan):
    lower = {"evidence.lower": {"dast": ["reach"]}}

    verdict = scan(Crawler("dast"), engine=engine(after={**PAGE, "status": 500}), flags=APP | lower)

    assert verdict.exit_code == 0
    assert result_of(verdict).evidence.lowered
    assert any("dast is believed all the same" in each for each in verdict.told)


def test_a_scanner_that_can_not_say_what_it_saw_costs_itself(scan):
    class Blind(Crawler):
        def reached(self, outputs):
            raise ScanError("its report tells of no pages")

    assert result_of(scan(Blind("dast"), engine=engine(), flags=APP)).status == "failed"


def test_a_scanner_that_has_no_words_for_what_it_saw_saw_nothing(scan):
    class Silent(Crawler):
        reached = None

    verdict = scan(Silent("dast"), engine=engine(), flags=APP)

    assert "tells of no page that it saw" in result_of(verdict).reason


def test_an_engine_that_is_lost_is_not_the_application_s_end(scan):
    running = FakeService()

    class Losing(FakeEngine):
        def reply(self, scanner, step):
            running.ended = "nobody can tell"
            raise EngineLostError("the engine is gone")

    verdict = scan(Crawler("dast"), engine=Losing(services={"app": running}), flags=APP)

    assert result_of(verdict).reason == "the engine is gone"


def test_a_scanner_that_answers_nonsense_costs_itself(scan):
    class Odd(Crawler):
        def reached(self, outputs):
            return {"pages": 15}

    verdict = scan(Odd("dast"), engine=engine(), flags=APP)

    assert "is not what was reached" in result_of(verdict).reason


def test_a_scanner_of_applications_without_any_proof_of_reach_is_not_believed(scan):
    class Blind(Tool):
        category = Category.DAST

    verdict = scan(Blind("dast"), engine=engine(), flags=APP)

    assert result_of(verdict).reason == "it has no proof that it reached the application"


def test_what_is_told_of_an_application_is_masked(scan, tree):
    token = "ghp_" + "k3Yp" * 9

    class Chatty(Crawler):
        def reached(self, outputs):
            return replace(super().reached(outputs), before=token, problems=(f"it said {token}",))

    verdict = scan(Chatty("dast"), engine=engine(), flags=APP)

    assert result_of(verdict).reason == "it said ********"
    assert token not in (tree / ".scanrun" / "verdict.json").read_text()
    assert token not in (tree / ".scanrun" / "results.sarif").read_text()


def test_the_header_that_signs_in_is_asked_for_and_reaches_the_probe_alone(scan):
    memory = engine()
    flags = APP | {"app.sign_in": {"header": "X-Token", "secret": "APP_TOKEN"}}

    verdict = scan(Crawler("dast"), engine=memory, flags=flags, more={"APP_TOKEN": SIGN_IN})

    assert verdict.exit_code == 0
    files = [step.files.get(f"/{step.name}/header") for _, step in memory.ran]
    assert files == [SIGN_IN.encode(), None, SIGN_IN.encode()]


def test_a_missing_secret_of_the_sign_in_is_seen_in_the_plan(scan):
    flags = APP | {"app.sign_in": {"secret": "APP_TOKEN"}}

    verdict = scan(Crawler("dast"), engine=engine(), flags=flags)

    assert "variable APP_TOKEN is not set" in result_of(verdict).reason


class Dying(FakeEngine):
    """The application ends while the scanner runs."""

    def reply(self, scanner, step):
        if step.name == "scan":
            self.services["app"].ended = "exit code 137"
        return super().reply(scanner, step)


def test_an_application_that_ends_in_mid_scan_is_named(scan):
    memory = Dying(engine().replies, services={"app": FakeService()})

    verdict = scan(Crawler("dast"), engine=memory, flags=APP)

    assert "service 'app' ended: exit code 137" in result_of(verdict).reason
    assert [step.name for _, step in memory.ran] == ["probe-before", "scan"]


def test_a_scan_is_not_waited_for_whose_application_has_ended(scan, monkeypatch):
    monkeypatch.setitem(Watch.__init__.__kwdefaults__, "every_s", 0.01)
    replies = engine().replies
    endless = replace(replies["dast"], wait=threading.Event())
    memory = Dying({**replies, "dast": endless}, services={"app": FakeService()})

    verdict = scan(Crawler("dast"), engine=memory, flags=APP)

    assert "service 'app' ended: exit code 137" in result_of(verdict).reason
    assert [step.name for _, step in memory.ran] == ["probe-before", "scan"]


def test_an_application_that_ends_during_the_last_step_is_seen(scan):
    class Last(Dying):
        def reply(self, scanner, step):
            if step.name == "probe-after":
                self.services["app"].ended = "exit code 1"
            return FakeEngine.reply(self, scanner, step)

    memory = Last(engine().replies, services={"app": FakeService()})

    verdict = scan(Crawler("dast"), engine=memory, flags=APP)

    assert "service 'app' ended: exit code 1" in result_of(verdict).reason


def test_an_application_that_is_never_ready_is_told_with_what_to_set(scan):
    class Waiting(Crawler):
        ready = staticmethod(lambda address: False)

    verdict = scan(Waiting("dast"), engine=engine(), flags=APP | {"app.start_deadline": "1s"})

    assert "'app' was not ready after 1 s" in result_of(verdict).reason
    assert "[app] health" in result_of(verdict).hint


def test_without_an_application_it_is_not_run(scan):
    verdict = scan(Crawler("dast"), Tool("good"), good=b'{"findings": []}')

    assert [each.status for each in verdict.scanners] == ["not-applicable", "completed"]


def test_a_result_is_named_by_its_tool_not_by_its_probe(scan):
    class Other(Crawler):
        def steps(self, target):
            before, step, after = super().steps(target)
            return before, replace(step, image="example/dast:7"), after

    verdict = scan(Other("dast"), engine=engine(), flags=APP)

    assert (result_of(verdict).image, result_of(verdict).version) == ("example/dast:7", "7")


def test_others_than_the_application_in_the_findings_are_a_problem(scan):
    class Wandering(Crawler):
        others = ("http://app:8080/a", "http://other:1/b?c")

    evidence = result_of(scan(Wandering("dast"), engine=engine(), flags=APP)).evidence

    assert isinstance(evidence.reached, Reached)
    assert evidence.reached.others == ("http://other:1",)
    assert any("http://other:1, which is not the application" in each for each in evidence.problems)


def test_two_scanners_share_one_application(scan):
    memory = engine(name="dast", services={"app": FakeService()})
    memory.replies |= engine(name="second").replies

    verdict = scan(Crawler("dast"), Crawler("second"), engine=memory, flags=APP)

    assert verdict.exit_code == 0
    assert [each.name for each in memory.served] == ["app"]
    assert memory.services["app"].stopped == 1
