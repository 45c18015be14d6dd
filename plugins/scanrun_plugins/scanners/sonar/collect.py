"""What an analysis came to is read from the server into a folder: the verb is `collect`.

A server that answers "no issues" may mean that the token may not see them, that nothing was
analysed, or that its index is behind. So its measures are asked, too, and have to agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from scanrun_plugins.scanners.sonar.about import Server, read_server
from scanrun_plugins.scanners.sonar.client import Client
from scanrun_plugins.scanners.sonar.folder import About, Names, Summary, write_json
from scanrun_plugins.scanners.sonar.gate import ServerGate, fetch_gate, read_gate
from scanrun_plugins.scanners.sonar.hotspots import WITHOUT, read_hotspots
from scanrun_plugins.scanners.sonar.issues import Read, project_query, read_issues
from scanrun_plugins.scanners.sonar.measures import Measures, read_measures
from scanrun_plugins.scanners.sonar.refusals import READER, ForbiddenError, UnknownError
from scanrun_plugins.scanners.sonar.rules import read_rules
from scanrun_plugins.scanners.sonar.slices import total_of
from scanrun_plugins.scanners.sonar.spool import Spool
from scanrun_plugins.scanners.sonar.task import ComputeTask, Upload, follow_task
from scanrun_plugins.scanners.sonar.waiting import (
    Cancelled,
    Say,
    never,
    pauses,
    silent,
    wait,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be read."""

    upload: Upload
    indexed: int | None = None
    """How many files the scanner says it has indexed; None where it said nothing."""
    public_url: str = ""
    """Address under which people see the server; empty: no links are made."""
    organization: str = ""
    """Of SonarQube Cloud."""
    deadline_s: float = 600.0
    """For the compute task."""
    lag_s: float = 20.0
    """How long the index of issues may be behind."""

    @property
    def scope(self) -> Mapping[str, str]:
        """Return the parameters that name a branch or a pull request."""
        given = {"branch": self.upload.branch, "pullRequest": self.upload.pull_request}
        if self.upload.pull_request:
            del given["branch"]
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of it."""

    server: Server
    gate: ServerGate
    summary: Summary


class _Analysis(Struct):
    key: str


class _Analyses(Struct):
    analyses: list[_Analysis]


def collect(
    client: Client,
    job: Job,
    folder: Path,
    *,
    say: Say = silent,
    cancelled: Cancelled = never,
) -> Collected:
    """Follow the analysis, read what it came to into `folder`, and say what is missing.

    Raises:
        ScanError: it failed, or can't be read.
        InterruptedRunError: the user asked to stop.
    """
    task = follow_task(client, job.upload, deadline_s=job.deadline_s, say=say, cancelled=cancelled)
    server = read_server(client)
    _check_browse(client, job)
    measures = read_measures(client, job.upload.project, job.scope)
    problems = [*_emptiness(measures, job), *_overtaken(client, job, task)]
    _await_index(client, server, job, measures, cancelled)
    with (
        Spool(folder / Names.ISSUES) as issues,
        Spool(folder / Names.HOTSPOTS) as hotspots,
        Spool(folder / Names.RULES) as rules,
    ):
        found, seen = Read(issues), Read(hotspots)
        problems += read_issues(client, server, job.upload.project, job.scope, found, say=say)
        problems += read_hotspots(client, server, job.upload.project, job.scope, seen)
        say(f"reading {len(found.rules | seen.rules)} rules")
        read_rules(client, found.rules | seen.rules, rules, organization=job.organization)
        problems += _missing(measures, found, seen, server)
    (folder / Names.GATE).write_bytes(fetch_gate(client, task.analysis_id))
    gate = read_gate(folder / Names.GATE)
    problems += _overtaken(client, job, task)
    summary = Summary(
        issues=len(issues),
        hotspots=len(hotspots),
        rules=len(rules),
        problems=list(dict.fromkeys(problems)),
    )
    write_json(folder / Names.TASK, task)
    write_json(folder / Names.MEASURES, dict(measures.values))
    write_json(folder / Names.COMPONENTS, found.components | seen.components)
    write_json(folder / Names.SERVER, _about(job, server))
    write_json(folder / Names.SUMMARY, summary)
    return Collected(server, gate, summary)


def _check_browse(client: Client, job: Job) -> None:
    """Ask for the project itself: of a search, no right to see it looks like no issues in it."""
    project = job.upload.project
    try:
        client.get("api/components/show", dict[str, object], component=project, **job.scope)
    except ForbiddenError as error:
        raise ForbiddenError(
            f"the token may not browse the project {project!r}", hint=READER
        ) from error
    except UnknownError as error:
        raise UnknownError(
            f"the server has no project {project!r} (or no such branch)",
            hint="check the project's key, and its organization on SonarQube Cloud",
        ) from error


def _emptiness(measures: Measures, job: Job) -> list[str]:
    if job.indexed == 0:
        return ["the scanner indexed no file: nothing in a language that the server knows"]
    if not measures.analysed and not job.upload.pull_request:
        return ["the server has seen no file with code in it"]
    return []


def _overtaken(client: Client, job: Job, task: ComputeTask) -> list[str]:
    """Say whether another analysis has taken the place of ours: issues are those of the last."""
    if job.upload.pull_request:
        return []
    newest = client.get(
        "api/project_analyses/search", _Analyses, project=job.upload.project, ps=1, **job.scope
    ).analyses
    if newest and newest[0].key == task.analysis_id:
        return []
    return ["another analysis of the same project has come between: let them wait for each other"]


def _await_index(
    client: Client, server: Server, job: Job, measures: Measures, cancelled: Cancelled
) -> None:
    """Wait until the index of issues has as many as the server has counted, or time is over."""
    query = {**project_query(server, job.upload.project, job.scope), "resolved": "false"}
    for pause in pauses(job.lag_s, first=0.5, longest=4.0):
        if total_of(client, query) == measures.violations:
            return
        wait(pause, cancelled)


def _missing(measures: Measures, found: Read, seen: Read, server: Server) -> list[str]:
    """Compare what was read with what the server has counted."""
    problems = []
    if measures.violations is None:
        problems.append("the server does not tell how many issues it has counted")
    elif measures.violations != found.open:
        problems.append(
            f"the server has counted {measures.violations:,} open issues,"
            f" and {found.open:,} could be read"
        )
    old = not server.cloud and server.release < WITHOUT
    if (measures.hotspots or 0) > seen.open or (old and measures.hotspots is None):
        counted = "an unknown number of" if measures.hotspots is None else f"{measures.hotspots:,}"
        problems.append(f"the server has {counted} open hotspots, and {seen.open:,} could be read")
    return problems


def _about(job: Job, server: Server) -> About:
    return About(
        version=server.version,
        mode=server.mode.value,
        url=job.public_url.rstrip("/"),
        project=job.upload.project,
        scope=dict(job.scope),
        indexed=job.indexed,
    )
