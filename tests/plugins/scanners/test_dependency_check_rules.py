"""Suppression files: what Dependency-Check was seen to drop is refused before it runs."""

import pytest
from dependency_check_reports import tree

from scanrun.api import StepError, Target
from scanrun_plugins.scanners.dependency_check.command import Options
from scanrun_plugins.scanners.dependency_check.rules import problems, suppression_files, told

NAMESPACE = "https://jeremylong.github.io/DependencyCheck/dependency-suppression.1.3.xsd"


def written(rules, namespace=NAMESPACE):
    return f'<?xml version="1.0"?>\n<suppressions xmlns="{namespace}">\n{rules}\n</suppressions>\n'


def rule(inside, attributes=""):
    return written(f"<suppress{attributes}>{inside}</suppress>")


@pytest.mark.parametrize(
    "text",
    [
        written(""),
        rule("<notes/><packageUrl regex='true'>^pkg:a/.*$</packageUrl><cve>CVE-2021-1</cve>"),
        rule("<cve>CVE-2021-44228</cve>", " until='2030-01-31Z'"),
        rule("<sha1>" + "0" * 40 + "</sha1><vulnerabilityName>GHSA-x</vulnerabilityName>"),
        rule("<filePath regex='true'>\\Qa.jar\\E</filePath><cpe>cpe:/a:b</cpe><cwe>79</cwe>"),
        written("", NAMESPACE.replace("1.3", "1.4")),
    ],
)  # fmt: skip
def test_a_good_file_has_no_problems(text):
    assert [*problems(text.encode())] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no xml", "no XML"),
        (written("")[:-5], "no XML"),
        ("<!DOCTYPE a><suppressions/>", "DOCTYPE"),
        ("<suppressions/>", "the root is"),
        (rule("<packageUrl>pkg:a/b</packageUrl>"), "names no cve"),
        (rule("<cve>GHSA-aaaa-bbbb-cccc</cve>"), "vulnerabilityName"),
        (rule("<cve>CVE-2021-1</cve><packageUrl>a</packageUrl>"), "stands before"),
        (rule("<cve>CVE-2021-1</cve>", " until='soon'"), "until is a date"),
        (rule("<cve>CVE-2021-1</cve>", " until='2026-02-30'"), "until is a date"),
        (rule("<cve>CVE-2021-1</cve>", " base='true'"), "out of the report"),
        (rule("<filePath regex='true'>(</filePath><cve>CVE-2021-1</cve>"), "regular expression"),
        (rule("<sha1>12</sha1><cve>CVE-2021-1</cve>"), "hexadecimal"),
        (rule("<path>a</path><cve>CVE-2021-1</cve>"), "holds no <path>"),
    ],
)
def test_a_rule_that_would_void_all_is_named_with_its_line(text, why):
    found = [*problems(text.encode())]

    assert any(why in problem for _, problem in found)
    assert all(line > 0 for line, _ in found)


def test_the_line_is_that_of_the_rule(tmp_path):
    snapshot = tree(tmp_path, {"s.xml": written("\n<suppress><cve>x</cve></suppress>")})
    options = Options(suppressions=("s.xml",))

    with pytest.raises(StepError, match=r"'s\.xml' line 4: 'x' is no CVE"):
        suppression_files(Target(snapshot=snapshot), options)


def test_a_file_that_is_not_scanned_is_not_taken(tmp_path):
    with pytest.raises(StepError, match="not among the scanned files"):
        suppression_files(
            Target(snapshot=tree(tmp_path, {})), Options(suppressions=("../../etc/x.xml",))
        )


def test_rules_that_hide_more_than_they_seem_to_are_told(tmp_path):
    text = rule("<cpe>cpe:/a:b</cpe><cvssBelow>9.5</cvssBelow>")
    snapshot = tree(tmp_path, {"s.xml": text})
    options = Options(suppressions=("s.xml",))

    (file,) = suppression_files(Target(snapshot=snapshot), options).values()
    said = [each.text for each in told(snapshot.root, options)]

    assert file == text.encode()
    assert len(said) == 2
