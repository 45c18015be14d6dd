"""Made-up and recorded reports of Dependency-Check, for the tests of its conversion."""

import json
from pathlib import Path

from scanrun.api import Category, Notification, Result, Rule, Snapshot, SnapshotFile
from scanrun.sarif.uri import decode_path
from scanrun_plugins.scanners.dependency_check.convert import convert_report
from scanrun_plugins.scanners.dependency_check.report import read_report

DATA = Path(__file__).parents[1] / "data" / "dependency-check"
NAMESPACE = "https://jeremylong.github.io/DependencyCheck/dependency-check.4.1.xsd"
NOWHERE = Snapshot(root=Path())

VULNERABILITY = {
    "source": "NVD",
    "name": "CVE-2020-0001",
    "severity": "HIGH",
    "cvssv3": {"baseScore": 7.5, "baseSeverity": "HIGH"},
    "description": "It breaks.",
    "notes": "",
    "references": [],
    "vulnerableSoftware": [],
}


def vulnerability(**more):
    return {**VULNERABILITY, **more}


def dependency(path="/src/a.jar", *vulnerabilities, purl="pkg:maven/g/a@1.0", **more):
    made = {"isVirtual": False, "fileName": path.rpartition("/")[2], "filePath": path}
    if purl:
        made["packages"] = [{"id": purl}]
    if vulnerabilities:
        made["vulnerabilities"] = list(vulnerabilities)
    return {**made, **more}


def related(path, purl="pkg:maven/g/a@1.0", **more):
    return {"fileName": "r", "filePath": path, "packageIds": [{"id": purl}], **more}


def report(*dependencies, **info):
    return {
        "reportSchema": "1.1",
        "scanInfo": {"engineVersion": "12.2.2", "dataSource": [], **info},
        "dependencies": list(dependencies),
    }


def read(tmp_path, made):
    path = tmp_path / "report.json"
    path.write_text(made if isinstance(made, str) else json.dumps(made))
    return read_report(path)


def converted(tmp_path, *dependencies, snapshot=NOWHERE, stubs=None):
    found = read(tmp_path, report(*dependencies))
    return list(convert_report(found, snapshot, Category.SCA, stubs or {}))


def recorded(name, snapshot=NOWHERE):
    return list(convert_report(read_report(DATA / name), snapshot, Category.SCA))


def tree(root, files):
    """Write files (path -> text), and return their snapshot."""
    found = []
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        found.append(SnapshotFile(path, len(text)))
    return Snapshot(root=root, files=tuple(found))


def results(items):
    return [item for item in items if isinstance(item, Result)]


def rules(items):
    return [item for item in items if isinstance(item, Rule)]


def notes(items):
    return [item for item in items if isinstance(item, Notification)]


def place(result):
    return decode_path(result.locations[0].physical_location.artifact_location.uri)


def line(result):
    return result.locations[0].physical_location.region.start_line


def others(result):
    found = result.related_locations or []
    return [decode_path(each.physical_location.artifact_location.uri) for each in found]
