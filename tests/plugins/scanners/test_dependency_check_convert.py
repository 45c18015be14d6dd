"""What the converter makes of Dependency-Check's reports, real and made up."""

import csv
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dependency_check_reports import (
    DATA,
    NOWHERE,
    converted,
    dependency,
    line,
    notes,
    others,
    place,
    read,
    recorded,
    related,
    report,
    results,
    rules,
    tree,
    vulnerability,
)

from scanrun.api import CANARY_DIR, Category, ConversionError
from scanrun.sarif.codec import to_json
from scanrun_plugins.scanners.dependency_check.convert import convert_report, files_read
from scanrun_plugins.scanners.dependency_check.packages import canonical
from scanrun_plugins.scanners.dependency_check.report import read_report
from scanrun_plugins.scanners.dependency_check.scan_info import data_updated, engine_version

SHARED = Path(__file__).parents[4] / "shared"
CORPUS = SHARED / "corpus"
LAB_REPORTS = SHARED / "lab" / "dependency-check" / "reports"
_SPACE_IN_ARCHIVE = (
    "AnalysisException: AnalysisException: IO Exception while parsing file 'b.jar'."
    " (because of IOException: No space left on device)"
)
_SPACE_IN_DATABASE = (
    "InitializationException: An exception occurred accessing the database"
    " (because of IOException: No space left on device)"
)
VERSIONS = ("9.2.0", "12.2.2", "13.0.0")


def manifest(*folders):
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [row for row in rows if row["path"].split("/")[0] in folders]


def pairs():
    by_id = {}
    for row in manifest("depcheck"):
        if row["pair_id"]:
            by_id.setdefault(row["pair_id"], []).append(row["path"])
    return [paths for paths in by_id.values() if len(paths) > 1]


needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
needs_lab = pytest.mark.skipif(not LAB_REPORTS.is_dir(), reason="the lab's reports are not here")


def of_file(path):
    return list(convert_report(read_report(path), NOWHERE, Category.SCA))


def as_json(items):
    return [to_json(item) for item in (*rules(items), *results(items))]


@needs_corpus
@pytest.mark.parametrize("row", manifest("depcheck"), ids=lambda row: row["path"])
def test_a_real_report_gives_the_findings_that_were_counted_in_it(row):
    found = [item for item in results(of_file(CORPUS / row["path"])) if not item.suppressions]

    assert sum(item.properties.get("listed", 1) for item in found) == int(row["findings"])


@needs_corpus
@pytest.mark.parametrize("paths", pairs(), ids=lambda paths: paths[0])
def test_the_same_scan_reads_alike_in_both_formats(paths):
    first, *rest = (as_json(of_file(CORPUS / path)) for path in paths)

    assert all(each == first for each in rest)


@needs_corpus
@pytest.mark.parametrize("row", manifest("lookalike", "malformed"), ids=lambda row: row["path"])
def test_another_format_is_refused(row):
    with pytest.raises(ConversionError):
        of_file(CORPUS / row["path"])


@needs_lab
@pytest.mark.parametrize(
    "path",
    sorted(LAB_REPORTS.glob("failures/*.json")) if LAB_REPORTS.is_dir() else [],
    ids=lambda path: path.name,
)
def test_a_failure_is_no_clean_scan(path):
    if not path.stat().st_size:
        with pytest.raises(ConversionError):
            of_file(path)
        return

    errors = [note for note in notes(of_file(path)) if note.level == "error"]

    assert bool(errors) is ("exit14" in path.name)


@pytest.mark.parametrize("version", VERSIONS)
def test_json_and_xml_of_one_run_give_the_same(version):
    assert as_json(recorded(f"subset-{version}.json")) == as_json(recorded(f"subset-{version}.xml"))


def test_three_versions_tell_the_same_but_for_cvss_4_which_the_oldest_can_not_read():
    old, *newer = (
        {
            (item.rule_id, place(item)): (
                item.properties["severity"],
                item.properties.get("fixedVersion"),
                bool(item.suppressions),
            )
            for item in results(recorded(f"subset-{version}.json"))
        }
        for version in VERSIONS
    )

    assert newer[0] == newer[1]
    assert newer[0] == {
        ("CVE-2014-0050", "java/commons-fileupload-1.3.jar"): ("high", "1.3.1", False),
        ("CVE-2020-11022", "web/jquery-3.4.1.min.js"): ("medium", None, False),
        ("CVE-2021-44228", "java/log4j-core-2.14.1.jar"): ("critical", "2.15.0", False),
        ("CVE-2021-45046", "java/log4j-core-2.14.1.jar"): ("critical", "2.16.0", False),
        ("CVE-2023-6378", "java/logback-core-1.2.11.jar"): ("high", "1.2.13", False),
        ("CVE-2024-12798", "java/logback-core-1.2.11.jar"): ("medium", "1.3.15", False),
        ("CVE-2023-3635", "java/okio-1.17.2.jar"): ("high", "1.17.6", True),
    }
    assert {key: value for key, value in old.items() if value != newer[0].get(key)} == {
        ("CVE-2024-12798", "java/logback-core-1.2.11.jar"): ("unknown", "1.3.15", False)
    }


def test_a_result_tells_package_version_cpe_and_fix():
    (item,) = [
        each for each in results(recorded("subset-12.2.2.json")) if each.rule_id == "CVE-2014-0050"
    ]

    assert item.message.text.startswith("commons-fileupload:commons-fileupload 1.3: CVE-2014-0050")
    assert (
        "Fixed in 1.3.1. Matched as cpe:2.3:a:apache:commons_fileupload:1.3." in item.message.text
    )
    assert item.properties["purl"] == "pkg:maven/commons-fileupload/commons-fileupload@1.3"
    assert item.properties["installedVersion"] == "1.3"
    assert item.properties["fixedVersion"] == "1.3.1"
    assert item.partial_fingerprints == {
        "packageIdentity/v1": "pkg:maven/commons-fileupload/commons-fileupload"
        " java/commons-fileupload-1.3.jar"
    }


def test_what_is_known_to_be_exploited_is_said_with_its_date():
    items = recorded("subset-9.2.0.xml")
    (item,) = [each for each in results(items) if each.properties.get("knownExploited")]
    (made,) = [each for each in rules(items) if each.id == item.rule_id]

    assert item.rule_id == "CVE-2021-44228"
    assert item.properties["knownExploitedDue"] == "2021-12-24"
    assert "Known exploited (to be mended by 2021-12-24)." in item.message.text
    assert "known-exploited" in made.properties["tags"]


def test_what_dependency_check_suppresses_is_kept_with_the_reason():
    (item,) = [each for each in results(recorded("subset-12.2.2.json")) if each.suppressions]

    assert item.suppressions == [{"kind": "external", "justification": "WAIVER-1: not reachable"}]


def test_each_exception_is_an_error_with_its_deepest_cause():
    found = notes(recorded("exit14.json"))

    assert {note.level for note in found} == {"error"}
    assert [note.text.partition(": ")[2] for note in found] == [
        _SPACE_IN_ARCHIVE,
        _SPACE_IN_DATABASE,
    ]


def test_a_package_found_on_two_ways_is_one_result():
    found = [each for each in results(recorded("npm.json")) if "postcss" in each.message.text]

    (item,) = found
    assert place(item) == "web/package-lock.json"
    assert item.properties["paths"] == [
        "web/package-lock.json?vite:4.3.3/postcss:^8.4.23",
        "web/package-lock.json?/postcss:8.4.23",
    ]
    assert item.related_locations is None


def test_without_a_package_url_the_cpe_says_what_it_is():
    (item,) = [each for each in results(recorded("npm.json")) if place(each).endswith(".jar")]

    assert "purl" not in item.properties
    assert item.properties["packageName"] == "bcprov-jdk18on-1.71.jar"
    assert item.properties["installedVersion"] == "1.71"
    assert item.partial_fingerprints["packageIdentity/v1"].startswith("cpe/bouncycastle/")


@pytest.mark.parametrize(
    ("given", "severity", "score"),
    [
        ({"cvssv4": {"baseScore": 5.9}, "cvssv3": {"baseScore": 9.8}}, "medium", "5.9"),
        ({"cvssv3": {"baseScore": 9.8}, "cvssv2": {"score": 5.0}}, "critical", "9.8"),
        ({"cvssv2": {"score": 10.0}}, "high", "8.9"),
        ({"cvssv2": {"score": 7.5}}, "high", "7.5"),
        ({"cvssv3": {"baseScore": 0.0, "baseSeverity": "NONE"}}, "info", "0.0"),
        ({"cvssv3": {"baseScore": 0.0}}, "unknown", "8.0"),
        ({"cvssv3": {"baseScore": -1.0}, "severity": "medium"}, "medium", "5.5"),
        ({"cvssv4": {}, "cvssv3": {"baseScore": 7.5}}, "high", "7.5"),
        ({"unscored": "true", "severity": "moderate"}, "medium", "5.5"),
        ({"severity": "Critical"}, "critical", "9.5"),
        ({"severity": "info"}, "info", "0.0"),
        ({"severity": "7.5"}, "high", "8.0"),
        ({"severity": "-1.0"}, "unknown", "8.0"),
        ({"severity": "0.0"}, "unknown", "8.0"),
        ({"severity": "nan"}, "unknown", "8.0"),
        ({"severity": "UNKOWN"}, "unknown", "8.0"),
        ({"severity": "Unknown"}, "unknown", "8.0"),
        ({}, "unknown", "8.0"),
    ],
    ids=str,
)
def test_the_newest_score_decides_and_nothing_is_guessed(tmp_path, given, severity, score):
    item = {"name": "CVE-2020-0001", **given}

    (found,) = results(converted(tmp_path, dependency("/src/a.jar", item)))

    assert found.properties["severity"] == severity
    assert found.properties["security-severity"] == score


@pytest.mark.parametrize(
    ("name", "rule_id"),
    [
        ("CVE-2021-44228", "CVE-2021-44228"),
        ("GHSA-jfh8-c2jp-5v3q", "GHSA-jfh8-c2jp-5v3q"),
        ("sonatype-2020-0001", "sonatype-2020-0001"),
        ("jquery issue: 162", "retirejs-jquery-issue-162"),
        ("XSS", "retirejs-xss"),
        ("Ужас", "retirejs-ef7728fb"),
    ],
)
def test_the_name_is_the_rule_free_text_made_an_identifier(tmp_path, name, rule_id):
    item = vulnerability(name=name, source="RETIREJS")

    items = converted(tmp_path, dependency("/src/a.js", item))

    assert [each.id for each in rules(items)] == [rule_id]
    assert [each.rule_id for each in results(items)] == [rule_id]


def test_two_long_names_that_begin_alike_stay_two_rules(tmp_path):
    items = [vulnerability(name="a b " * 40 + end, source="RETIREJS") for end in "xy"]

    found = rules(converted(tmp_path, dependency("/src/a.js", *items)))

    assert len({each.id for each in found}) == 2


def test_only_real_weaknesses_become_tags(tmp_path):
    cwes = ["NVD-CWE-noinfo", "CWE-79", "CWE-Other", "CWE-352 Cross-Site Request Forgery", "CWE-00"]

    (made,) = rules(converted(tmp_path, dependency("/src/a.jar", vulnerability(cwes=cwes))))

    tags = [tag for tag in made.properties["tags"] if tag.startswith("cwe-")]
    assert tags == ["cwe-79", "cwe-352"]


@pytest.mark.parametrize(
    ("purl", "wanted"),
    [
        ("pkg:npm/%40babel%2Ftraverse@7.21.5", "pkg:npm/%40babel/traverse@7.21.5"),
        ("pkg:npm/%40babel%2ftraverse", "pkg:npm/%40babel/traverse"),
        ("pkg:npm/@babel/traverse@7.21.5", "pkg:npm/@babel/traverse@7.21.5"),
        ("pkg:maven/g/a@1%2F2?type=jar%2Fx#s%2Ft", "pkg:maven/g/a@1%2F2?type=jar%2Fx#s%2Ft"),
        ("pkg:NPM/axios@0.26.1", "pkg:npm/axios@0.26.1"),
        ("pkg:nothing", "pkg:nothing"),
    ],
)
def test_a_package_url_is_canonical(purl, wanted):
    assert canonical(purl) == wanted


def test_a_scoped_package_has_its_whole_name(tmp_path):
    (item,) = results(
        converted(
            tmp_path,
            dependency(
                "/src/package-lock.json?/@babel/traverse:7.21.5",
                vulnerability(),
                purl="pkg:npm/%40babel%2Ftraverse@7.21.5",
            ),
        )
    )

    assert item.properties["packageName"] == "@babel/traverse"
    assert item.partial_fingerprints == {
        "packageIdentity/v1": "pkg:npm/%40babel/traverse package-lock.json"
    }


def test_two_packages_in_one_archive_are_two_results_and_two_copies_one(tmp_path):
    found = results(
        converted(
            tmp_path,
            dependency("/src/app.war/WEB-INF/lib/x.jar", vulnerability()),
            dependency("/src/app.war/WEB-INF/old/x.jar", vulnerability()),
            dependency("/src/app.war/WEB-INF/lib/y.jar", vulnerability(), purl="pkg:maven/g/y@1"),
        )
    )

    assert [(place(each), each.properties["packageName"]) for each in found] == [
        ("app.war", "g:a"),
        ("app.war", "g:y"),
    ]
    assert found[0].properties["paths"] == [
        "app.war/WEB-INF/lib/x.jar",
        "app.war/WEB-INF/old/x.jar",
    ]
    assert found[0].properties["listed"] == 2


def test_a_copy_in_another_file_is_a_result_of_its_own_and_what_is_bundled_is_not(tmp_path):
    found = results(
        converted(
            tmp_path,
            dependency(
                "/src/a.jar",
                vulnerability(),
                relatedDependencies=[
                    related("/src/copy/a.jar"),
                    related("/src/api.jar", "pkg:maven/g/api@1.0"),
                ],
            ),
        )
    )

    assert [place(each) for each in found] == ["a.jar", "copy/a.jar"]
    assert others(found[0]) == ["copy/a.jar", "api.jar"]
    assert found[0].properties["bundledWith"] == ["pkg:maven/g/api@1.0"]


def test_the_same_bytes_without_a_package_url_are_a_copy(tmp_path):
    twin = {"fileName": "b.jar", "filePath": "/src/b.jar", "sha256": "00"}
    head = dependency(
        "/src/a.jar", vulnerability(), purl="", sha256="00", relatedDependencies=[twin]
    )

    assert [place(each) for each in results(converted(tmp_path, head))] == ["a.jar", "b.jar"]


def test_what_shares_a_head_with_a_canary_does_not_go_with_it(tmp_path):
    canary = f"{CANARY_DIR}/dependency-check/a.jar"
    head = dependency(
        f"/src/{canary}",
        vulnerability(),
        relatedDependencies=[related("/src/real.jar", "pkg:maven/g/other@1.0")],
    )

    found = results(converted(tmp_path, head))

    assert [place(each) for each in found] == [canary, "real.jar"]
    assert [others(each) for each in found] == [[], []]


def test_what_is_suppressed_in_one_place_only_still_stands(tmp_path):
    found = results(
        converted(
            tmp_path,
            dependency("/src/a.war/x.jar", suppressedVulnerabilities=[vulnerability(notes="no")]),
            dependency("/src/a.war/y/x.jar", vulnerability()),
        )
    )

    assert [each.suppressions for each in found] == [None]


def test_of_two_opinions_the_worse_counts(tmp_path):
    mild = vulnerability(cvssv3=None, severity="low", source="RETIREJS")

    (item,) = results(
        converted(
            tmp_path,
            dependency("/src/a.war/x.js", mild),
            dependency("/src/a.war/y/x.js", vulnerability()),
        )
    )

    assert item.properties["severity"] == "high"


def test_a_finding_in_a_planted_file_is_told_at_the_file_it_stands_for(tmp_path):
    root = tmp_path / "tree"
    lock = '{\n "packages": {\n  "node_modules/axios": {\n   "version": "0.26.1"\n  }\n }\n}\n'
    snapshot = tree(root, {"web/package-lock.json": lock})
    stub = "web/node_modules/axios/package.json"

    found = results(
        converted(
            tmp_path,
            dependency(f"/src/{stub}", vulnerability(), purl="pkg:npm/axios@0.26.1"),
            dependency(
                "/src/web/package-lock.json?/axios:0.26.1",
                vulnerability(),
                purl="pkg:npm/axios@0.26.1",
            ),
            snapshot=snapshot,
            stubs={stub: "web/package-lock.json"},
        )
    )

    assert [(place(each), line(each)) for each in found] == [("web/package-lock.json", 3)]
    assert "node_modules" not in json.dumps(as_json(found))


def test_the_files_that_were_read_are_those_of_the_tree(tmp_path):
    snapshot = tree(tmp_path / "tree", {"web/package-lock.json": "{}", "a.war": "", "x.jar": ""})
    found = read(
        tmp_path,
        report(
            dependency("/src/web/package-lock.json?/a:1"),
            dependency("/src/a.war/WEB-INF/lib/y.jar", relatedDependencies=[related("/src/x.jar")]),
        ),
    )

    assert files_read(found, snapshot) == {"web/package-lock.json", "a.war", "x.jar"}


@pytest.mark.parametrize(
    ("sources", "checked", "modified"),
    [
        (
            {
                "NVD API Last Checked": "2024-08-24T11:07:45+02",
                "NVD API Last Modified": "2024-08-24T08:15:04Z",
            },
            datetime(2024, 8, 24, 9, 7, 45, tzinfo=UTC),
            datetime(2024, 8, 24, 8, 15, 4, tzinfo=UTC),
        ),
        (
            {
                "NVD API Last Checked": "2026-02-01T00:00:00Z",
                "NVD Cache Last Checked": "2026-01-01T00:00:00Z",
            },
            datetime(2026, 2, 1, tzinfo=UTC),
            None,
        ),
        (
            {"NVD CVE Checked": "2021-03-13T13:44:46", "VersionCheckOn": "2026-01-01T00:00:00Z"},
            datetime(2021, 3, 13, 13, 44, 46, tzinfo=UTC),
            None,
        ),
        ({"NVD API Last Checked": "yesterday"}, None, None),
        ({}, None, None),
    ],
    ids=["api", "api and cache", "before version 9", "no date", "nothing"],
)
def test_the_age_of_the_data_is_the_newest_that_is_told(tmp_path, sources, checked, modified):
    listed = [{"name": name, "timestamp": moment} for name, moment in sources.items()]
    found = read(tmp_path, report(dataSource=listed))

    age = data_updated(found)

    assert (age.checked, age.modified) == (checked, modified)
    assert engine_version(found) == "12.2.2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "null",
        "[]",
        "{}",
        '{"reportSchema": "1.1", "scanInfo": {}}',
        '{"reportSchema": "1.1", "scanInfo": {}, "dependencies": null}',
        '{"reportSchema": "1.1", "dependencies": []}',
        '{"reportSchema": "2.0", "scanInfo": {}, "dependencies": []}',
        '{"scanInfo": {}, "dependencies": []}',
        '{"reportSchema": "1.1", "scanInfo": {}, "dependencies": [',
        '{"reportSchema": "1.1", "scanInfo": {}, "dependencies": [], "dependencies": []}',
        '{"reportSchema": "1.1", "scanInfo": {}, "dependencies": [],}',
        '{"reportSchema": "1.1", "scanInfo": {}, "dependencies": [7]}',
        '{"reportSchema": "1.1", "scanInfo": {}, "dependencies": [{"filePath": "/src/a"}]}',
    ],
)
def test_what_is_no_whole_report_is_refused(tmp_path, text):
    with pytest.raises(ConversionError):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "more",
    [
        {"vulnerabilities": None},
        {"vulnerabilities": [{"severity": "HIGH"}]},
        {"vulnerabilities": [{"name": "CVE-2020-1", "cvssv3": {"baseScore": "high"}}]},
        {"suppressedVulnerabilities": "none"},
        {"packages": [{}]},
    ],
    ids=str,
)
def test_a_finding_that_can_not_be_read_is_not_left_out(tmp_path, more):
    with pytest.raises(ConversionError):
        read(tmp_path, report(dependency(**more)))


def test_a_scan_that_saw_nothing_is_no_clean_scan(tmp_path):
    assert [note.level for note in notes(converted(tmp_path))] == ["error"]
    assert notes(converted(tmp_path, dependency())) == []


def broken_json(tmp_path):
    """Return a report as the template writes it when it stumbles: a comma too many."""
    path = tmp_path / "report.json"
    text = (DATA / "subset-12.2.2.json").read_text()
    path.write_text(text.replace('"cvssv4": {', '"cvssv4": {,', 1))
    return path


def test_where_the_json_is_malformed_the_xml_of_the_run_is_read_and_that_is_told(tmp_path):
    found = read_report(broken_json(tmp_path), DATA / "subset-12.2.2.xml")

    items = list(convert_report(found, NOWHERE, Category.SCA))

    assert as_json(items) == as_json(recorded("subset-12.2.2.json"))
    assert [note.level for note in notes(items)] == ["warning"]
    assert "the XML of the same run was read instead" in notes(items)[0].text


def test_where_neither_can_be_read_both_reasons_are_told(tmp_path):
    twin = tmp_path / "report.xml"
    twin.write_bytes((DATA / "subset-12.2.2.xml").read_bytes()[:9000])

    with pytest.raises(ConversionError, match=r"report\.json.*report\.xml"):
        read_report(broken_json(tmp_path), twin)
    with pytest.raises(ConversionError):
        read_report(broken_json(tmp_path))


def test_a_report_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConversionError):
        read_report(tmp_path / "none.json", tmp_path / "none.xml")


MEASURE = """
import re, resource, sys
from pathlib import Path
from scanrun.api import Category, Result, Snapshot
from scanrun_plugins.scanners.dependency_check.convert import convert_report
from scanrun_plugins.scanners.dependency_check.report import read_report

found = read_report(Path(sys.argv[1]))
items = convert_report(found, Snapshot(root=Path()), Category.SCA)
print(sum(isinstance(item, Result) for item in items))
# Linux keeps ru_maxrss over exec: it would be the test runner's own peak
if sys.platform == "linux":
    print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20)
"""


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_report_of_50_mb_takes_less_than_200_mb(tmp_path, form):
    evidence = [
        {"type": "vendor", "source": "jar", "name": "n", "value": "v" * 100} for _ in range(16)
    ]
    path = tmp_path / f"report.{form}"
    with path.open("w") as stream:
        write = {"json": _write_json, "xml": _write_xml}[form]
        write(stream, evidence)
    assert path.stat().st_size > 45 << 20

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )

    count, peak = map(int, done.stdout.split())
    assert count == 2_000
    assert peak < 200


def _write_json(stream, evidence):
    stream.write('{"reportSchema": "1.1", "scanInfo": {}, "dependencies": [')
    for number in range(20_000):
        some = [vulnerability(description="d" * 400)] if number % 10 == 0 else []
        made = dependency(f"/src/{number}.jar", *some, evidenceCollected={"vendor": evidence})
        stream.write(("," if number else "") + json.dumps(made))
    stream.write("]}")


def _write_xml(stream, evidence):
    entry = "".join(
        f"<evidence><name>{each['name']}</name><value>{each['value']}</value></evidence>"
        for each in evidence
    )
    found = f"<vulnerability><name>CVE-1-1</name><description>{'d' * 400}</description>"
    found = f"<vulnerabilities>{found}</vulnerability></vulnerabilities>"
    namespace = re.search(r'xmlns="([^"]+)"', (DATA / "subset-12.2.2.xml").read_text())[1]
    stream.write(f'<analysis xmlns="{namespace}"><scanInfo/><dependencies>')
    for number in range(20_000):
        stream.write(
            f"<dependency><fileName>{number}.jar</fileName><filePath>/src/{number}.jar</filePath>"
            f"<evidenceCollected>{entry}</evidenceCollected>{found if number % 10 == 0 else ''}"
            "</dependency>"
        )
    stream.write("</dependencies></analysis>")
