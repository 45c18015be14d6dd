"""Whether Trivy could have found anything, and what it says it has looked at."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from scanrun.api import (
    CANARY_DIR,
    Category,
    Notification,
    Proof,
    Result,
    Rule,
    Severity,
    Sign,
    result,
    rule,
)
from scanrun_plugins.scanners.trivy import ecosystems
from scanrun_plugins.scanners.trivy.places import Places
from scanrun_plugins.scanners.trivy.report import (
    Misconfiguration,
    Package,
    Report,
    Secret,
    Section,
    Vulnerability,
    decoded,
)
from scanrun_plugins.scanners.trivy.secrets import CANARY_SECRET_RULE, CANARY_TOKEN, listed

PACKAGES = "packages"
CANARY_FILES = {
    **ecosystems.FILES,
    "Dockerfile": b"FROM a:latest\n",
    "secret.env": f"{CANARY_TOKEN}\n".encode(),
}

_OWED = {
    "misconfig": ("DS-0001", "its checks did not find what is wrong with a bad Dockerfile"),
    "secret": (CANARY_SECRET_RULE, "its secret scanner did not find a made-up secret"),
}
"""Kind of scan -> what has to be found in the canaries, and what it means if it is not."""

_TROUBLE = re.compile(
    rb"(Walk error|Analysis error|Error parsing file|Failed to parse file|Skipping chart)\t(.*)"
)
_FILE = re.compile(rb'(?:file_path|err)=("(?:[^"\\]|\\.)*")')
_REASON = re.compile(rb'err=("(?:[^"\\]|\\.)*")')
_UNCOMPARED = re.compile(rb'Version matching error\terr=("(?:[^"\\]|\\.)*")')
_MOST = 100
_JAR = re.compile(rb'\[jar\] Parsing Java artifacts\.\.\.\tfile_path=("(?:[^"\\]|\\.)*")')
_ADDED = re.compile(rb'\] Added file\t.*file_path=("(?:[^"\\]|\\.)*")')

SIGNS = (
    Sign(r"Walk error", "a file could not be parsed"),
    Sign(r"Analysis error", "a file could not be analysed"),
    Sign(r"Permission error", "a file could not be read"),
    Sign(r"Error parsing file", "a Terraform file could not be parsed"),
    Sign(r"Failed to parse file", "a Dockerfile or template could not be parsed"),
    Sign(r"Skipping chart", "a Helm chart could not be rendered"),
    Sign(r"\[jar\] Failed to parse", "a jar within another could not be read"),
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
    Sign(
        r"OS version is not on the EOL list",
        "this release is too new for this Trivy, or unknown",
        incomplete=False,
    ),
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


def package_types(report: Report) -> frozenset[str]:
    """Return the types of language packages that were met, canaries left aside."""
    places = Places(report)
    return frozenset(
        section.type
        for section, _ in report.sections
        if section.class_ == "lang-pkgs" and not places.is_canary(places.of(section)[0])
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
    seen: frozenset[str], kinds: Iterable[str], scanner: str, types: frozenset[str]
) -> Iterator[Rule | Result | Notification]:
    """Yield the one result that stands for all canaries, or what is missing for it.

    Which are owed hangs on `kinds`, and on the `types` of packages that were met; the core only
    asks for this one.
    """
    lost = [meaning for kind, (rule_id, meaning) in _OWED.items()
            if kind in kinds and rule_id not in seen]  # fmt: skip
    if "vuln" in kinds:
        lost += [
            f"its database does not know {each.known}, an old vulnerability ({each.title})"
            for each in ecosystems.owed(types)
            if each.known not in seen
        ]
        if strange := sorted(ecosystems.unproven(types)):
            text = f"nothing shows that its database knows packages of type {', '.join(strange)}"
            yield Notification(text, "note")
    if not seen.intersection({PACKAGES, CANARY_SECRET_RULE}):
        lost.append("it did not read a lock file that was put there for it")
    for meaning in lost:
        text = f"{meaning}, so it could not have found others"
        yield Notification(text, "error", proof=Proof.CANARY)
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
    places = Places(report)
    for line in _lines(log):
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


def troubles(log: Path | None, report: Report) -> dict[str, str]:
    """Return the files that Trivy's log says it could not make sense of, and why."""
    places, found = Places(report), dict[str, str]()
    for line in _lines(log):
        if (match := _TROUBLE.search(line)) and (file := _FILE.search(match[2])):
            # without a field of its own, the path is the first word of the error
            path, inside = places.path(_unquoted(file[1]).split(" ")[0])
            reason = _REASON.search(match[2])
            if inside and path and not path.startswith(f"{CANARY_DIR}/"):
                found.setdefault(path, _unquoted(reason[1]) if reason else "")
    return found


def trouble_told(log: Path | None, report: Report) -> Iterator[Notification]:
    """Yield a word on each such file, and on each version that Trivy could not compare."""
    found = troubles(log, report)
    for path, reason in [*found.items()][:_MOST]:
        yield Notification(f"trivy could not read {path!r}: {reason[:300]}", path=path)
    if len(found) > _MOST:
        yield Notification(f"trivy could not read {len(found) - _MOST} more files: see its log")
    matches = (_UNCOMPARED.search(line) for line in _lines(log))
    reasons = dict.fromkeys(_unquoted(match[1]) for match in matches if match)
    for reason in [*reasons][:_MOST]:
        yield Notification(f"a package not checked, for its version: {reason[:300]}")


def silence(log: Path | None) -> Iterator[Notification]:
    """Yield an error where the log does not hold what `--debug` writes: no sign could be in it."""
    if log is not None and not any(b"\tDEBUG\t" in line for line in _lines(log)):
        text = "its log is silent, so that it would not tell what it could not read (--quiet?)"
        yield Notification(text, "error", proof=Proof.SIGNS)


def unknown_jars(log: Path | None, report: Report) -> Iterator[Notification]:
    """Yield a word on jars that were opened and of which no package is in the report."""
    known = tuple(
        package.file_path
        for section, _ in report.sections
        for package in decoded(section.packages, Package)
        if package.file_path
    )
    opened = (_JAR.search(line) for line in _lines(log))
    paths = sorted({_unquoted(match[1]) for match in opened if match})
    lost = [path for path in paths if not any(f"{each}/".startswith(f"{path}/") for each in known)]
    # what lies in another jar that nothing is known of goes without saying
    outer = [path for path in lost if not any(path.startswith(f"{each}/") for each in lost)]
    if outer:
        yield Notification(f"no package was recognised in: {listed(outer)}")


def _lines(log: Path | None) -> Iterator[bytes]:
    if log is not None:
        with log.open("rb") as stream:
            while line := stream.readline(65536):
                yield line
