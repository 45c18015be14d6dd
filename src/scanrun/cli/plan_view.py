"""How a plan reads: which scanners run on what, why, within which limits, and on which files."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from scanrun import __version__
from scanrun.cli.app_view import app_json, app_lines, reference
from scanrun.model import Decision, LeftOut
from scanrun.quantity import counted, size, span
from scanrun.sarif.mask import Masker, one_line
from scanrun.stages.plan import EngineUse, ScanPlan
from scanrun.stages.select import DatabasePlan, Entry

_MARKS = {
    Decision.RUN: "+",
    Decision.NOT_APPLICABLE: "-",
    Decision.SKIPPED: "-",
    Decision.UNAVAILABLE: "!",
}
_WORDS = {
    Decision.NOT_APPLICABLE: "does not apply",
    Decision.SKIPPED: "skipped",
    Decision.UNAVAILABLE: "unavailable",
}


def lines(plan: ScanPlan, masker: Masker, *, verbose: bool = False) -> Iterator[str]:
    """Yield the plan's lines."""
    yield f"scanrun {__version__} · run {plan.run_id}"
    yield from _tree(plan, verbose=verbose)
    engines = {use.name: use for use in plan.engines}
    if plan.memory_mb is not None:
        yield f"memory  {plan.memory_mb} MB for all scanners and services"
    for use in plan.engines:
        yield f"engine  {use.name} {use.version} at {use.endpoint}: {use.isolation.summary}"
    yield from app_lines(plan, masker)
    for entry in plan.entries:
        yield from _entry(entry, engines.get(entry.engine), masker, verbose=verbose)
    for text in plan.told:
        yield f"note    {one_line(masker.clean(text), 500)}"


def as_json(plan: ScanPlan, masker: Masker) -> dict[str, Any]:
    """Return the plan for programs; docs/plan.md has the shape."""
    snapshot = plan.snapshot
    return {
        "run_id": plan.run_id,
        "scanrun": __version__,
        "tree": {
            "root": str(snapshot.root),
            "files": len(snapshot.files),
            "size": snapshot.size,
            "left_out": [{"path": each.path, "rule": each.rule} for each in snapshot.left_out],
        },
        "engines": [
            {
                "name": use.name,
                "endpoint": use.endpoint,
                "version": use.version,
                "isolates_network": use.isolation.network,
                "enforces_limits": use.isolation.limits,
            }
            for use in plan.engines
        ],
        "memory_mb": plan.memory_mb,
        "application": app_json(plan, masker),
        "scanners": [_entry_json(entry, masker) for entry in plan.entries],
        "told": [masker.text(each) for each in plan.told],
    }


def _entry_json(entry: Entry, masker: Masker) -> dict[str, Any]:
    located = entry.located
    return {
        "name": entry.name,
        "category": entry.scanner.category.value,
        "decision": entry.decision.value,
        "reason": masker.text(entry.reason),
        "hint": masker.text(entry.hint),
        "required": entry.required,
        "engine": entry.engine,
        "reference": located.reference if located else "",
        "version": located.version if located else "",
        "digest": located.digest if located else "",
        "to_pull": located.to_pull if located else False,
        "network": any(step.network for step in entry.tools),
        "steps": [
            {
                "name": step.name,
                "argv": [masker.text(word) for word in step.argv],
                "timeout_s": step.timeout_s,
                "memory_mb": step.limits.memory_mb,
                "processes": step.limits.pids,
            }
            for step in entry.tools
        ],
        "services": [
            {
                "name": each.name,
                "image": reference(each),
                "memory_mb": each.limits.memory_mb,
                "kept": bool(each.keep),
            }
            for each in entry.services
        ],
        "secrets": [
            {"name": each.name, "title": each.title, "optional": each.optional}
            for each in entry.needs
        ],
        "databases": [
            {
                "name": each.database.name,
                "updated": each.held.edition.updated.isoformat() if each.held else None,
                "to_update": each.due,
            }
            for each in entry.databases
        ],
    }


def _tree(plan: ScanPlan, *, verbose: bool) -> Iterator[str]:
    snapshot = plan.snapshot
    amount = f"{counted(len(snapshot.files), 'file')}, {size(snapshot.size)}"
    yield f"tree    {one_line(str(snapshot.root), 300)}: {amount}"
    if snapshot.left_out:
        yield f"        left out: {_left_out(snapshot.left_out)}"
    if verbose:
        for each in snapshot.left_out:
            yield f"        left out: {one_line(each.path, 300)} ({each.rule})"


def _left_out(left_out: tuple[LeftOut, ...]) -> str:
    """Return what is left out, by rule: `2 folders, 3 files: git ignore; 1 file: exclude`."""
    kinds = Counter((each.rule, each.path.endswith("/")) for each in left_out)
    parts = []
    for rule in sorted({each.rule for each in left_out}):
        numbers = [(kinds[rule, True], "folder"), (kinds[rule, False], "file")]
        shown = ", ".join(counted(number, noun) for number, noun in numbers if number)
        parts.append(f"{shown}: {rule}")
    return "; ".join(parts)


def _entry(
    entry: Entry, engine: EngineUse | None, masker: Masker, *, verbose: bool
) -> Iterator[str]:
    mark = _MARKS[entry.decision]
    if entry.decision is not Decision.RUN:
        reason = one_line(masker.clean(entry.reason), 500)
        yield f"{mark} {entry.name}: {_WORDS[entry.decision]}: {reason}"
        if entry.hint and entry.decision is Decision.UNAVAILABLE:
            yield f"    try: {one_line(masker.clean(entry.hint), 500)}"
        return
    yield f"{mark} {entry.name}: {one_line(entry.reason, 200)} · {_what(entry)}"
    parts = [*_limits(entry, engine), *(_database(each) for each in entry.databases)]
    yield f"    {', '.join(parts)}"
    for service in entry.services:
        kept = ", kept for later runs" if service.keep else ""
        memory = service.limits.memory_mb
        yield f"    service {service.name}: {one_line(reference(service), 300)}, {memory} MB{kept}"
    if entry.needs:
        yield f"    secrets: {', '.join(each.name for each in entry.needs)}"
    if verbose:
        for step in entry.tools:
            yield f"    {step.name}: {one_line(masker.clean(' '.join(step.argv)), 2000)}"


def _limits(entry: Entry, engine: EngineUse | None) -> Iterator[str]:
    """Yield what the engine holds the scanner to; nothing is promised that it does not enforce."""
    if any(step.network for step in entry.tools):
        yield "network"
    else:
        yield "no network" if engine and engine.isolation.network else "network not isolated"
    limits = entry.tool.limits
    if engine and engine.isolation.limits:
        yield f"{limits.memory_mb} MB"
        yield f"{limits.pids} processes"
    else:
        yield "memory and processes not limited"
    yield f"{max(step.timeout_s for step in entry.steps) / 60:g} min"


def _what(entry: Entry) -> str:
    located = entry.located
    if located is None:
        return ""
    version = located.version
    shown = f" ({version})" if version and version not in located.reference else ""
    note = f", {located.note}" if located.note else ""
    return f"{entry.engine}: {located.reference}{shown}{note}"


def _database(plan: DatabasePlan) -> str:
    title = plan.database.title
    if plan.held is None:
        note = f" ({plan.database.note})" if plan.database.note else ""
        return f"{title}: to be downloaded{note}" if plan.due else f"{title}: missing"
    age = span(datetime.now(UTC) - plan.held.edition.updated)
    return f"{title}: {age} old" + (", to be updated" if plan.due else "")
