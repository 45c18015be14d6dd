import json

import pytest
import sarif_om

from scanrun.model import Category, Severity
from scanrun.sarif import build
from scanrun.sarif.codec import dumps, to_json


def test_level_is_written_even_when_it_is_the_default():
    made = to_json(sarif_om.Result(message={"text": "m"}))

    assert (made["level"], made["kind"]) == ("warning", "fail")


def test_placeholders_are_left_out():
    made = to_json(sarif_om.Result(message=sarif_om.Message(text="m")))

    assert made == {"message": {"text": "m"}, "kind": "fail", "level": "warning"}


def test_a_real_minus_one_stays():
    made = to_json(sarif_om.Invocation(execution_successful=False, exit_code=-1))

    assert made == {"executionSuccessful": False, "exitCode": -1}


def test_zero_and_empty_text_are_no_placeholders():
    made = to_json(sarif_om.Region(start_line=1, byte_offset=0))

    assert made == {"startLine": 1, "byteOffset": 0}


@pytest.mark.parametrize("name", ["results"])
def test_no_results_is_not_the_same_as_not_run(name):
    run = sarif_om.Run(tool={"driver": {"name": "t"}}, results=[], artifacts=[])

    made = to_json(run)

    assert made[name] == []
    assert "artifacts" not in made


def test_status_of_a_suppression_has_its_final_name():
    made = to_json(sarif_om.Suppression(kind="external", state="rejected"))

    assert made == {"kind": "external", "status": "rejected"}


def test_objects_inside_dicts_and_lists_are_written():
    made = to_json(
        sarif_om.Result(
            message={"text": "m"}, properties={"places": [sarif_om.Region(start_line=2)]}
        )
    )

    assert made["properties"] == {"places": [{"startLine": 2}]}


def test_bytes_do_not_depend_on_the_order_of_keys():
    assert dumps({"b": 1, "a": {"d": 2, "c": 3}}) == dumps({"a": {"c": 3, "d": 2}, "b": 1})


def test_a_file_name_that_is_no_utf8_can_be_written():
    assert json.loads(dumps({"text": "caf\udce9"})) == {"text": "caf\\udce9"}


def test_a_built_rule_and_result_keep_their_severity():
    rule = to_json(
        build.rule("R1", short="a rule", severity=Severity.LOW, category=Category.SAST, cwe=["79"])
    )
    result = to_json(build.result("R1", "m", path="a:b/ü.py", severity=Severity.CRITICAL))

    assert rule["defaultConfiguration"] == {"level": "note"}
    assert rule["properties"]["security-severity"] == "2.0"
    assert (result["level"], result["rank"]) == ("error", 95.0)
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%3Ab/%C3%BC.py"
    assert place["region"] == {"startLine": 1}
