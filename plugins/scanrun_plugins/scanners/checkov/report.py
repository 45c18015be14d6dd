"""Checkov's JSON, in its three forms: one framework, a list of them, and nothing looked at."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from scanrun.api import ConversionError, read_json

_SOURCE = "/src/"


class Result(msgspec.Struct):
    """The verdict of one check; the comment is that of a skip in the source."""

    result: str
    suppress_comment: str | None = None


class Check(msgspec.Struct):
    """One check of one resource. Its code block holds source text, and is not read."""

    check_id: str
    check_name: str
    check_result: Result
    file_path: str
    file_line_range: tuple[int, int]
    resource: str
    guideline: str | None = None

    @property
    def path(self) -> str:
        """Return the path in the tree."""
        return self.file_path.removeprefix("/")

    @property
    def line(self) -> int:
        """Return the line; some checks count from 0."""
        return max(1, self.file_line_range[0])


class Passed(msgspec.Struct):
    """A check that had nothing to say."""

    file_path: str


class Results(msgspec.Struct):
    """What one framework found."""

    passed_checks: list[Passed]
    failed_checks: list[Check]
    skipped_checks: list[Check]
    parsing_errors: list[str]


class _Summary(msgspec.Struct):
    checkov_version: str


class _Framework(msgspec.Struct):
    check_type: str = ""
    results: Results | None = None
    summary: _Summary | None = None
    checkov_version: str = ""
    resource_count: int | None = None


class Report:
    """What all frameworks found."""

    def __init__(self, path: Path) -> None:
        """Read the report.

        Raises:
            ConversionError: it is not Checkov's.
        """
        either = list[_Framework] | _Framework
        read: list[_Framework] | _Framework = read_json(path, either)  # type: ignore[arg-type]  # a union is a shape, too
        parts = read if isinstance(read, list) else [read]
        self.version = ""
        self._frameworks: list[tuple[str, Results]] = []
        for part in parts:
            if part.results is not None and part.summary is not None and part.check_type:
                self._frameworks.append((part.check_type, part.results))
                self.version = part.summary.checkov_version
            elif part.checkov_version and part.resource_count == 0 and len(parts) == 1:
                self.version = part.checkov_version
            else:
                raise ConversionError(f"{path.name!r} is not the expected report of checkov")
        if not self.version:
            raise ConversionError(f"{path.name!r} does not say which checkov wrote it")

    @property
    def failed(self) -> Iterator[Check]:
        """Yield the checks that failed."""
        for _, results in self._frameworks:
            yield from results.failed_checks

    @property
    def skipped(self) -> Iterator[Check]:
        """Yield the checks that a comment skips."""
        for _, results in self._frameworks:
            yield from results.skipped_checks

    @property
    def whole(self) -> bool:
        """Whether what passed stands there; if not, what could not be parsed is missing, too."""
        return any(results.passed_checks for _, results in self._frameworks)

    @property
    def read_files(self) -> frozenset[str]:
        """Return the files of which at least one check says anything."""
        return frozenset(
            check.file_path.removeprefix("/")
            for _, results in self._frameworks
            for checks in (results.passed_checks, results.failed_checks, results.skipped_checks)
            for check in checks
        )

    @property
    def unparsed(self) -> dict[str, set[str]]:
        """Return the files that could not be parsed, with the frameworks that tried."""
        found: dict[str, set[str]] = {}
        for kind, results in self._frameworks:
            for path in results.parsing_errors:
                found.setdefault(_in_tree(path), set()).add(kind)
        return found


def _in_tree(path: str) -> str:
    """Return the path of a parsing error: some frameworks name it absolutely."""
    return path.removeprefix(_SOURCE).removeprefix("./")
