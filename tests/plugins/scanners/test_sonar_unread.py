"""What SonarScanner tells in its log alone, and what the source hides."""

import pytest

from scanrun.api import Proof, Snapshot, SnapshotFile
from scanrun_plugins.scanners.sonar.unread import narrowed, silenced, unread


def said(tmp_path, *lines):
    log = tmp_path / "step.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    return [(each.level, each.text) for each in unread(log)]


@pytest.mark.parametrize(
    "text",
    [
        "Unable to parse file: broken.py",
        "Failed to parse file [src/a.js] at line 3: Unexpected token",
        "Unable to parse source file : 'A.java'",
        "Cannot parse 'k8s.yaml:1:1'",
        "Failed to analyze file [b.ts]",
        "Unable to analyse file: c.xml",
    ],
)
def test_file_that_an_analyser_gives_up_is_an_error_by_name(tmp_path, text):
    lines = ["16:55:03.437 INFO  1 file indexed", f"16:55:03.437 ERROR {text}"]

    assert said(tmp_path, *lines) == [("error", f"not analysed: {text}")]


@pytest.mark.parametrize("language", ["C#", "VB.NET"])
def test_language_that_is_indexed_and_not_looked_at_is_an_error(tmp_path, language):
    text = (
        f"Your project contains {language} files which cannot be analyzed with the scanner you are"
        " using. To analyze C# or VB.NET, you must use the SonarScanner for .NET 5.x or higher"
    )
    log = tmp_path / "step.log"
    log.write_text(f"10:00:01.000 INFO  2 files indexed\n10:00:09.000 WARN  {text}\n")

    (told,) = unread(log)

    assert (told.level, told.proof) == ("error", Proof.SIGNS)
    assert f"{language} files which cannot be analyzed" in told.text


def test_words_of_others_are_no_words_of_the_scanner(tmp_path):
    assert (
        said(
            tmp_path,
            "16:55:03.437 ERROR [stderr] WARNING: Unable to parse file: a",
            "  o Unable to parse file: b",
            "16:55:03.437 INFO  0 files ignored because of inclusion/exclusion patterns",
        )
        == []
    )


def test_files_that_are_passed_over_are_told(tmp_path):
    lines = [
        "16:54:45.897 INFO  2 files ignored because of inclusion/exclusion patterns",
        "16:54:45.897 WARN  File '/usr/src/x.js' is bigger than 20MB and is removed",
    ]

    assert [level for level, _ in said(tmp_path, *lines)] == ["warning", "warning"]


def test_of_many_files_the_number_is_told(tmp_path):
    lines = [f"16:54:45.897 ERROR Unable to parse file: {number}.py" for number in range(50)]

    told = said(tmp_path, *lines, *lines)

    assert len(told) == 21
    assert told[-1] == ("error", "not analysed: 30 more files")


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ('@SuppressWarnings("all")', True),
        ('@SuppressWarnings({"unchecked",\n  "java:S4790"})', True),
        ('@SuppressWarnings(value = "squid:S00112")', True),
        ('@SuppressWarnings("unchecked")', False),
        ("class A {}", False),
    ],
)
def test_annotation_that_hides_findings_is_told_with_its_file(tmp_path, text, silent):
    (tmp_path / "A.java").write_text(text)
    snapshot = Snapshot(root=tmp_path, files=(SnapshotFile("A.java", 1), SnapshotFile("B.java", 1)))

    told = [each.text for each in silenced(snapshot)]

    assert ["'A.java'" in each for each in told] == [True] * silent


def test_properties_that_keep_something_out_are_told():
    given = {
        "sonar.exclusions": "gen/**",
        "sonar.java.binaries": "build",
        "sonar.issue.ignore.multicriteria": "e1",
        "sonar.sources": "src",
    }

    told = [each.text for each in narrowed(given)]

    assert [each.split()[5] for each in told] == [
        "sonar.exclusions",
        "sonar.issue.ignore.multicriteria",
        "sonar.sources",
    ]
