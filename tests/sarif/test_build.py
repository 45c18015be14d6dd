import pytest

from scanrun.model import Category, Severity
from scanrun.sarif.build import cwe_numbers, pascal_case, result, rule
from scanrun.sarif.codec import to_json


def place(made):
    return to_json(made)["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_path_of_the_container_is_made_relative():
    made = result("R", "bad", path="/src/a/b.py", severity=Severity.LOW)

    assert place(made) == "a/b.py"


def test_severity_as_a_word_is_refused_with_what_to_write():
    with pytest.raises(TypeError, match=r"Severity\.of_word\('HIGH'\)"):
        result("R", "bad", path="a.py", severity="HIGH")


@pytest.mark.parametrize(
    ("score", "shown"), [(9.1, "9.1"), (7.5, "9.5"), (None, "9.5")], ids=["fits", "other", "none"]
)
def test_score_stands_only_where_it_fits_the_severity(score, shown):
    made = rule("R", short="bad", severity=Severity.CRITICAL, category=Category.SCA, score=score)

    assert to_json(made)["properties"]["security-severity"] == shown


def test_unknown_severity_is_an_error_with_a_high_score_and_stays_unknown():
    made = to_json(result("R", "bad", path="a.py", severity=Severity.UNKNOWN))

    assert (made["level"], made["rank"]) == ("error", 80.0)
    assert made["properties"] == {"security-severity": "8.0", "severity": "unknown"}


def test_score_given_later_moves_severity_level_and_rank_with_it():
    made = to_json(result("R", "bad", path="a.py", severity=Severity.LOW).with_score(9.5))

    assert (made["level"], made["rank"]) == ("error", 95.0)
    assert made["properties"]["severity"] == "critical"


def test_what_is_no_failure_has_no_level_and_no_rank():
    made = to_json(result("R", "look", path="a.py", severity=Severity.HIGH, kind="review"))

    assert (made["kind"], made["level"]) == ("review", "none")
    assert "rank" not in made


def test_cwe_numbers_are_taken_from_any_spelling_once():
    found = cwe_numbers(["CWE-79", "cwe-079", 79, "CWE:22", "NVD-CWE-noinfo", "-1", "0", ""])

    assert found == (22, 79)


def test_rule_names_its_weakness_for_every_consumer():
    made = to_json(
        rule("R", short="cross site", severity=Severity.LOW, category=Category.SAST, cwe=[79])
    )

    assert {"cwe-79", "external/cwe/cwe-079", "security"} <= set(made["properties"]["tags"])
    assert made["relationships"][0]["target"]["id"] == "79"
    assert made["name"] == pascal_case("cross site") == "CrossSite"


FULL = {
    "path": "a b/c:d.py",
    "severity": Severity.HIGH,
    "score": 7.5,
    "line": 3,
    "end_line": 4,
    "column": 1,
    "end_column": 9,
    "context": (2, 5),
    "markdown": "*m*",
    "component": "pkg:x/y@1",
    "identity": {"i/v1": "x"},
    "suppressed": "why",
    "properties": {"fix": "update", "places": ("a", "b"), "n": 1},
}


@pytest.mark.parametrize("more", [{}, {"kind": "review"}], ids=["fail", "review"])
@pytest.mark.parametrize("given", [FULL, {"path": "a.py", "severity": Severity.INFO}])
def test_a_result_that_was_looked_into_is_written_like_one_that_was_not(given, more):
    plain, seen = (result("R", "m", **given, **more) for _ in range(2))

    assert seen.rule_id == "R"
    assert seen.locations[0].physical_location.region.start_line == given.get("line", 1)
    assert to_json(seen) == to_json(plain)


def test_what_is_set_on_a_result_is_written_with_the_rest_of_it():
    made = result("R", "m", **FULL)
    before = to_json(made)
    made.suppressions = [{"kind": "external"}]

    assert to_json(made) == before | {"suppressions": [{"kind": "external"}]}


def test_a_result_has_no_more_names_than_sarif_om_gives_it():
    made = result("R", "m", path="a.py", severity=Severity.LOW)

    assert not hasattr(made, "nonsense")
    assert made.rule_id == "R"


def test_what_is_in_the_properties_of_a_result_is_lists_dicts_and_atoms():
    made = to_json(result("R", "m", **FULL))

    assert made["properties"]["places"] == ["a", "b"]


@pytest.mark.parametrize("word", ["high", "HIGH"])
def test_a_word_is_refused_though_the_severity_it_equals_was_used(word):
    result("R", "m", path="a.py", severity=Severity.HIGH)

    with pytest.raises(TypeError):
        result("R", "m", path="a.py", severity=word)
