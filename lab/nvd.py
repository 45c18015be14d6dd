"""A small mirror of what Dependency-Check downloads: NVD feeds, KEV, RetireJS, suppressions.

The CVEs are a hand-picked extract: identifiers, products, ranges and scores are the published ones,
texts are short. They are those of `examples/vulnerable-app` and a few more. Outside the lab "no
vulnerabilities" from it means nothing.
"""

import csv
import gzip
import json
import re
import shutil
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import cvss

DATA = Path(__file__).resolve().with_name("nvd-data")
FIRST_YEAR = 2002
STATIC = ("kev.json", "jsrepository.json", "hosted-suppressions.xml")

Row = dict[str, str]


def write(folder: Path, now: datetime, *, v4: bool = True) -> None:
    """Write all files into `folder`, as of `now`.

    Dependency-Check 9 can't read a feed in which a record has metrics of CVSS 4: without `v4` they
    are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S")
    with (DATA / "cves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [*map(str, range(FIRST_YEAR, now.year + 2)), "modified"]
    for name in names:
        items = [_item(row, stamp, v4=v4) for row in rows if row["id"].split("-")[1] == name]
        content = json.dumps(_feed(items, stamp)).encode()
        (folder / f"nvdcve-{name}.json.gz").write_bytes(gzip.compress(content, mtime=0))
    (folder / "cache.properties").write_text(_properties(names, stamp))
    for each in STATIC:
        shutil.copy(DATA / each, folder)


def flags(base: str) -> list[str]:
    """Return the options with which Dependency-Check updates from a folder at `base`, a URL."""
    return [
        *("--nvdDatafeed", f"{base}/nvdcve-{{0}}.json.gz", "--kevURL", f"{base}/kev.json"),
        *("--retireJsUrl", f"{base}/jsrepository.json"),
        *("--hostedSuppressionsUrl", f"{base}/hosted-suppressions.xml"),
    ]


def _properties(names: list[str], stamp: str) -> str:
    """Return `cache.properties`: which feeds there are, and how old each is."""
    time = f"{stamp}Z".replace(":", "\\:")
    keys = ["lastModifiedDate", *(f"lastModifiedDate.{name}" for name in names)]
    return "\n".join(["prefix=nvdcve-", *(f"{key}={time}" for key in keys), ""])


def _feed(items: list[dict[str, Any]], stamp: str) -> dict[str, Any]:
    return {
        "resultsPerPage": len(items),
        "startIndex": 0,
        "totalResults": len(items),
        "format": "NVD_CVE",
        "version": "2.0",
        "timestamp": f"{stamp}.000",
        "vulnerabilities": items,
    }


def _item(row: Row, stamp: str, *, v4: bool) -> dict[str, Any]:
    nvd = {"source": "nvd@nist.gov", "type": "Primary"}
    weaknesses = [{"lang": "en", "value": cwe} for cwe in row["cwes"].split()]
    node = {"operator": "OR", "negate": False, "cpeMatch": _matches(row)}
    url = f"https://nvd.nist.gov/vuln/detail/{row['id']}"
    return {
        "cve": {
            "id": row["id"],
            "sourceIdentifier": "cve@mitre.org",
            "published": f"{row['published']}T12:00:00.000",
            "lastModified": f"{stamp}.000",
            "vulnStatus": "Analyzed",
            "descriptions": [{"lang": "en", "value": row["summary"]}],
            "metrics": cvss.metrics(row["metrics"], v4=v4),
            "weaknesses": [{**nvd, "description": weaknesses}],
            "configurations": [{"nodes": [node]}],
            "references": [{"url": url, "source": "cve@mitre.org", "tags": ["Vendor Advisory"]}],
        }
    }


def _matches(row: Row) -> list[dict[str, Any]]:
    product = re.sub(r"([^\w:.-])", r"\\\1", row["product"])
    found = []
    for affected in row["affected"].split(";"):
        *first, end = affected.split()
        match: dict[str, Any] = {
            "vulnerable": True,
            "criteria": f"cpe:2.3:a:{product}:*:*:*:*:*:{row['software']}:*:*",
            "matchCriteriaId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{row['id']} {affected}")),
        }
        if first:
            match["versionStartIncluding"] = first[0].removeprefix(">=")
        found.append({**match, "versionEndExcluding": end.removeprefix("<")})
    return found
