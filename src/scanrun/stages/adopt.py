"""How a report that no scan of ours left becomes a SARIF run of ours."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scanrun.contracts import Driver, Scanner
from scanrun.errors import ConversionError
from scanrun.model import (
    Applies,
    Category,
    Notification,
    Outputs,
    ScanResult,
    Status,
    Step,
    Target,
)
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.mask import Masker, one_line
from scanrun.sarif.read import ToolRun
from scanrun.sarif.run import run_head, saved_result, with_own_words
from scanrun.sarif.writer import RunWriter
from scanrun.stages.convert import Converted, convert_outputs, shown_conditions
from scanrun.stages.fingerprint import Fingerprinter
from scanrun.stages.triage import Triage

_LONGEST_VERSION = 200


@dataclass
class _Tool:
    """Stands for the tool that wrote one run of a SARIF log."""

    name: str
    category: Category
    run: ToolRun

    def applies(self, target: Target) -> Applies:  # noqa: ARG002 - the protocol's signature
        return Applies.no("only its report is read")

    def steps(self, target: Target) -> tuple[Step, ...]:  # noqa: ARG002 - as above
        return ()

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:  # noqa: ARG002
        return self.run.items


def adopt_run(
    run: ToolRun,
    path: Path,
    triage: Triage,
    masker: Masker,
    *,
    run_id: str,
    automation_id: str = "",
) -> None:
    """Write a run of a tool's own log to `path` as one of ours, masked and with fingerprints.

    `automation_id` replaces the id that GitHub takes the category from.

    Raises:
        ConversionError: it can't be read.
    """
    head = masked_head(run.head, masker)
    base = saved_result(head)
    category = Category(base.category) if base.category in set(Category) else Category.SAST
    tool = _Tool(base.name, category, run)
    driver = _driver(head["tool"]["driver"], base.name)
    write_run(
        path,
        tool,
        Outputs({}),
        base=base,
        driver=driver,
        triage=triage,
        masker=masker,
        run_id=run_id,
        automation_id=automation_id,
    )


def masked_head(head: Mapping[str, Any], masker: Masker) -> dict[str, Any]:
    """Return what a run tells of itself, masked: it may quote secrets as its results do.

    Raises:
        ConversionError: it is nested too deeply.
    """
    try:
        masked = {key: masker.json(value) for key, value in head.items()}
    except RecursionError as error:
        raise ConversionError("a run is nested too deeply") from error
    return with_own_words(masked, head)


def write_run(
    path: Path,
    scanner: Scanner,
    outputs: Outputs,
    *,
    base: ScanResult,
    driver: Driver,
    triage: Triage,
    masker: Masker,
    run_id: str,
    automation_id: str = "",
) -> None:
    """Write what the scanner's outputs hold to `path`; `base` is what is known of the scan.

    Raises:
        ConversionError: they can't be read.
    """
    with RunWriter(path) as writer:
        seen = convert_outputs(
            scanner,
            outputs,
            writer,
            fingerprinter=Fingerprinter(outputs.snapshot),
            triage=triage,
            masker=masker,
        )
        conditions = shown_conditions(scanner, outputs, masker)
        version = one_line(masker.clean(base.version), _LONGEST_VERSION)
        result = _ended(replace(base, conditions=conditions, version=version), seen)
        head = run_head(result, driver, run_id=run_id, snapshot=outputs.snapshot, cwes=seen.cwes)
        if automation_id:
            head["automationDetails"] = {"id": automation_id}
        writer.finish(head)


def _ended(base: ScanResult, seen: Converted) -> ScanResult:
    """Return how the scan ended, as far as its report tells."""
    errors = [each.text for each in seen.notifications if each.level == "error"]
    completed = base.status is Status.COMPLETED and not errors
    return replace(
        base,
        status=Status.COMPLETED if completed else Status.FAILED,
        reason=base.reason or next(iter(errors), ""),
        findings=seen.tally.total,
        suppressed=seen.tally.suppressed,
        counts=seen.tally.counts,
        counts_by_category=seen.tally.by_category,
        notifications=tuple(seen.notifications),
    )


def _driver(head: Mapping[str, Any], name: str) -> Driver:
    words = {
        key: value if isinstance(value := head.get(key), str) else ""
        for key in ("name", "fullName", "organization", "informationUri")
    }
    return Driver(
        words["name"] or name, words["fullName"], words["organization"], words["informationUri"]
    )
