"""What the steps of a flow, and related places, say is masked as a message is."""

import json
from datetime import date

from scanrun.api import (
    Category,
    Condition,
    Outputs,
    ScanResult,
    Severity,
    Snapshot,
    Status,
    result,
    rule,
)
from scanrun.config.models import Settings
from scanrun.contracts import Driver
from scanrun.sarif.mask import Masker
from scanrun.stages.adopt import write_run
from scanrun.stages.triage import Triage

SECRET = "ghp_" + "k3Yp" * 9


def place(text, uri="app.py"):
    physical = {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}
    return {"physicalLocation": physical, "message": {"text": text}}


class Flowing:
    name = "flowing"
    category = Category.SAST

    def applies(self, target):
        raise NotImplementedError

    def steps(self, target):
        return ()

    def convert(self, outputs):
        yield rule("flow", short="a flow", severity=Severity.HIGH, category=Category.SAST)
        made = result("flow", "a flow", path="app.py", severity=Severity.HIGH)
        made.related_locations = [place(f"token {SECRET}")]
        steps = [{"location": place(f"here is {SECRET}\x1b[2J")}]
        made.code_flows = [{"threadFlows": [{"locations": steps}]}]
        yield made

    def conditions(self, outputs):
        return (Condition("gate", passed=True, detail=f"\x1b[2Jread with {SECRET}"),)


def converted(tmp_path):
    path = tmp_path / "run.json"
    triage = Triage(Settings(), date(2030, 1, 1))
    base = ScanResult(name="flowing", category="sast", status=Status.COMPLETED)

    outputs = Outputs({}, snapshot=Snapshot(root=tmp_path))
    write_run(
        path,
        Flowing(),
        outputs,
        base=base,
        driver=Driver("f"),
        triage=triage,
        masker=Masker(),
        run_id="1",
    )
    return path


def test_the_steps_of_a_flow_and_related_places_are_masked_as_a_message_is(tmp_path):
    path = converted(tmp_path)

    (found,) = json.loads(path.read_text())["results"]
    (way,) = found["codeFlows"][0]["threadFlows"]
    said = way["locations"][0]["location"]["message"]["text"]
    assert said.startswith("here is ")
    assert "\x1b" not in said
    assert found["relatedLocations"][0]["message"]["text"].startswith("token ")
    assert SECRET not in path.read_text()


def test_what_a_server_asks_is_masked_in_a_converted_report(tmp_path):
    path = converted(tmp_path)

    (condition,) = json.loads(path.read_text())["properties"]["scanrun"]["conditions"]
    assert condition["detail"] == "read with ********"
