"""Whether Trivy could have found anything, and what it says it has looked at."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from scanrun.api import (
    CANARY_DIR,
    Category,
    Notification,
    Result,
    Rule,
    Severity,
    Sign,
    result,
    rule,
)
from scanrun_plugins.scanners.trivy.command import CANARY_SECRET_RULE, CANARY_TOKEN
from scanrun_plugins.scanners.trivy.places import Places
from scanrun_plugins.scanners.trivy.report import (
    Misconfiguration,
    Report,
    Secret,
    Section,
    Vulnerability,
    decoded,
)

VULNERABLE, VERSION, KNOWN = "minimist", "1.2.5", "CVE-2021-44906"
PACKAGES = "packages"
LOCK = {
    "name": "canary",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "canary", "version": "1.0.0", "dependencies": {VULNERABLE: VERSION}},
        f"node_modules/{VULNERABLE}": {"version": VERSION},
    },
}
CANARY_FILES = {
    "package-lock.json": json.dumps(LOCK, indent=1).encode(),
    "Dockerfile": b"FROM a:latest\n",
    "secret.env": f"{CANARY_TOKEN}\n".encode(),
}

_OWED = {
    "vuln": (KNOWN, "its database does not know a vulnerability that is known since 2022"),
    "misconfig": ("DS-0001", "its checks did not find what is wrong with a bad Dockerfile"),
    "secret": (CANARY_SECRET_RULE, "its secret scanner did not find a made-up secret"),
}
"""Kind of scan -> what has to be found in the canaries, and what it means if it is not."""

_ADDED = re.compile(rb'\] Added file\t.*file_path=("(?:[^"\\]|\\.)*")')

SIGNS = (
    Sign(r"Walk error", "a file could not be parsed"),
    Sign(r"Analysis error", "a file could not be analysed"),
    Sign(r"Permission error", "a file could not be read"),
    Sign(r"Error parsing file", "a Terraform file could not be parsed"),
    Sign(r"Failed to parse file", "a Dockerfile or template could not be parsed"),
    Sign(r"Skipping chart", "a Helm chart could not be rendered"),
    Sign(r"attempting graceful shutdown", "it was asked to stop"),
    Sign(r"Failed to load module", "a Terraform module is not in the tree", incomplete=False),
    Sign(r"Version matching error", "a version can't be compared: not checked", incomplete=False),
    Sign(
        r"Dependency version cannot be determined",
        "a dependency in a pom.xml has no version: not checked",
        incomplete=False,
    ),
    Sign(
        r"Suppressing dependencies for development",
        "dependencies for development are left out (include_dev_deps)",
        incomplete=False,
    ),
    Sign(
        r"Unable to get vulnerability details",
        "the database has no details of a vulnerability: severity unknown",
        incomplete=False,
    ),
    Sign(r"Ignore finding", "a comment in the tree takes a finding out", incomplete=False),
    Sign(r"Conda package is supported for SBOM", "conda packages not checked", incomplete=False),
)
"""Two come at `--debug` only. None of them is in the report; a broken file is just not there."""


def canary_seen(report: Report, scanner: str) -> frozenset[str]:
    """Return the rules found in the scanner's own canaries, and `PACKAGES` if any was listed."""
    places = Places(report)
    own = f"{CANARY_DIR}/{scanner}/"
    return frozenset(
        word
        for section, _ in report.sections
        if places.of(section)[0].startswith(own)
        for word in _found_in(section)
    )


def found_anywhere(report: Report) -> Iterator[str]:
    """Yield the rules found in the whole report, and `PACKAGES` if any was listed."""
    for section, _ in report.sections:
        yield from _found_in(section)


def _found_in(section: Section) -> Iterator[str]:
    yield from (each.vulnerability_id for each in decoded(section.vulnerabilities, Vulnerability))
    yield from (each.id for each in decoded(section.misconfigurations, Misconfiguration))
    yield from (each.rule_id for each in decoded(section.secrets, Secret))
    if section.packages:
        yield PACKAGES


def canary_verdict(
    seen: frozenset[str], kinds: Iterable[str], scanner: str
) -> Iterator[Rule | Result | Notification]:
    """Yield the one result that stands for all canaries, or what is missing for it.

    Which are owed hangs on `kinds`; the core only asks for this one.
    """
    lost = [meaning for kind, (rule_id, meaning) in _OWED.items()
            if kind in kinds and rule_id not in seen]  # fmt: skip
    if not seen.intersection({PACKAGES, CANARY_SECRET_RULE}):
        lost.append("it did not read a lock file that was put there for it")
    for meaning in lost:
        yield Notification(f"{meaning}, so it could not have found others", "error")
    if not lost:
        yield rule(
            canary_rule(scanner),
            short="Canary found",
            severity=Severity.INFO,
            category=Category.SCA,
            full="Shows that the scanner can find something; what it found is left out.",
        )
        yield result(
            canary_rule(scanner),
            "canary found",
            path=f"{CANARY_DIR}/{scanner}/package-lock.json",
            severity=Severity.INFO,
        )


def canary_rule(scanner: str) -> str:
    """Return the rule of the result that `canary_verdict` gives."""
    return f"{scanner}-canary"


def parsed_targets(report: Report) -> frozenset[str]:
    """Return the paths of all files that Trivy lists packages or checks of."""
    places = Places(report)
    return frozenset(
        places.of(section)[0]
        for section, _ in report.sections
        if section.class_ in {"lang-pkgs", "config"}
    )


def parsed_terraform(log: Path | None, report: Report) -> Iterator[str]:
    """Yield the Terraform files that were parsed. A clean one stands in the log only."""
    if log is None:
        return
    places = Places(report)
    with log.open("rb") as stream:
        while line := stream.readline(65536):
            if match := _ADDED.search(line):
                path, inside = places.path(_unquoted(match[1]))
                if inside:
                    yield path


def _unquoted(text: bytes) -> str:
    """Return what Go quoted; what JSON would quote otherwise stays as it is, and so missing."""
    try:
        return str(json.loads(text))
    except ValueError:
        return text.decode(errors="replace")
