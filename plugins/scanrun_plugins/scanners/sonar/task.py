"""What becomes of an upload: `report-task.txt` names a compute task, which is followed to its end.

The scanner's exit code 0 only means "uploaded".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from scanrun.api import ConversionError, DeadlineError, ScanError
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.refusals import one_line
from scanrun_plugins.scanners.sonar.waiting import (
    Cancelled,
    Say,
    never,
    pauses,
    silent,
    wait,
)

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_WAITING = frozenset({"PENDING", "IN_PROGRESS"})
_INDEXED = re.compile(rb"(?m)^(?:\S+ )?INFO:?\s+(\d{1,9}) files? indexed(?!\.\.)")
"""Whole lines of the scanner's own: the name of a file may say anything."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What the scanner tells of an upload. Its addresses are not read: they are the public ones."""

    project: str
    task_id: str
    branch: str = ""
    pull_request: str = ""


class ComputeTask(Struct, rename="camel"):
    """One compute task."""

    id: str
    status: str
    component_key: str = ""
    analysis_id: str = ""
    error_message: str = ""
    warnings: list[str] = []
    branch: str = ""
    pull_request: str = ""


class _Answer(Struct):
    task: ComputeTask


def read_report_task(content: bytes) -> Upload:
    """Return what `report-task.txt` tells.

    Raises:
        ConversionError: it names no task or no project.
    """
    fields = _fields(content)
    project, task_id = fields.get("projectKey", ""), fields.get("ceTaskId", "")
    if not project or not _ID.match(task_id):
        raise ConversionError("report-task.txt does not tell what was uploaded")
    return Upload(project, task_id, branch=fields.get("branch", ""))


def _fields(content: bytes) -> Mapping[str, str]:
    """Return the `key=value` lines; a value may hold `=`, too."""
    lines = content.decode("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and line[:1] != "#")
    return {key.strip(): value.strip() for key, _, value in pairs}


def follow_task(
    client: Client,
    upload: Upload,
    *,
    deadline_s: float = 600.0,
    say: Say = silent,
    cancelled: Cancelled = never,
) -> ComputeTask:
    """Return the task once it has succeeded.

    Raises:
        ScanError: it failed, was cancelled, or is another project's.
        DeadlineError: it was not over after `deadline_s` seconds.
    """
    again = pauses(deadline_s, first=0.3, longest=2.0)
    told = ""
    while True:
        task = client.get(
            "api/ce/task", _Answer, id=upload.task_id, additionalFields="warnings"
        ).task
        if task.status not in _WAITING:
            return _succeeded(task, upload)
        if task.status != told:
            told = task.status
            say("its report waits in the server's queue" if told == "PENDING" else "being analysed")
        pause = next(again, None)
        if pause is None:
            raise DeadlineError(
                f"the server had not analysed the report after {deadline_s:.0f} s ({told})",
                hint="look at Administration > Projects > Background Tasks, or allow more time",
            )
        wait(pause, cancelled)


def _succeeded(task: ComputeTask, upload: Upload) -> ComputeTask:
    if task.status == "FAILED":
        why = one_line(task.error_message) or "it does not say why"
        raise ScanError(f"the server could not analyse the report: {why}", hint=_hint(why))
    if task.status == "CANCELED":
        raise ScanError("somebody cancelled the analysis on the server")
    if task.status != "SUCCESS":
        raise ScanError(f"the analysis ended as {one_line(task.status, 40)!r}, which is unknown")
    if not task.analysis_id:
        raise ScanError("the server took the report, and there is no analysis of it")
    if task.component_key != upload.project:
        raise ScanError(
            f"the task is one of the project {one_line(task.component_key, 100)!r},"
            f" not of {upload.project!r}"
        )
    return task


def _hint(why: str) -> str:
    if "Date of analysis cannot be older" in why:
        return (
            "another analysis of the project was begun later and came first: let them wait for each"
            " other, and scan again; or sonar.projectDate lies in the past"
        )
    return "see Administration > Projects > Background Tasks on the server"


def indexed_files(log: bytes) -> int | None:
    """Return how many files the scanner says it has indexed; None where it says nothing of it.

    Of an empty tree, or one in no known language, it tells success all the same.
    """
    found = [int(match[1]) for match in _INDEXED.finditer(log)]
    if found:
        return max(found)
    return 0 if b"0 languages detected" in log else None
