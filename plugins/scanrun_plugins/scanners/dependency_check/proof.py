"""Whether Dependency-Check has looked at what it was to look at, and on which data."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from scanrun.api import Notification, Outputs, Proof, Sign, Snapshot
from scanrun_plugins.scanners.dependency_check.command import Options
from scanrun_plugins.scanners.dependency_check.inputs import Unread, unread
from scanrun_plugins.scanners.dependency_check.report import Dependency, Related, Report
from scanrun_plugins.scanners.dependency_check.scan_info import data_updated
from scanrun_plugins.scanners.dependency_check.stubs import LockFile, stub_places

PARTIAL = 14
"""Exit code: something went wrong, and there is a report."""
_OLDEST = timedelta(days=7)
_SHOWN = 5
_PINNED = re.compile(rb"(?m)^[ \t]*[A-Za-z0-9][\w.\[\], -]*===?[ \t]*[\w.]")

SIGNS = (
    Sign(r"Unable to open jar file", "a jar could not be opened: it is broken, or none"),
    Sign(r"Unable to read JarFile", "a jar could not be read"),
    Sign(
        r"Analyzing `[^`]*(?:package-lock|npm-shrinkwrap)\.json` - however, the node_modules",
        "the packages of a lock file were not looked at",
    ),
    Sign(r"Unable to read .* to determine hashes", "a file could not be read"),
    Sign(r"Exception extracting archive", "an archive could not be unpacked"),
    Sign(r"An error occurred while analyzing", "a file could not be analysed"),
    Sign(r"Exception occurred initializing", "one of its analysers did not start"),
    Sign(r"exception occurred accessing the database", "it could not ask its database"),
    Sign(r"No space left on device", "its scratch space was full (`scratch`)"),
    Sign(r"java\.lang\.OutOfMemoryError", "Java had not enough memory (`memory`)"),
    Sign(r"Could not perform .* analysis", "a kind of analysis did not run"),
)


def told(report: Report, outputs: Outputs, locks: tuple[LockFile, ...]) -> Iterator[Notification]:
    """Yield what is to be said of the scan itself."""
    options = Options(**outputs.options)
    if outputs.exit_code == PARTIAL and not report.info.analysis_exceptions:
        yield Notification(
            "Dependency-Check ended with 14, for something that it does not name", "error"
        )
    yield from _age(report, options)
    yield from _locks_told(locks)
    for each in unread(outputs.snapshot, options):
        yield _unread_told(each, asked=each.ecosystem in options.ecosystems)


def accounted_locks(report: Report, locks: tuple[LockFile, ...]) -> Iterator[str]:
    """Yield the lock files of which every package is in the report.

    Where two name the same package, it is listed under one of them.
    """
    places = stub_places(locks)
    named, seen = set[str](), set[str]()
    for item in _items(report):
        path, _, _ = item.file_path.partition("?")
        if path in places:
            seen.add(places[path])
            named.add(item.file_name)
    for lock in locks:
        if not lock.problem and lock.path in seen and lock.labels <= named:
            yield lock.path


def names_nothing(snapshot: Snapshot) -> Iterator[str]:
    """Yield the Python lists in which no version is pinned: there is nothing to look up."""
    for file in snapshot.match("requirements.txt"):
        try:
            content = (snapshot.root / file.path).read_bytes()
        except OSError:
            continue
        if not _PINNED.search(content):
            yield file.path


def _items(report: Report) -> Iterator[Dependency | Related]:
    for dependency in report.dependencies:
        yield dependency
        yield from dependency.related_dependencies


def _age(report: Report, options: Options) -> Iterator[Notification]:
    age = data_updated(report)
    if age.checked is None:
        text = "the report does not tell how old its data is"
        yield Notification(text, "error", proof=Proof.AGE)
    elif options.central:
        updated = min(age.checked, age.modified or age.checked)
        days = (datetime.now(UTC) - updated) / timedelta(days=1)
        yield Notification(f"the central database is {days:.0f} days old", "note")
        if abs(days) > _OLDEST / timedelta(days=1):
            text = f"the central database is {days:.0f} days old, and 7 are the most it may be"
            yield Notification(text, "error", proof=Proof.AGE)


def _locks_told(locks: tuple[LockFile, ...]) -> Iterator[Notification]:
    read = [lock for lock in locks if not lock.problem]
    if read:
        count = sum(len(lock.packages) for lock in read)
        yield Notification(
            f"{count} packages of {len(read)} npm lock files were looked at by name and version"
            " alone, without installing them",
            "note",
        )
    for lock in locks:
        if lock.problem:
            yield Notification(f"{lock.path!r} can't be read: {lock.problem}", path=lock.path)
        elif lock.odd:
            text = f"{lock.path!r} names {lock.odd} packages without a version: not looked at"
            yield Notification(text, path=lock.path)


def _unread_told(found: Unread, *, asked: bool) -> Notification:
    names = ", ".join(repr(file.path) for file in found.files[:_SHOWN])
    rest = len(found.files) - _SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    text = f"not looked at ({found.ecosystem}): {names}{more}: {found.cure}"
    return Notification(text, "error" if asked else "warning", proof=Proof.INPUTS)
