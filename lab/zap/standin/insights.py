"""Insights: what ZAP says of its own run, site by site."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from standin.spider import Site, memory_mb, node_name
from standin.web import Message, origin

MEMORY_LOW, MEMORY_HIGH = 80, 95
_SLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Insight:
    """One of them, as a report has it."""

    key: str
    statistic: int
    description: str
    site: str = ""
    level: str = "Info"
    reason: str = "Informational"


def memory(site: Site, heap_mb: float) -> int:
    """Return how many of 100 parts of the heap a run has used."""
    return min(99, int(100 * memory_mb(site) / heap_mb))


def insights(site: Site, heap_mb: float, *, warnings: int, errors: int) -> list[Insight]:
    """Return all that a run gives, in a report's order."""
    told = [*_global(site, heap_mb, warnings, errors)]
    for name in sorted({origin(each.url) for each in site.messages}):
        told += sorted(_of_site(name, site.messages), key=lambda each: each.key)
    return told


def _global(site: Site, heap_mb: float, warnings: int, errors: int) -> Iterator[Insight]:
    if errors:
        text = "ZAP errors logged - see the zap.log file for details"
        yield Insight("insight.log.error", errors, text, level="Low", reason="Warning")
    if warnings:
        text = "ZAP warnings logged - see the zap.log file for details"
        yield Insight("insight.log.warn", warnings, text, level="Low", reason="Warning")
    if (used := memory(site, heap_mb)) >= MEMORY_LOW:
        high = used >= MEMORY_HIGH
        yield Insight(
            "insight.memory.usage",
            used,
            "Percentage of memory used",
            level="High" if high else "Medium",
            reason="Exceeded High" if high else "Exceeded Low",
        )
    asked = len(site.messages) + site.failures
    if asked and (failed := 100 * site.failures // asked):
        level, reason = ("Medium", "Exceeded Low") if failed > 50 else ("Low", "Warning")  # noqa: PLR2004
        text = "Percentage of network failures"
        yield Insight("insight.network.failure", failed, text, level=level, reason=reason)


def _of_site(name: str, messages: Iterable[Message]) -> Iterator[Insight]:
    own = [each for each in messages if origin(each.url) == name]
    for code, count in Counter(each.status // 100 for each in own).items():
        text = f"Percentage of responses with status code {code}xx"
        yield Insight(f"insight.code.{code}xx", 100 * count // len(own), text, name)
    if slow := 100 * sum(each.seconds > _SLOW_S for each in own) // len(own):
        yield Insight("insight.response.slow", slow, "Percentage of slow responses", name)
    # the site itself, without a path, is no endpoint
    endpoints = {
        (node_name(each.request), each.request.method): each for each in own if each.url != name
    }
    total = len(endpoints)
    for kind, count in Counter(each.mime for each in endpoints.values()).items():
        text = f"Percentage of endpoints with content type {kind}"
        yield Insight(f"insight.endpoint.ctype.{kind}", 100 * count // total, text, name)
    for method, count in Counter(method for _, method in endpoints).items():
        text = f"Percentage of endpoints with method {method}"
        yield Insight(f"insight.endpoint.method.{method}", 100 * count // total, text, name)
    yield Insight("insight.endpoint.total", total, "Count of total endpoints", name)
