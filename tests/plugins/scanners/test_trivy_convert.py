"""What the converter makes of reports in all forms, of real ones and of hostile ones."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from scanrun.api import Category, ConversionError, Notification, Outputs, Result
from scanrun.sarif.uri import decode_path
from scanrun_plugins.scanners.trivy.command import REPORT
from scanrun_plugins.scanners.trivy.convert import convert_report
from scanrun_plugins.scanners.trivy.places import image_name
from scanrun_plugins.scanners.trivy.report import read_report
from scanrun_plugins.scanners.trivy.tree import Trivy

SHARED = Path(__file__).parents[4] / "shared"
CORPUS = SHARED / "corpus"
LAB_REPORTS = SHARED / "lab" / "trivy" / "reports"
NO_JSON = {"trivy/aquasecurity__trivy/oraclelinux-8.json"}
"""An address was masked in it with a backslash that JSON does not have."""

VULNERABILITY = {
    "VulnerabilityID": "CVE-2020-1",
    "PkgName": "a",
    "InstalledVersion": "1",
    "Severity": "HIGH",
}


def manifest(*folders):
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "MANIFEST.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [row for row in rows if row["path"].split("/")[0] in folders]


needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
needs_lab = pytest.mark.skipif(not LAB_REPORTS.is_dir(), reason="the lab's reports are not here")


def converted(tmp_path, report):
    path = tmp_path / "report.json"
    path.write_text(report if isinstance(report, str) else json.dumps(report))
    return list(convert_report(read_report(path), Category.SCA, set()))


def results(items):
    return [item for item in items if isinstance(item, Result)]


def notes(items):
    return [item for item in items if isinstance(item, Notification)]


def place(result):
    return decode_path(result.locations[0].physical_location.artifact_location.uri)


def report(*sections, **more):
    return {
        "SchemaVersion": 2,
        "ArtifactName": ".",
        "ArtifactType": "filesystem",
        "Results": [*sections],
        **more,
    }


def locked(target, **more):
    return {"Target": target, "Class": "lang-pkgs", "Vulnerabilities": [VULNERABILITY], **more}


@needs_corpus
@pytest.mark.parametrize("row", manifest("trivy"), ids=lambda row: row["path"])
def test_a_real_report_gives_the_findings_that_were_counted_in_it(row):
    given = Outputs({REPORT: CORPUS / row["path"]})
    if row["path"] in NO_JSON:
        with pytest.raises(ConversionError):
            list(Trivy().convert(given))
        return

    found = [item for item in results(Trivy().convert(given)) if not item.suppressions]

    assert len(found) == int(row["findings"])


@needs_corpus
@pytest.mark.parametrize("row", manifest("lookalike", "malformed"), ids=lambda row: row["path"])
def test_another_format_is_refused(row):
    with pytest.raises(ConversionError):
        list(Trivy().convert(Outputs({REPORT: CORPUS / row["path"]})))


def lab_reports():
    paths = sorted(LAB_REPORTS.glob("*.json")) if LAB_REPORTS.is_dir() else []
    no_reports = ("version-json", "db-none-prefilled-report")
    return [path for path in paths if not path.name.startswith(no_reports)]


@needs_lab
@pytest.mark.parametrize("path", lab_reports(), ids=lambda path: path.name)
def test_a_report_that_lists_nothing_is_no_clean_scan(path):
    listed = "Results" in json.loads(path.read_text())

    items = list(convert_report(read_report(path), Category.SCA, set()))

    errors = [note for note in notes(items) if note.level == "error"]
    assert bool(errors) is not listed
    assert listed or not results(items)


@needs_lab
def test_a_finding_taken_out_by_an_ignore_file_is_suppressed_with_its_reason():
    items = list(
        convert_report(
            read_report(LAB_REPORTS / "ignore-wd-showsupp.exit0.json"), Category.SCA, set()
        )
    )

    taken = [item for item in results(items) if item.suppressions]
    assert taken
    assert all(item.suppressions[0]["justification"] for item in taken)


def test_the_older_form_is_a_bare_list(tmp_path):
    found = results(converted(tmp_path, [locked("app/composer.lock"), {"Target": "b"}]))

    assert [place(item) for item in found] == ["app/composer.lock"]


def test_the_tree_of_a_cluster_is_read(tmp_path):
    misconfiguration = {"ID": "KSV001", "Status": "FAIL", "Severity": "LOW", "Title": "t"}
    section = {"Target": "Pod/p", "Class": "config", "Misconfigurations": [misconfiguration]}
    resource = {"Namespace": "n", "Kind": "Pod", "Name": "p", "Results": [section]}
    broken = {"Namespace": "n", "Kind": "Pod", "Name": "q", "Error": "image not found"}

    items = converted(tmp_path, {"ClusterName": "c", "Resources": [resource, broken]})

    assert [place(item) for item in results(items)] == ["n/Pod/p"]
    assert [(note.level, note.text) for note in notes(items)] == [
        ("error", "Trivy could not look at Pod/q: image not found")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        "{}",
        '{"Results": []}',
        '{"SchemaVersion": 2, "Results": []}',
        '{"ClusterName": "c"}',
        '[{"Vulnerabilities": []}]',
        '[{"Target": "a", "Vulnerabilities": "none"}]',
        '{"SchemaVersion": 2, "ArtifactName": "a", "Results": [{"Target": "a"}]',
        '{"SchemaVersion": 2, "ArtifactName": "a", "Results": [{"Target": "a"}]} tail',
    ],
)
def test_what_is_no_whole_report_is_refused(tmp_path, text):
    with pytest.raises(ConversionError):
        converted(tmp_path, text)


@pytest.mark.parametrize(
    "section",
    [
        {"Target": "a", "Vulnerabilities": [{"PkgName": "a"}]},
        {"Target": "a", "Vulnerabilities": [7]},
        {"Target": "a", "Misconfigurations": [{"Severity": "LOW"}]},
        {"Target": "a", "Secrets": [{"StartLine": "one"}]},
        {"Target": "a", "ExperimentalModifiedFindings": [{"Type": "omen", "Finding": {}}]},
    ],
)
def test_a_finding_that_can_not_be_read_is_not_left_out(tmp_path, section):
    with pytest.raises(ConversionError):
        converted(tmp_path, report(section))


def test_a_byte_order_mark_and_null_lists_are_no_hindrance(tmp_path):
    path = tmp_path / "report.json"
    text = json.dumps([{"Target": "a", "Vulnerabilities": None}, locked("b")])
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())

    assert len(results(Trivy().convert(Outputs({REPORT: path})))) == 1


def test_passed_checks_are_no_findings_and_others_are(tmp_path):
    statuses = ("PASS", "EXCEPTION", "FAIL", "", "NEW")
    checks = [{"ID": f"id-{word}", "Status": word} for word in statuses]
    section = {"Target": "Dockerfile", "Class": "config", "Misconfigurations": checks}

    found = results(converted(tmp_path, report(section)))

    assert [item.rule_id for item in found] == ["id-FAIL", "id-", "id-NEW"]


@pytest.mark.parametrize(
    "name", ["a b/\x1b[31mé.lock", 'quote".lock', "new\nline.lock", "a:b/<b>.lock", "%41.lock"]
)
def test_odd_names_stay_exact(tmp_path, name):
    (found,) = results(converted(tmp_path, report(locked(name))))

    assert place(found) == name


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("../out/r/main.tf", "outside-the-tree/out/r/main.tf"),
        ("a/../../b/main.tf", "outside-the-tree/b/main.tf"),
        ("../../../etc/passwd", "outside-the-tree/etc/passwd"),
    ],
)
def test_what_lies_outside_of_the_tree_is_kept_and_told(tmp_path, target, path):
    items = converted(tmp_path, report(locked(target)))

    assert [place(item) for item in results(items)] == [path]
    assert [note.path for note in notes(items)] == [path]


def test_below_our_own_folder_only_the_tree_is_the_tree(tmp_path):
    canary = {"Target": "tree/.scanrun-canary/trivy/package-lock.json", "Class": "lang-pkgs"}

    items = converted(
        tmp_path, report(canary, locked("tree/dev/yarn.lock"), locked("stray/yarn.lock"))
    )

    assert [place(item) for item in results(items)] == [
        "dev/yarn.lock",
        "outside-the-tree/stray/yarn.lock",
    ]


def test_a_foreign_reports_folder_tree_is_a_folder(tmp_path):
    (found,) = results(converted(tmp_path, report(locked("tree/yarn.lock"))))

    assert place(found) == "tree/yarn.lock"


def test_a_rule_comes_once_and_first(tmp_path):
    items = converted(tmp_path, report(locked("a.lock"), locked("b.lock")))

    assert [type(item).__name__ for item in items] == ["Rule", "Result", "Result"]


@pytest.mark.parametrize(
    ("cvss", "score"),
    [
        ({"ghsa": {"V3Score": 7.5, "V40Score": 8.7}, "nvd": {"V3Score": 7.1}}, "8.7"),
        ({"ghsa": {"V3Score": 5.0}, "nvd": {"V3Score": 7.1}}, "7.1"),
        ({"nvd": {"V2Score": 7.5}}, "8.0"),
        ({"nvd": {"V3Score": 9.8}}, "8.0"),
        ({"zzz": {"V3Score": 7.2}}, "7.2"),
    ],
    ids=["own source, v4", "own source contradicts", "v2 alone", "all contradict", "any source"],
)
def test_the_score_agrees_with_the_severity(tmp_path, cvss, score):
    item = {**VULNERABILITY, "SeveritySource": "ghsa", "CVSS": cvss}

    (found,) = results(converted(tmp_path, report({"Target": "a", "Vulnerabilities": [item]})))

    assert found.properties["security-severity"] == score
    assert found.properties["severity"] == "high"


@pytest.mark.parametrize(
    ("purl", "identity"),
    [
        ("pkg:npm/%40babel/traverse@7.0.0", "pkg:npm/%40babel/traverse"),
        ("pkg:golang/github.com/a/b@v1.0.0#sub", "pkg:golang/github.com/a/b"),
        ("pkg:apk/alpine/busybox@1.2-r1?arch=x86_64&distro=3.10", "pkg:apk/alpine/busybox"),
        ("", "npm/a"),
    ],
)
def test_the_identity_of_a_package_has_no_version(tmp_path, purl, identity):
    item = {**VULNERABILITY, "PkgIdentifier": {"PURL": purl}}
    section = {"Target": "x.lock", "Type": "npm", "Vulnerabilities": [item]}

    (found,) = results(converted(tmp_path, report(section)))

    assert found.partial_fingerprints == {"packageIdentity/v1": f"{identity} x.lock"}


def test_a_licences_rule_has_no_spaces(tmp_path):
    licence = {"Name": "GNU General Public License, v2", "Severity": "HIGH", "PkgName": "a"}

    (found,) = results(converted(tmp_path, report({"Target": "x", "Licenses": [licence]})))

    assert found.rule_id == "license-GNU-General-Public-License-v2"


def test_a_secret_tells_kind_and_lines_only(tmp_path):
    secret = {
        "RuleID": "r",
        "Category": "AWS",
        "Severity": "CRITICAL",
        "Title": "AWS key",
        "StartLine": 3,
        "EndLine": 4,
        "Match": "k=**** neighbour",
        "Code": {"Lines": [{"Content": "neighbour"}]},
    }

    items = converted(
        tmp_path, report({"Target": "/x.env", "Class": "secret", "Secrets": [secret]})
    )

    (found,) = results(items)
    region = found.locations[0].physical_location.region
    assert (place(found), region.start_line, region.end_line) == ("x.env", 3, 4)
    assert "neighbour" not in repr(items)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("alpine:3.10", "alpine"),
        ("localhost:5000/a/b:1", "localhost:5000/a/b"),
        ("localhost:5000/a/b", "localhost:5000/a/b"),
        ("ghcr.io/a/b@sha256:00", "ghcr.io/a/b"),
        ("/in/image.tar", "image.tar"),
    ],
)
def test_an_images_name_has_neither_tag_nor_digest(reference, name):
    assert image_name(reference) == name


MEASURE = """
import re, resource, sys
from pathlib import Path
from scanrun.api import Outputs, Result
from scanrun_plugins.scanners.trivy.tree import Trivy

items = Trivy().convert(Outputs({"/out/report.json": Path(sys.argv[1])}))
print(sum(isinstance(item, Result) for item in items))
# Linux keeps ru_maxrss over exec: it would be the test runner's own peak
if sys.platform == "linux":
    print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20)
"""


def test_a_report_of_100_000_findings_takes_less_than_300_mb(tmp_path):
    item = {
        **VULNERABILITY,
        "Title": "t" * 80,
        "Description": "d" * 400,
        "References": ["https://example.com/" + "r" * 60] * 3,
        "CVSS": {
            "nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "V3Score": 7.5}
        },
    }
    path = tmp_path / "report.json"
    with path.open("w") as stream:
        stream.write('{"SchemaVersion": 2, "ArtifactName": "x", "Results": [')
        for number in range(10):
            stream.write("," if number else "")
            stream.write(f'{{"Target": "{number}.lock", "Class": "lang-pkgs", "Vulnerabilities": [')
            stream.write(
                ",".join(
                    json.dumps({**item, "VulnerabilityID": f"CVE-{index % 2000}"})
                    for index in range(10_000)
                )
            )
            stream.write("]}")
        stream.write("]}")

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )

    count, peak = map(int, done.stdout.split())
    assert count == 100_000
    assert peak < 300
