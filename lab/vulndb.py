"""A small vulnerability database in Trivy's own format.

The advisories are a hand-picked extract: identifiers, packages, ranges and scores are the published
ones, texts are short. It knows what `examples/vulnerable-app` and the canaries of scanrun use, and
next to nothing else: outside the lab "no vulnerabilities" from it means nothing.
"""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bolt

ADVISORIES = Path(__file__).with_name("advisories.csv")
SCHEMA = 2
DEBIAN = "debian 12"

Row = dict[str, str]


def write(cache: Path) -> Path:
    """Write the database into Trivy's cache folder `cache` and return the folder it lies in."""
    folder = cache / "db"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trivy.db").write_bytes(database())
    (folder / "metadata.json").write_bytes(metadata(datetime.now(UTC)))
    return folder


def metadata(now: datetime) -> bytes:
    """Return the content of `metadata.json` for a database made `now`."""
    times = {"UpdatedAt": now, "DownloadedAt": now, "NextUpdate": now + timedelta(days=1)}
    return _json({"Version": SCHEMA} | {key: time.isoformat() for key, time in times.items()})


def database() -> bytes:
    """Return the content of `trivy.db`."""
    return bolt.dump(buckets())


def buckets() -> bolt.Tree:
    """Return what `trivy.db` holds."""
    tree: bolt.Tree = {"data-source": {}, "vulnerability": {}}
    with ADVISORIES.open(newline="") as file:
        for row in csv.DictReader(file):
            tree["data-source"][row["source"]] = _json(_source(row["source"]))
            tree["vulnerability"][row["id"]] = _json(_detail(row))
            packages = tree.setdefault(row["source"], {})
            packages.setdefault(row["package"], {})[row["id"]] = _json(_range(row))
    return tree


def _source(name: str) -> dict[str, str]:
    if name == DEBIAN:
        url = "https://security-tracker.debian.org/tracker/data/json"
        return {"ID": "debian", "Name": "Debian Security Tracker", "URL": url}
    return {"ID": "ghsa", "Name": name.partition("::")[2], "URL": "https://github.com/advisories"}


def _range(row: Row) -> dict[str, Any]:
    if row["source"] == DEBIAN:
        return {"FixedVersion": row["fixed"]}  # none: not fixed yet
    return {"VulnerableVersions": [row["affected"]], "PatchedVersions": [row["fixed"]]}


def _detail(row: Row) -> dict[str, Any]:
    score = float(row["score"])
    band = 1 + sum(score >= floor for floor in (4.0, 7.0, 9.0))
    return {
        "Title": row["title"],
        "Description": row["title"],
        "Severity": ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")[band],
        "VendorSeverity": {"ghsa": band, "nvd": band},
        "CVSS": {name: {"V3Vector": row["vector"], "V3Score": score} for name in ("ghsa", "nvd")},
        "CweIDs": [row["cwe"]],
        "References": [f"https://nvd.nist.gov/vuln/detail/{row['id']}"],
    }


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
