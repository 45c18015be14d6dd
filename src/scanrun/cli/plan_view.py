"""How a plan reads: which scanners run on what, why, within which limits, and on which files."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from scanrun import __version__
from scanrun.model import Decision
from scanrun.sarif.mask import clean_text
from scanrun.stages.plan import DatabasePlan, Entry, ScanPlan

_MARKS = {
    Decision.RUN: "+",
    Decision.NOT_APPLICABLE: "-",
    Decision.SKIPPED: "-",
    Decision.UNAVAILABLE: "!",
}


def lines(plan: ScanPlan, *, verbose: bool = False) -> Iterator[str]:
    """Yield the plan's lines."""
    yield f"scanrun {__version__} · run {plan.run_id}"
    yield from _tree(plan, verbose=verbose)
    for use in plan.engines:
        yield f"engine  {use.name} {use.version} at {use.endpoint}: {use.isolation.summary}"
    isolated = {use.name for use in plan.engines if use.isolation.network}
    for entry in plan.entries:
        yield from _entry(entry, isolated=entry.engine in isolated, verbose=verbose)
    for text in plan.told:
        yield f"note    {clean_text(text, 500)}"


def _tree(plan: ScanPlan, *, verbose: bool) -> Iterator[str]:
    snapshot = plan.snapshot
    count, left = len(snapshot.files), len(snapshot.left_out)
    rules = Counter(each.rule for each in snapshot.left_out)
    why = ", ".join(f"{number} {rule}" for rule, number in sorted(rules.items()))
    size = f"{snapshot.size / 1e6:.1f} MB"
    yield f"tree    {clean_text(str(snapshot.root), 300)}: {count} files, {size}" + (
        f"; {left} left out ({why})" if left else ""
    )
    if verbose:
        for each in snapshot.left_out:
            yield f"        left out: {clean_text(each.path, 300)} ({each.rule})"


def _entry(entry: Entry, *, isolated: bool, verbose: bool) -> Iterator[str]:
    mark = _MARKS[entry.decision]
    if entry.decision is not Decision.RUN:
        yield f"{mark} {entry.name}: {entry.decision.value}: {clean_text(entry.reason, 500)}"
        if entry.hint and entry.decision is Decision.UNAVAILABLE:
            yield f"    try: {clean_text(entry.hint, 500)}"
        return
    yield f"{mark} {entry.name}: {clean_text(entry.reason, 200)} · {_what(entry)}"
    limits = entry.steps[0].limits
    networked = any(step.network for step in entry.steps)
    network = "network" if networked else "no network" if isolated else "network not isolated"
    minutes = max(step.timeout_s for step in entry.steps) / 60
    parts = [network, f"{limits.memory_mb} MB", f"{limits.pids} processes", f"{minutes:g} min"]
    yield f"    {', '.join([*parts, *(_database(each) for each in entry.databases)])}"
    if verbose:
        for step in entry.steps:
            yield f"    {step.name}: {clean_text(' '.join(step.argv), 2000)}"


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
        return f"{title}: to be downloaded" if plan.due else f"{title}: missing"
    hours = (datetime.now(UTC) - plan.held.edition.updated).total_seconds() / 3600
    return f"{title}: {hours:.0f} h old" + (", to be updated" if plan.due else "")
