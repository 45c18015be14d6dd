"""What took how long, side by side: the phases of all scanners over the wall time of a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from scanrun.model import Phase, ScanResult, Verdict
from scanrun.sarif.mask import one_line

_EVERYBODYS = frozenset({"scan", "reading its report"})
"""What each scanner does: a timeline of that alone tells nothing."""
_NOTED_S = 0.5
"""Shorter phases have no line of their own."""
_NAME = 24
_SECONDS = 9
_NARROWEST, _WIDEST = 40, 120
_FULL, _EMPTY = "█", "·"
_ASCII = str.maketrans({_FULL: "#", _EMPTY: "."})


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a run's wall time, in seconds from its start."""

    begin: float
    end: float


def timeline(verdict: Verdict, *, width: int, plain: bool) -> Iterator[str]:
    """Yield the lines; none where no scanner had parts worth telling apart.

    `plain` draws in ASCII. No line is longer than `width`, as long as that is not absurd.
    """
    shown = [each for each in verdict.scanners if each.phases]
    if not any(_of_note(phase) for each in shown for phase in each.phases):
        return
    start = min([*filter(None, [verdict.started]), *(p.started for e in shown for p in e.phases)])
    end = max([*filter(None, [verdict.ended]), *(p.ended for e in shown for p in e.phases)])
    total = max(0.001, (end - start).total_seconds())
    cells = min(max(width, _NARROWEST), _WIDEST) - _NAME - _SECONDS - 4
    yield f"timeline, {total:.1f} s in all"
    for name, span in _rows(shown, start):
        line = f"  {name:{_NAME}} {_bar(span, total, cells)} {span.end - span.begin:6.1f} s"
        yield line.translate(_ASCII) if plain else line


def _of_note(phase: Phase) -> bool:
    return phase.name not in _EVERYBODYS and phase.duration_s >= _NOTED_S


def _rows(results: list[ScanResult], start: datetime) -> Iterator[tuple[str, Span]]:
    for each in results:
        phases = [_span(phase, start) for phase in each.phases]
        yield _name(each.name), Span(phases[0].begin, max(span.end for span in phases))
        if any(map(_of_note, each.phases)):
            for phase, span in zip(each.phases, phases, strict=True):
                if phase.duration_s >= _NOTED_S:
                    yield f"  {_name(phase.name, _NAME - 2)}", span


def _name(text: str, limit: int = _NAME) -> str:
    return one_line(text, limit)


def _span(phase: Phase, start: datetime) -> Span:
    begin = max(0.0, (phase.started - start).total_seconds())
    return Span(begin, begin + phase.duration_s)


def _bar(span: Span, total: float, cells: int) -> str:
    """Return the bar: as long as its time, one cell at least, and never past the end."""
    first = min(cells - 1, int(span.begin / total * cells))
    last = min(cells, max(first + 1, round(span.end / total * cells)))
    return _EMPTY * first + _FULL * (last - first) + _EMPTY * (cells - last)
