"""How one run that some tool wrote becomes rules and results in the form ours have.

What is kept is named here; all else stays behind. Snippets, fixes and free properties hold source
text, which may hold a secret, and indices into the run's own tables mean nothing elsewhere.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from scanrun.errors import ConversionError
from scanrun.model import Category, Notification
from scanrun.sarif import build
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.mask import Masker, clean_text
from scanrun.sarif.uri import place_in_tree
from scanrun.sarif.view import as_number, kind_of, severity_of

NO_LOCATION = "no-location"
"""Where a result stands that names no place: consumers drop, or choke on, one without any."""
NO_RULE = "no-rule-id"

_CWE_TAG = re.compile(r"(?i)\bcwe[-/: ]{0,2}0*(\d{1,5})\b")
_LASTING = re.compile(r"/v\d+$|[Hh]ash$")
"""Keys of fingerprints worth keeping; the others are commits, authors and dates."""
_ACTIVE = re.compile(r"(?i)<(?!https?://)[a-z/!?]|\b(?:javascript|vbscript|data):")
"""HTML, and addresses that run something."""
_TEXT_LIMIT = 4000
_RELATED_LIMIT = 100
_WORDS_KEPT = ("confidence", "cve", "cvss", "cwe", "fix", "package", "precision", "purl")

T = TypeVar("T")
Json = Mapping[str, Any]
Place = tuple[str, dict[str, Any], str, str]
"""Path, region, component, and the URL where the place is none of the tree."""


class Run:
    """One run of a tool's log, less its results."""

    def __init__(
        self,
        head: Json,
        rules: Sequence[Json],
        roots: tuple[str, ...],
        category: Category | None = None,
    ) -> None:
        self._head = head
        self._roots = roots
        self._category = category
        self._tables = [
            rules,
            *(_list(each, "rules") for each in _list(_map(head["tool"]), "extensions")),
        ]
        self._by_id: dict[str, Json] = {}
        for rule in (rule for table in self._tables for rule in table):
            self._by_id.setdefault(_word(rule, "id"), rule)

    def rules(self) -> Iterator[Rule]:
        """Yield each rule once; of those with the same id, the first."""
        for rule_id, rule in self._by_id.items():
            if rule_id:
                yield self._rule(rule_id, rule)

    def result(self, result: Json) -> Result:
        """Return one result."""
        rule_id, rule = self._rule_of(result)
        severity = severity_of(result, rule)
        places = [self._place(each) for each in _list(result, "locations")] or [
            (self._target(result), {}, "", "")
        ]
        path, region, component, url = places[0]
        made = build.result(
            rule_id,
            self._message(result, rule) or rule_id,
            path=path,
            severity=severity,
            score=_score(result, rule),
            component=component,
            component_kind="member",
            identity=_identity(result),
            kind=kind_of(result),
            properties=_properties(result, url),
            **region,
        )
        made.suppressions = _suppressions(result)
        made.related_locations = _related(places[1:])
        return made

    def notifications(self) -> Iterator[Notification]:
        """Yield what the tool says went wrong; a run that says it failed is an error."""
        for invocation in _list(self._head, "invocations"):
            if invocation.get("executionSuccessful") is not True:
                text = _word(invocation, "exitCodeDescription") or "no reason given"
                yield Notification(f"the tool says that it failed: {text}", "error")
            for each in notices(invocation):
                yield from self._notification(each)

    def _notification(self, item: Json) -> Iterator[Notification]:
        level = notice_level(item)
        if level in ("note", "none"):
            return
        path = next((self._place(each)[0] for each in _list(item, "locations")), None)
        text = self._message(item, {}) or "notification without a text"
        yield Notification(text, level, path)

    def _rule(self, rule_id: str, rule: Json) -> Rule:
        short = _text(rule, "shortDescription") or _word(rule, "name") or rule_id
        made = build.rule(
            rule_id,
            name=build.pascal_case(_word(rule, "name")) if _word(rule, "name") else "",
            short=short,
            full=_text(rule, "fullDescription"),
            help_text=_text(rule, "help"),
            help_markdown=_without_html(_text(rule, "help", "markdown")),
            help_uri=_link(rule.get("helpUri")),
            severity=severity_of({}, rule),
            score=as_number(_map(rule.get("properties")).get("security-severity")),
            category=self._category or Category.SAST,
            cwe=_cwe(rule),
            precision=_word(_map(rule.get("properties")), "precision"),
            tags=_tags(rule),
        )
        if self._category is None:
            made.properties.pop("category")
            made.properties["tags"].remove(Category.SAST.value)
        return made

    def _rule_of(self, result: Json) -> tuple[str, Json]:
        """Return the id and the rule of a result: by place in a table, else by id."""
        reference = _map(result.get("rule"))
        wanted = _word(result, "ruleId") or _word(reference, "id")
        component = _map(reference.get("toolComponent")).get("index", -1)
        table = component + 1 if isinstance(component, int) else 0
        index = result.get("ruleIndex", reference.get("index", -1))
        rule = _at(_at(self._tables, table, []), index, {})
        found = _word(rule, "id")
        # some tools count wrongly: the id they name goes before the place they point at
        if found and (not wanted or wanted == found or wanted.startswith(found + "/")):
            return found, rule
        return wanted or NO_RULE, self._by_id.get(wanted, {})

    def _place(self, location: Json) -> Place:
        """Return path, region, component and URL (where it is none of the tree) of a location."""
        physical = _map(location.get("physicalLocation"))
        path, outside = self._path(_map(physical.get("artifactLocation")))
        return path, _region(_map(physical.get("region"))), self._component(location), outside

    def _path(self, artifact: Json) -> tuple[str, str]:
        uri = _word(artifact, "uri")
        if not uri:
            stored = _at(_list(self._head, "artifacts"), artifact.get("index", -1), {})
            artifact = _map(stored.get("location"))
            uri = _word(artifact, "uri")
        if not uri:
            return NO_LOCATION, ""
        path, outside = place_in_tree(self._base(artifact) + uri, self._roots)
        return path or NO_LOCATION, outside

    def _base(self, artifact: Json) -> str:
        """Return the URI that the artifact's `uriBaseId` stands for, as far as the run tells."""
        bases, found, seen = _map(self._head.get("originalUriBaseIds")), "", set[str]()
        name = _word(artifact, "uriBaseId")
        while name and name not in seen and "://" not in _word(artifact, "uri"):
            seen.add(name)
            base = _map(bases.get(name))
            uri = _word(base, "uri")
            found = (uri if not uri or uri.endswith("/") else uri + "/") + found
            name = _word(base, "uriBaseId")
        return found

    def _component(self, location: Json) -> str:
        for each in _list(location, "logicalLocations"):
            stored = _at(_list(self._head, "logicalLocations"), each.get("index", -1), {})
            for item in (each, stored):
                name = _word(item, "fullyQualifiedName") or _word(item, "name")
                if name:
                    return clean_text(name, 1000)
        return ""

    def _target(self, result: Json) -> str:
        return self._path(_map(result.get("analysisTarget")))[0]

    def _message(self, item: Json, rule: Json) -> str:
        """Return the message, with the rule's text and the arguments put in."""
        message = _map(item.get("message"))
        text = _word(message, "text") or _word(message, "markdown")
        if not text:
            shared = _map(_map(_map(self._head["tool"]).get("driver")).get("globalMessageStrings"))
            for strings in (_map(rule.get("messageStrings")), shared):
                text = text or _word(_map(strings.get(_word(message, "id"))), "text")
        arguments = message.get("arguments")
        if isinstance(arguments, list):
            for number, argument in enumerate(arguments):
                text = text.replace(f"{{{number}}}", str(argument))
        return clean_text(text, _TEXT_LIMIT)


def notices(invocation: Json) -> Iterator[Json]:
    """Yield what an invocation notes of the run itself, and of its configuration.

    Raises:
        ConversionError: that is no list of objects.
    """
    yield from _list(invocation, "toolExecutionNotifications")
    yield from _list(invocation, "toolConfigurationNotifications")


def notice_level(notice: Json) -> str:
    """Return how bad a notice is; a level that SARIF does not know counts as `error`."""
    level = notice.get("level", "warning")
    return level if level in ("none", "note", "warning") else "error"


def is_ours(head: Json) -> bool:
    """Say whether scanrun wrote the run."""
    return bool(_map(head.get("properties")).get("scanrun"))


def _region(region: Json) -> dict[str, Any]:
    names = {
        "line": "startLine",
        "end_line": "endLine",
        "column": "startColumn",
        "end_column": "endColumn",
    }
    found = {ours: _positive(region.get(theirs)) for ours, theirs in names.items()}
    if found["line"] is None:
        return {}
    if found["end_line"] is not None and found["end_line"] < found["line"]:
        found["end_line"] = found["end_column"] = None
    return found


def _related(places: Iterable[Place]) -> list[Any] | None:
    made = (
        build.location(path, component=component, **region) for path, region, component, _ in places
    )
    distinct = {repr(each): each for each in made}
    return list(distinct.values())[:_RELATED_LIMIT] or None


def _score(result: Json, rule: Json) -> float | None:
    for item in (result, rule):
        score = as_number(_map(item.get("properties")).get("security-severity"))
        if score is not None:
            return score
    rank = as_number(result.get("rank"))
    return rank / 10 if rank is not None and rank >= 0 else None


def _identity(result: Json) -> dict[str, str]:
    found = _map(result.get("partialFingerprints"))
    return {
        key: value
        for key, value in found.items()
        if isinstance(value, str) and _LASTING.search(key) and not key.startswith("scanrun/")
    }


def _suppressions(result: Json) -> list[dict[str, str]]:
    """Return the suppressions. A status that SARIF does not know suppresses nothing."""
    return [_suppression(each) for each in _list(result, "suppressions")]


def _suppression(item: Json) -> dict[str, str]:
    kind, status = item.get("kind"), item.get("status", "accepted")
    made = {"kind": kind if kind in ("inSource", "external") else "inSource"}
    if status != "accepted":
        made["status"] = status if status in ("underReview", "rejected") else "underReview"
    justification = clean_text(_word(item, "justification"), 1000)
    return {**made, "justification": justification} if justification else made


def _properties(result: Json, url: str) -> dict[str, Any]:
    found = _map(result.get("properties"))
    kept: dict[str, Any] = {
        key: clean_text(value, 1000) if isinstance(value, str) else value
        for key in _WORDS_KEPT
        if isinstance(value := found.get(key), str | int | float)
    }
    tags = [clean_text(tag, 100) for tag in _strings(found.get("tags"))]
    if tags:
        kept["tags"] = list(dict.fromkeys(tags))[:20]
    if url:
        kept["url"] = Masker().text(clean_text(url, 2000))
    fix = next((_text(each, "description") for each in _list(result, "fixes")), "")
    return {**kept, "fix": fix} if fix else kept


def _tags(rule: Json) -> list[str]:
    tags = _strings(_map(rule.get("properties")).get("tags"))
    return [clean_text(tag, 100) for tag in tags if not _CWE_TAG.search(tag)]


def _cwe(rule: Json) -> Iterator[str]:
    """Yield the numbers that a rule's tags, properties and relationships name."""
    properties = _map(rule.get("properties"))
    words = [*_strings(properties.get("tags")), *_strings(properties.get("cwe"))]
    words.append(_word(properties, "cwe"))
    for relation in _list(rule, "relationships"):
        target = _map(relation.get("target"))
        if _word(_map(target.get("toolComponent")), "name").upper() == "CWE":
            words.append("CWE-" + _word(target, "id").upper().removeprefix("CWE-"))
    for word in words:
        yield from _CWE_TAG.findall(word)


def _link(value: object) -> str:
    is_link = isinstance(value, str) and re.match(r"https?://[^\s<>\"]+$", value)
    return str(value) if is_link else ""


def _text(item: Json, name: str, form: str = "text") -> str:
    return clean_text(_word(_map(item.get(name)), form), _TEXT_LIMIT)


def _without_html(markdown: str) -> str:
    """Return the markdown, or nothing where a page that shows it could be made to run a script.

    The plain text stands beside it, so nothing is lost.
    """
    return "" if _ACTIVE.search(markdown) else markdown


def _map(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(item: Json, name: str) -> list[Json]:
    """Return the objects in a list.

    Raises:
        ConversionError: something else stands where SARIF has a list of objects.
    """
    value = item.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise ConversionError(f"{name!r} is no list of objects: not SARIF")
    return value


def _at(items: Sequence[T], index: object, default: T) -> T:
    return items[index] if isinstance(index, int) and 0 <= index < len(items) else default


def _word(item: Json, name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _strings(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _positive(value: object) -> int | None:
    number = as_number(value)
    return int(number) if number is not None and number >= 1 and number == int(number) else None
