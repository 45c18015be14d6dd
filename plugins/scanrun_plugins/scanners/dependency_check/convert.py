"""From Dependency-Check's report to rules and results.

Dependency-Check lists a package once for each way that leads to it, and puts what it takes for
the same software under one head. Here it is one result for each package, vulnerability and file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from scanrun.api import Category, Notification, Result, Rule, Snapshot
from scanrun_plugins.scanners.dependency_check.findings import Finding, make_result, make_rule
from scanrun_plugins.scanners.dependency_check.lines import Lines
from scanrun_plugins.scanners.dependency_check.packages import Package, package_of
from scanrun_plugins.scanners.dependency_check.places import Place, Places
from scanrun_plugins.scanners.dependency_check.report import Dependency, Report, Vulnerability
from scanrun_plugins.scanners.dependency_check.scan_info import failures
from scanrun_plugins.scanners.dependency_check.severity import judged

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class _Holder:
    """A package in a file, and all that is said of it."""

    package: Package
    place: Place
    heads: list[Dependency] = field(default_factory=list)
    """Where its vulnerabilities stand."""
    paths: dict[str, None] = field(default_factory=dict)
    others: dict[tuple[Package, Place], None] = field(default_factory=dict)
    """What was put under the same head."""


def convert_report(
    report: Report, snapshot: Snapshot, category: Category, stubs: Mapping[str, str] = _NONE
) -> Iterator[Rule | Result | Notification]:
    """Yield what `report` holds. `stubs`: see `Places`.

    Findings in canaries are among it: to know them is for who planted them.
    """
    for failure in failures(report):
        yield Notification(f"Dependency-Check could not look at everything: {failure}", "error")
    if report.instead_of:
        yield Notification(f"{report.instead_of}: the XML of the same run was read instead")
    if not report.dependencies:
        yield Notification("Dependency-Check names nothing that it has looked at", "error")
    lines, ruled = Lines(snapshot), set[str]()
    for holder in _holders(report, Places(snapshot, stubs)):
        for finding in _findings(holder, lines):
            if finding.rule_id not in ruled:
                ruled.add(finding.rule_id)
                yield make_rule(finding.item, category)
            yield make_result(finding)


def files_read(
    report: Report, snapshot: Snapshot, stubs: Mapping[str, str] = _NONE
) -> frozenset[str]:
    """Return the files of which a dependency is known, or that are one."""
    places = Places(snapshot, stubs)
    heads = (places.of(each).path for each in report.dependencies)
    others = (
        places.of(each).path
        for dependency in report.dependencies
        for each in dependency.related_dependencies
    )
    return frozenset((*heads, *others))


def _holders(report: Report, places: Places) -> Iterable[_Holder]:
    """Return each vulnerable package in each file once, in the order of the report."""
    found: dict[tuple[str, str], _Holder] = {}
    for dependency in report.dependencies:
        if not (dependency.vulnerabilities or dependency.suppressed_vulnerabilities):
            continue
        members, others = _members(dependency, places)
        for package, place in members:
            holder = found.setdefault((package.key, place.path), _Holder(package, place))
            if dependency not in holder.heads[-1:]:  # a second way to it, below the same head
                holder.heads.append(dependency)
            if place.inside:
                holder.paths[place.inside] = None
            holder.others |= dict.fromkeys((*members, *others))
    return found.values()


def _members(
    dependency: Dependency, places: Places
) -> tuple[list[tuple[Package, Place]], list[tuple[Package, Place]]]:
    """Return where the vulnerable package itself lies, and what else was put under its head.

    A copy in another file is as vulnerable, and a waiver for the one is none for the other. What
    shares a head with a canary is a finding of its own, or it would go when the canary goes.
    """
    package = package_of(dependency)
    place = places.of(dependency)
    members, others = [(package, place)], []
    for each in dependency.related_dependencies:
        other = package_of(each), places.of(each)
        same = package.key == other[0].key or (each.sha256 and each.sha256 == dependency.sha256)
        if same or place.is_canary != other[1].is_canary:
            members.append(other)
        else:
            others.append(other)
    return members, others


def _findings(holder: _Holder, lines: Lines) -> Iterator[Finding]:
    line = lines.of(holder.place.path, holder.package)
    cpes = dict.fromkeys(each.id for head in holder.heads for each in head.vulnerability_ids)
    others = [
        (package, place)
        for package, place in holder.others
        if place.is_canary == holder.place.is_canary
    ]
    keys = [package.key for package, _ in others]
    listed = [each for head in holder.heads for each in head.vulnerabilities]
    elsewhere = tuple(_related(others, holder.place, lines))
    for item, suppressed in _merged(holder.heads):
        yield Finding(
            item=item,
            package=holder.package,
            place=holder.place,
            line=line,
            cpes=tuple(cpes),
            paths=tuple(holder.paths),
            bundled=tuple(dict.fromkeys(key for key in keys if key != holder.package.key)),
            related=elsewhere,
            listed=sum(item.name == each.name for each in listed),
            suppressed=suppressed,
        )


def _related(
    others: Iterable[tuple[Package, Place]], here: Place, lines: Lines
) -> Iterator[tuple[str, int | None, str]]:
    """Yield what lies in other files, each file once."""
    places = {place.path: package for package, place in others if place.path != here.path}
    for path, package in places.items():
        yield path, lines.of(path, package), package.purl or package.name


def _merged(heads: Iterable[Dependency]) -> Iterator[tuple[Vulnerability, bool]]:
    """Yield each vulnerability once, the worst that is told of it, and whether it is suppressed.

    What is suppressed under one head only still stands under the other.
    """
    heads = list(heads)
    live: dict[str, Vulnerability] = {}
    for item in (each for head in heads for each in head.vulnerabilities):
        live[item.name] = _worse(live.get(item.name), item)
    gone: dict[str, Vulnerability] = {}
    for item in (each for head in heads for each in head.suppressed_vulnerabilities):
        if item.name not in live:
            gone[item.name] = _worse(gone.get(item.name), item)
    yield from ((item, False) for item in live.values())
    yield from ((item, True) for item in gone.values())


def _worse(one: Vulnerability | None, other: Vulnerability) -> Vulnerability:
    if one is None:
        return other
    severities = judged(one), judged(other)
    return other if severities[1][0].score > severities[0][0].score else one
