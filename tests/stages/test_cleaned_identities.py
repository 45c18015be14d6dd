"""What a tool says as an identity is masked as a message is, and identifies all the same."""

import json
from datetime import date

import pytest

from scanrun.api import Category, Outputs, Severity, Snapshot, result, rule
from scanrun.config.models import Settings
from scanrun.sarif.mask import Masker
from scanrun.sarif.writer import RunWriter
from scanrun.stages.convert import convert_outputs
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.triage import Triage

SECRET = "ghp_" + "k3Yp" * 9
KNOWN = "correct-horse-battery"
PATH = "app.py"


class Telling:
    """Its results name themselves by each of `identities`."""

    name = "telling"
    category = Category.SAST

    def __init__(self, *identities):
        self._identities = identities

    def applies(self, target):
        raise NotImplementedError

    def steps(self, target):
        return ()

    def convert(self, outputs):
        yield rule("r", short="a rule", severity=Severity.HIGH, category=Category.SAST)
        for each in self._identities:
            identity = {"check/v1": each}
            made = result("r", "m", path=PATH, severity=Severity.HIGH, identity=identity)
            made.fingerprints = {"server/v1": each, "scanrun/v1": each}
            made.hosted_viewer_uri = f"https://example.org/?open={each}"
            made.work_item_uris = [f"https://example.org/{each}"]
            yield made


def converted(folder, scanner, *values):
    path = folder / "run.json"
    outputs = Outputs({}, snapshot=Snapshot(root=folder))
    triage = Triage(Settings(), date(2030, 1, 1))
    with RunWriter(path) as writer:
        convert_outputs(
            scanner,
            outputs,
            writer,
            fingerprinter=Fingerprinter(outputs.snapshot),
            triage=triage,
            masker=Masker(values),
        )
        writer.finish({"tool": {"driver": {"name": "t"}}})
    return json.loads(path.read_text())["results"]


@pytest.mark.parametrize("hidden", [SECRET, KNOWN, "password=hunter2", "\x1b[31m", "\u202e"])
def test_nothing_that_a_result_names_itself_by_shows_a_secret_or_colours_a_terminal(
    tmp_path, hidden
):
    (found,) = converted(tmp_path, Telling(f"of {hidden} here"), KNOWN)

    bare = hidden.removeprefix("password=")
    assert bare not in json.dumps(found, ensure_ascii=False)
    assert "\\u001b" not in json.dumps(found)
    assert found["partialFingerprints"]["check/v1"].startswith("of ")
    assert found["partialFingerprints"]["check/v1"].endswith(" here")


def test_cleaning_an_identity_leaves_the_fingerprint_what_it_was(tmp_path):
    one, other = converted(tmp_path, Telling(f"one {SECRET}", f"one {SECRET}2"), KNOWN)

    assert one["partialFingerprints"] == {
        "check/v1": "one ********",
        "scanrun/v1": "6f624ce4ca110b03e5dbacd2dca6459e",
    }
    assert other["partialFingerprints"]["scanrun/v1"] == "afb2c3ed3adf6f29abc89a4843dbaf4d"


def test_a_known_value_does_not_black_out_a_fingerprint(tmp_path):
    (before,) = converted(tmp_path, Telling("of \x1b[31m"))
    fingerprint = before["partialFingerprints"]["scanrun/v1"]

    (after,) = converted(tmp_path, Telling("of \x1b[31m"), fingerprint[:6])

    assert after["partialFingerprints"] == {"check/v1": "of ", "scanrun/v1": fingerprint}


def test_an_endless_identity_is_cut_and_still_told_from_others(tmp_path):
    same = "x" * 5000

    one, other = converted(tmp_path, Telling(same + "1", same + "2"))

    assert len(one["partialFingerprints"]["check/v1"]) == 1000
    assert len(one["fingerprints"]["server/v1"]) == 1000
    assert one["partialFingerprints"]["scanrun/v1"] != other["partialFingerprints"]["scanrun/v1"]


@pytest.mark.parametrize("ordinal", ["secret-keyword:1", "basic-auth-credentials:12"])
def test_a_kind_and_its_number_are_no_password(tmp_path, ordinal):
    (found,) = converted(tmp_path, Telling(ordinal))

    assert found["partialFingerprints"]["check/v1"] == ordinal


def test_a_known_value_is_masked_even_where_it_looks_like_a_kind(tmp_path):
    (found,) = converted(tmp_path, Telling(f"{KNOWN}:1"), KNOWN)

    assert found["partialFingerprints"]["check/v1"] == "********:1"
