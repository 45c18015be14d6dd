"""What a run says of itself: how the scanner ended, with what, on what. Written, and read back."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from scanrun import __version__
from scanrun.contracts import Driver
from scanrun.errors import ConversionError
from scanrun.model import (
    Condition,
    Evidence,
    Notification,
    Reached,
    ScanResult,
    Severity,
    Snapshot,
    Status,
)
from scanrun.sarif.foreign import notice_level, notices
from scanrun.sarif.mask import Masker, clean_text, one_line
from scanrun.sarif.untrusted import as_map
from scanrun.sarif.uri import decode_path, encode_path

_SEMANTIC = re.compile(
    r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
_TEXT_LIMIT = 4000
_UNREAD_KEPT = 100
_JUDGED_BY = ("name", "category", "status")


class _Saved(msgspec.Struct, kw_only=True):
    """`run.properties.scanrun`: what SARIF itself has no place for."""

    name: str
    category: str
    status: str
    required: bool
    findings: int
    suppressed: int
    reason: str = ""
    hint: str = ""
    engine: str = ""
    image: str = ""
    digest: str = ""
    executable: str = ""
    counts: dict[Severity, int] = {}
    counts_by_category: dict[str, dict[Severity, int]] = {}
    evidence: Evidence = Evidence()
    conditions: tuple[Condition, ...] = ()


def run_head(
    result: ScanResult, driver: Driver, *, run_id: str, snapshot: Snapshot, cwes: Iterable[int]
) -> dict[str, Any]:
    """Return a run without rules and results.

    `automationDetails.id` ends in the run's id: GitHub takes what stands before the last `/` as
    the category, which has to stay the same from run to run.
    """
    taxa = sorted(set(cwes))
    head: dict[str, Any] = {
        "tool": {"driver": _driver(result, driver, taxonomies=bool(taxa))},
        "conversion": _conversion(result),
        "invocations": [_invocation(result)],
        "automationDetails": {"id": f"scanrun/{quote(result.name)}/{quote(run_id)}"},
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "root of the scanned tree"}}},
        "columnKind": "unicodeCodePoints",
        "properties": {"scanrun": _saved(result, run_id, snapshot)},
    }
    if taxa:
        head["taxonomies"] = [_cwe_taxonomy(taxa)]
    if snapshot.commit and snapshot.repository:
        head["versionControlProvenance"] = [
            {
                "repositoryUri": snapshot.repository,
                "revisionId": snapshot.commit,
                "mappedTo": {"uriBaseId": "SRCROOT"},
            }
        ]
    return head


def saved_result(run_head: Mapping[str, Any]) -> ScanResult:
    """Return how the scanner of a saved run ended. Its findings are not counted here.

    A run that is not ours counts as completed only if it says so, or says nothing and has results.

    Raises:
        ConversionError: our own properties are damaged.
    """
    ours = as_map(as_map(run_head.get("properties")).get("scanrun"))
    told = _told(run_head)
    if not ours:
        return _foreign_result(run_head, told)
    try:
        # whoever wrote the log may have written this, too
        saved = msgspec.convert(Masker().json(ours), _Saved, strict=False)
        status = Status(saved.status)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConversionError(f"a run's `properties.scanrun` is damaged: {error}") from error
    problem = _problem(run_head, told)
    completed = status is Status.COMPLETED
    return ScanResult(
        name=one_line(saved.name, 200),
        category=saved.category,
        status=Status.FAILED if completed and problem else status,
        reason=saved.reason or problem,
        hint=saved.hint,
        engine=saved.engine,
        image=saved.image,
        digest=saved.digest,
        executable=saved.executable,
        version=str(as_map(as_map(run_head.get("tool")).get("driver")).get("version") or ""),
        **_times(run_head),
        findings=saved.findings,
        suppressed=saved.suppressed,
        evidence=saved.evidence,
        notifications=told,
        counts=saved.counts,
        counts_by_category=saved.counts_by_category,
        conditions=saved.conditions,
        required=saved.required,
    )


def with_own_words(masked: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, Any]:
    """Return a masked head with those words of ours as they were on which a verdict hangs.

    A secret may be as short as a scanner's name: masked, that would escape its limits.
    """
    given, ours = (as_map(as_map(each.get("properties")).get("scanrun")) for each in (head, masked))
    kept = {key: one_line(given[key]) for key in _JUDGED_BY if isinstance(given.get(key), str)}
    if not kept:
        return {**masked}
    return {**masked, "properties": {**masked["properties"], "scanrun": {**ours, **kept}}}


def run_id_of(run_head: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the id of the scanrun run that a saved run belongs to, if it does."""
    found = as_map(as_map(run_head.get("properties")).get("scanrun")).get("run_id")
    return (clean_text(found, 200),) if isinstance(found, str) and found else ()


def unread_of(run_head: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what of the tree the run of scanrun could not read; see `Snapshot.unread`.

    Raises:
        ConversionError: our own properties are damaged.
    """
    found = as_map(as_map(run_head.get("properties")).get("scanrun")).get("unread", [])
    if not isinstance(found, list):
        raise ConversionError("a run's `properties.scanrun` is damaged: `unread` is no list")
    return tuple(clean_text(str(each), 1000) for each in found)


def _driver(result: ScanResult, driver: Driver, *, taxonomies: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": driver.name or result.name}
    named = {
        "fullName": driver.full_name,
        "organization": driver.organization,
        "version": clean_text(result.version, 200),
        "semanticVersion": result.version if _SEMANTIC.fullmatch(result.version) else "",
        "informationUri": driver.information_uri,
    }
    made.update({key: value for key, value in named.items() if value})
    if taxonomies:
        made["supportedTaxonomies"] = [{"name": "CWE", "index": 0}]
    return made


def _conversion(result: ScanResult) -> dict[str, Any]:
    made: dict[str, Any] = {"tool": {"driver": {"name": "scanrun", "version": __version__}}}
    if result.log is not None:
        made["analysisToolLogFiles"] = [{"uri": encode_path(f"logs/{result.name}.log")}]
    return made


def _invocation(result: ScanResult) -> dict[str, Any]:
    notices = [_notification(each) for each in result.notifications]
    completed = result.status is Status.COMPLETED
    if not completed:
        text = result.reason or f"the scanner did not complete: {result.status.value}"
        notices.insert(0, _notification(Notification(text, "error")))
    made: dict[str, Any] = {
        "executionSuccessful": completed,
        "toolExecutionNotifications": notices,
        "properties": {"status": result.status.value, "evidence": result.evidence.summary},
    }
    if result.evidence.reached is not None:
        made["properties"]["reached"] = reached_json(result.evidence.reached)
    if result.exit_code is not None:
        made["exitCode"] = result.exit_code
    for key, moment in (("startTimeUtc", result.started), ("endTimeUtc", result.ended)):
        if moment is not None:
            made[key] = utc(moment)
    return made


def reached_json(reached: Reached) -> dict[str, Any]:
    """Return what was seen of an application, as the invocation and the verdict have it."""
    return {
        "url": reached.url,
        "before": reached.before,
        "after": reached.after,
        "pages": reached.pages,
        "codes": dict(sorted(reached.codes.items())),
        "others": list(reached.others),
    }


def utc(moment: datetime) -> str:
    """Return a moment as SARIF wants it: UTC, milliseconds, `Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _notification(item: Notification) -> dict[str, Any]:
    made: dict[str, Any] = {
        "level": item.level,
        "message": {"text": clean_text(item.text, _TEXT_LIMIT) or "no text"},
    }
    if item.path:
        place = {"uri": encode_path(item.path), "uriBaseId": "SRCROOT"}
        made["locations"] = [{"physicalLocation": {"artifactLocation": place}}]
    return made


def _saved(result: ScanResult, run_id: str, snapshot: Snapshot) -> dict[str, Any]:
    kept = _Saved(
        name=result.name,
        category=result.category,
        status=result.status.value,
        required=result.required,
        findings=result.findings,
        suppressed=result.suppressed,
        reason=clean_text(result.reason, _TEXT_LIMIT),
        hint=clean_text(result.hint, _TEXT_LIMIT),
        engine=result.engine,
        image=result.image,
        digest=result.digest,
        executable=result.executable,
        counts=dict(result.counts),
        counts_by_category={key: dict(value) for key, value in result.counts_by_category.items()},
        evidence=result.evidence,
        conditions=result.conditions,
    )
    made: dict[str, Any] = msgspec.to_builtins(kept)
    tree = {"commit": snapshot.commit, "dirty": snapshot.dirty}
    unread = list(snapshot.unread)[:_UNREAD_KEPT]
    return {**made, "run_id": run_id, **tree, **({"unread": unread} if unread else {})}


def _cwe_taxonomy(numbers: Iterable[int]) -> dict[str, Any]:
    return {
        "name": "CWE",
        "organization": "MITRE",
        "informationUri": "https://cwe.mitre.org/",
        "shortDescription": {"text": "Common Weakness Enumeration"},
        "isComprehensive": False,
        "taxa": [
            {
                "id": str(number),
                "name": f"CWE-{number}",
                "helpUri": f"https://cwe.mitre.org/data/definitions/{number}.html",
            }
            for number in numbers
        ],
    }


def _foreign_result(head: Mapping[str, Any], told: tuple[Notification, ...]) -> ScanResult:
    driver = as_map(as_map(head.get("tool")).get("driver"))
    problem = _problem(head, told)
    return ScanResult(
        name=one_line(str(driver.get("name") or ""), 200) or "unnamed tool",
        category="",
        status=Status.FAILED if problem else Status.COMPLETED,
        reason=problem,
        version=clean_text(str(driver.get("version") or ""), 200),
        notifications=told,
        **_times(head),
    )


def _problem(head: Mapping[str, Any], told: Iterable[Notification]) -> str:
    """Return why a run did not complete, as its invocations tell; empty if it did."""
    if head.get("results", ()) is None:
        return "its run has no results: it did not run"
    errors = [each.text for each in told if each.level == "error"]
    successful = [each.get("executionSuccessful") for each in _invocations(head)]
    if all(each is True for each in successful) and not errors:
        return ""
    return errors[0] if errors else "its run says that it was not successful"


def _invocations(head: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = head.get("invocations")
    if found is None:
        return []
    if not isinstance(found, list):
        raise ConversionError("a run's `invocations` is no list")
    return [as_map(each) for each in found]


def _told(head: Mapping[str, Any]) -> tuple[Notification, ...]:
    """Return all notifications of the run."""
    given = (notices(each) for each in _invocations(head))
    return tuple(_read_notification(each) for found in given for each in found)


def _read_notification(item: Mapping[str, Any]) -> Notification:
    text = clean_text(str(as_map(item.get("message")).get("text") or "no text"), _TEXT_LIMIT)
    return Notification(text, notice_level(item), _path(item))


def _path(notification: Mapping[str, Any]) -> str | None:
    locations = notification.get("locations")
    first = as_map(locations[0]) if isinstance(locations, list) and locations else {}
    uri = as_map(as_map(first.get("physicalLocation")).get("artifactLocation")).get("uri")
    return decode_path(uri) if isinstance(uri, str) else None


def _times(head: Mapping[str, Any]) -> dict[str, Any]:
    for each in _invocations(head):
        code = each.get("exitCode")
        return {
            "exit_code": code if isinstance(code, int) else None,
            "started": _moment(each.get("startTimeUtc")),
            "ended": _moment(each.get("endTimeUtc")),
        }
    return {}


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
