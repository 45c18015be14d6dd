"""The summary on the standard output, rule by rule."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from standin.alerts import Alert, Hit
from standin.rules import PASSIVE

LEVELS = ("PASS", "IGNORE", "INFO", "WARN", "FAIL")
_SHOWN = {"IGNORE": "IGNORE", "INFO": "INFO", "WARN": "WARN-NEW", "FAIL": "FAIL-NEW"}
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Level:
    """What the rule file says of one rule."""

    action: str = "WARN"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Raised:
    """All instances of one rule, of all sites."""

    name: str
    hits: Sequence[Hit]


def raised(sites: Mapping[str, Sequence[Alert]]) -> dict[str, Raised]:
    """Return what passive rules raised, by rule; false positives are not counted."""
    found: dict[str, Raised] = {}
    for alert in (each for alerts in sites.values() for each in alerts):
        plugin = alert.rule.plugin
        if alert.false_positive or plugin not in PASSIVE:
            continue
        before = found[plugin].hits if plugin in found else ()
        found[plugin] = Raised(alert.rule.name, [*before, *alert.hits])
    return found


def lines(
    found: Mapping[str, Raised], levels: Mapping[str, Level], urls: int, *, short: bool
) -> Iterator[str]:
    """Yield the summary's lines."""
    yield f"Total of {urls} URLs"
    passed = [plugin for plugin in sorted(PASSIVE) if plugin not in found]
    if not short:
        yield from (f"PASS: {PASSIVE[plugin]} [{plugin}]" for plugin in passed)
    for action, shown in _SHOWN.items():
        for plugin in sorted(found):
            level = levels.get(plugin, Level())
            if _action(level) != action:
                continue
            hits = found[plugin].hits
            yield f"{shown}: {found[plugin].name} [{plugin}] x {len(hits)} {level.message}"
            if not short:
                yield from (_example(hit) for hit in hits[:_EXAMPLES])
    count = counts(found, levels)
    yield "\t".join(
        (
            f"FAIL-NEW: {count['FAIL']}",
            "FAIL-INPROG: 0",
            f"WARN-NEW: {count['WARN']}",
            "WARN-INPROG: 0",
            f"INFO: {count['INFO']}",
            f"IGNORE: {count['IGNORE']}",
            f"PASS: {len(passed)}",
        )
    )


def _example(hit: Hit) -> str:
    return f"\t{hit.message.url} ({hit.message.status} {hit.message.reason})"


def _action(level: Level) -> str:
    """Return what a level means here: one of PASS is taken for WARN."""
    return "WARN" if level.action == "PASS" else level.action


def counts(found: Mapping[str, Raised], levels: Mapping[str, Level]) -> dict[str, int]:
    """Return how many rules are of each level."""
    count = dict.fromkeys(LEVELS, 0)
    count["PASS"] = len(PASSIVE) - len(found)
    for plugin in found:
        count[_action(levels.get(plugin, Level()))] += 1
    return count


def write_counts(path: Path, found: Mapping[str, Raised], levels: Mapping[str, Level]) -> None:
    """Leave the counts for the script that waits for them."""
    count = counts(found, levels)
    path.write_text(json.dumps({each.lower(): count[each] for each in ("PASS", "WARN", "FAIL")}))
