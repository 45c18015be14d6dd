"""How a run that says it is scanrun's own gets into another log: the verb is `copy_run`.

Whoever wrote it may only say so. It is taken as it is, but checked, masked and cleaned once more.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanrun.errors import ConversionError
from scanrun.sarif.mask import Masker, one_line
from scanrun.sarif.read import SavedRun
from scanrun.sarif.run import with_own_words
from scanrun.sarif.writer import RunWriter

_KEPT = frozenset({"uri", "fingerprints", "partialFingerprints"})
"""A place can't be masked, or it would be lost; nor can what tells results apart."""
_SOURCE = {"region": "snippet", "contextRegion": "snippet", "artifacts": "contents"}
"""Key -> what of its value quotes the source, which no log of ours does."""


def copy_run(run: SavedRun, path: Path, masker: Masker, *, automation_id: str = "") -> None:
    """Write the run to `path`; `automation_id` replaces its own.

    Raises:
        ConversionError: a result names no rule, or a rule has no id: then it is not ours.
    """
    try:
        with RunWriter(path) as writer:
            for rule in run.rules.values():
                writer.rule(_with_id(rule, "id", masker))
            for result in run.results:
                writer.result(_with_id(result, "ruleId", masker))
            head = with_own_words(_cleaned(run.head, masker), run.head)
            if automation_id:
                details = head.get("automationDetails")
                own = details if isinstance(details, dict) else {}
                head["automationDetails"] = {**own, "id": automation_id}
            writer.finish(head)
    except RecursionError as error:
        raise ConversionError("a run is nested too deeply") from error


def _with_id(item: Mapping[str, Any], key: str, masker: Masker) -> dict[str, Any]:
    """Return a rule or a result, cleaned; its id stays what the others name."""
    told = item.get(key)
    if not isinstance(told, str) or not told:
        what = "rule" if key == "id" else "result"
        raise ConversionError(f"a {what} without {key!r} in a run that says it is scanrun's own")
    return {**_cleaned(item, masker), key: one_line(told)}


def _cleaned(value: Any, masker: Masker, key: str = "") -> Any:  # noqa: ANN401 - any JSON value
    if key in _KEPT:
        return value
    if isinstance(value, str):
        return masker.clean(value)
    if isinstance(value, dict):
        source = _SOURCE.get(key)
        return {
            name: _cleaned(each, masker, name) for name, each in value.items() if name != source
        }
    if isinstance(value, list):
        return [_cleaned(each, masker, key) for each in value]
    return value
