"""How one run that some tool wrote becomes rules and results in the form ours have.

What is kept is named here; all else stays behind. Snippets, fixes and free properties hold source
text, which may hold a secret, and indices into the run's own tables mean nothing elsewhere.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scanrun.model import Category, Notification
from scanrun.sarif import build
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.mask import Masker, clean_text
from scanrun.sarif.untrusted import (
    Json,
    as_map,
    as_number,
    as_positive,
    item_at,
    objects_in,
    strings_in,
    word_in,
)
from scanrun.sarif.uri import place_in_tree
from scanrun.sarif.view import kind_of, severity_of

NO_LOCATION = "no-location"
"""Where a result stands that names no place: consumers drop, or choke on, one without any."""
NO_RULE = "no-rule-id"

_CWE_TAG = re.compile(r"(?i)\bcwe[-/: ]{0,2}0*(\d{1,5})\b")
_LASTING = re.compile(r"/v\d+$|[Hh]ash$")
"""Keys of fingerprints worth keeping; the others are commits, authors and dates."""
_ACTIVE = re.compile(r"(?i)<(?!https?://)[a-z/!?]|\b(?:javascript|vbscript|data):")
"""HTML, and addresses that run something."""
_PLACEHOLDER = re.compile(r"\{\d{1,4}\}")
_NAME_LIMIT = 100
_TEXT_LIMIT = 4000
_RELATED_LIMIT = 100
_WORDS_KEPT = ("confidence", "cve", "cvss", "cwe", "fix", "package", "precision", "purl")

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
        # once for all results: each of the two may be as long as the results
        self._artifacts = objects_in(head, "artifacts")
        self._logical = objects_in(head, "logicalLocations")
        self._roots = roots
        self._category = category
        self._tables = [
            rules,
            *(objects_in(each, "rules") for each in objects_in(as_map(head["tool"]), "extensions")),
        ]
        self._by_id: dict[str, Json] = {}
        for rule in (rule for table in self._tables for rule in table):
            self._by_id.setdefault(word_in(rule, "id"), rule)

    def rules(self) -> Iterator[Rule]:
        """Yield each rule once; of those with the same id, the first."""
        for rule_id, rule in self._by_id.items():
            if rule_id:
                yield self._rule(rule_id, rule)

    def result(self, result: Json) -> Result:
        """Return one result."""
        rule_id, rule = self._rule_of(result)
        severity = severity_of(result, rule)
        places = [self._place(each) for each in objects_in(result, "locations")] or [
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
        # each makes objects of what else is written as it is
        if suppressions := _suppressions(result):
            made.suppressions = suppressions
        if related := _related(places[1:]):
            made.related_locations = related
        return made

    def notifications(self) -> Iterator[Notification]:
        """Yield what the tool says went wrong; a run that says it failed is an error."""
        for invocation in objects_in(self._head, "invocations"):
            if invocation.get("executionSuccessful") is not True:
                text = word_in(invocation, "exitCodeDescription") or "no reason given"
                yield Notification(f"the tool says that it failed: {text}", "error")
            for each in notices(invocation):
                yield from self._notification(each)

    def _notification(self, item: Json) -> Iterator[Notification]:
        level = notice_level(item)
        if level in ("note", "none"):
            return
        path = next((self._place(each)[0] for each in objects_in(item, "locations")), None)
        text = self._message(item, {}) or "notification without a text"
        yield Notification(text, level, path)

    def _rule(self, rule_id: str, rule: Json) -> Rule:
        short = _text(rule, "shortDescription") or word_in(rule, "name") or rule_id
        made = build.rule(
            rule_id,
            name=build.pascal_case(word_in(rule, "name")) if word_in(rule, "name") else "",
            short=short,
            full=_text(rule, "fullDescription"),
            help_text=_text(rule, "help"),
            help_markdown=_without_html(_text(rule, "help", "markdown")),
            help_uri=_link(rule.get("helpUri")),
            severity=severity_of({}, rule),
            score=as_number(as_map(rule.get("properties")).get("security-severity")),
            category=self._category or Category.SAST,
            cwe=_cwe(rule),
            precision=word_in(as_map(rule.get("properties")), "precision"),
            tags=_tags(rule),
        )
        if self._category is None:
            made.properties.pop("category")
            made.properties["tags"].remove(Category.SAST.value)
        return made

    def _rule_of(self, result: Json) -> tuple[str, Json]:
        """Return the id and the rule of a result: by place in a table, else by id."""
        reference = as_map(result.get("rule"))
        wanted = word_in(result, "ruleId") or word_in(reference, "id")
        component = as_map(reference.get("toolComponent")).get("index", -1)
        table = component + 1 if isinstance(component, int) else 0
        index = result.get("ruleIndex", reference.get("index", -1))
        rule = item_at(item_at(self._tables, table, []), index, {})
        found = word_in(rule, "id")
        # some tools count wrongly: the id they name goes before the place they point at
        if found and (not wanted or wanted == found or wanted.startswith(found + "/")):
            return found, rule
        return wanted or NO_RULE, self._by_id.get(wanted, {})

    def _place(self, location: Json) -> Place:
        """Return path, region, component and URL (where it is none of the tree) of a location."""
        physical = as_map(location.get("physicalLocation"))
        path, outside = self._path(as_map(physical.get("artifactLocation")))
        return path, _region(as_map(physical.get("region"))), self._component(location), outside

    def _path(self, artifact: Json) -> tuple[str, str]:
        uri = word_in(artifact, "uri")
        if not uri:
            stored = item_at(self._artifacts, artifact.get("index", -1), {})
            artifact = as_map(stored.get("location"))
            uri = word_in(artifact, "uri")
        if not uri:
            return NO_LOCATION, ""
        path, outside = place_in_tree(self._base(artifact) + uri, self._roots)
        return path or NO_LOCATION, outside

    def _base(self, artifact: Json) -> str:
        """Return the URI that the artifact's `uriBaseId` stands for, as far as the run tells."""
        bases, found, seen = as_map(self._head.get("originalUriBaseIds")), "", set[str]()
        name = word_in(artifact, "uriBaseId")
        while name and name not in seen and "://" not in word_in(artifact, "uri"):
            seen.add(name)
            base = as_map(bases.get(name))
            uri = word_in(base, "uri")
            found = (uri if not uri or uri.endswith("/") else uri + "/") + found
            name = word_in(base, "uriBaseId")
        return found

    def _component(self, location: Json) -> str:
        for each in objects_in(location, "logicalLocations"):
            stored = item_at(self._logical, each.get("index", -1), {})
            for item in (each, stored):
                name = word_in(item, "fullyQualifiedName") or word_in(item, "name")
                if name:
                    return clean_text(name, 1000)
        return ""

    def _target(self, result: Json) -> str:
        return self._path(as_map(result.get("analysisTarget")))[0]

    def _message(self, item: Json, rule: Json) -> str:
        """Return the message, with the rule's text and the arguments put in."""
        message = as_map(item.get("message"))
        text = word_in(message, "text") or word_in(message, "markdown")
        if not text:
            shared = as_map(
                as_map(as_map(self._head["tool"]).get("driver")).get("globalMessageStrings")
            )
            for strings in (as_map(rule.get("messageStrings")), shared):
                text = text or word_in(as_map(strings.get(word_in(message, "id"))), "text")
        arguments = message.get("arguments")
        if isinstance(arguments, list):
            text = _with_arguments(text[: 2 * _TEXT_LIMIT], arguments)
        return clean_text(text, _TEXT_LIMIT)


def _with_arguments(text: str, arguments: Sequence[object]) -> str:
    """Return the text with its placeholders filled; what an argument brings along is none."""
    given = {f"{{{number}}}": str(each)[:_TEXT_LIMIT] for number, each in enumerate(arguments)}
    return _PLACEHOLDER.sub(lambda match: given.get(match[0], match[0]), text)


def notices(invocation: Json) -> Iterator[Json]:
    """Yield what an invocation notes of the run itself, and of its configuration.

    Raises:
        ConversionError: that is no list of objects.
    """
    yield from objects_in(invocation, "toolExecutionNotifications")
    yield from objects_in(invocation, "toolConfigurationNotifications")


def notice_level(notice: Json) -> str:
    """Return how bad a notice is; a level that SARIF does not know counts as `error`."""
    level = notice.get("level", "warning")
    return level if level in ("none", "note", "warning") else "error"


def is_ours(head: Json) -> bool:
    """Say whether scanrun wrote the run."""
    return bool(as_map(head.get("properties")).get("scanrun"))


def _region(region: Json) -> dict[str, Any]:
    names = {
        "line": "startLine",
        "end_line": "endLine",
        "column": "startColumn",
        "end_column": "endColumn",
    }
    found = {ours: as_positive(region.get(theirs)) for ours, theirs in names.items()}
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
        score = as_number(as_map(item.get("properties")).get("security-severity"))
        if score is not None:
            return score
    rank = as_number(result.get("rank"))
    return rank / 10 if rank is not None and rank >= 0 else None


def _identity(result: Json) -> dict[str, str]:
    found = as_map(result.get("partialFingerprints"))
    return {key: value for key, value in found.items() if isinstance(value, str) and _lasting(key)}


def _lasting(key: str) -> bool:
    """Say whether it is the name of a fingerprint worth keeping, and not of ours."""
    if not _LASTING.search(key) or key.startswith("scanrun/"):
        return False
    return key.isprintable() and len(key) <= _NAME_LIMIT


def _suppressions(result: Json) -> list[dict[str, str]]:
    """Return the suppressions. A status that SARIF does not know suppresses nothing."""
    return [_suppression(each) for each in objects_in(result, "suppressions")]


def _suppression(item: Json) -> dict[str, str]:
    kind, status = item.get("kind"), item.get("status", "accepted")
    made = {"kind": kind if kind in ("inSource", "external") else "inSource"}
    if status != "accepted":
        made["status"] = status if status in ("underReview", "rejected") else "underReview"
    justification = clean_text(word_in(item, "justification"), 1000)
    return {**made, "justification": justification} if justification else made


def _properties(result: Json, url: str) -> dict[str, Any]:
    found = as_map(result.get("properties"))
    kept: dict[str, Any] = {
        key: clean_text(value, 1000) if isinstance(value, str) else value
        for key in _WORDS_KEPT
        if isinstance(value := found.get(key), str | int | float)
    }
    tags = [clean_text(tag, 100) for tag in strings_in(found.get("tags"))]
    if tags:
        kept["tags"] = list(dict.fromkeys(tags))[:20]
    if url:
        kept["url"] = Masker().text(clean_text(url, 2000))
    fix = next((_text(each, "description") for each in objects_in(result, "fixes")), "")
    return {**kept, "fix": fix} if fix else kept


def _tags(rule: Json) -> list[str]:
    tags = strings_in(as_map(rule.get("properties")).get("tags"))
    return [clean_text(tag, 100) for tag in tags if not _CWE_TAG.search(tag)]


def _cwe(rule: Json) -> Iterator[str]:
    """Yield the numbers that a rule's tags, properties and relationships name."""
    properties = as_map(rule.get("properties"))
    words = [*strings_in(properties.get("tags")), *strings_in(properties.get("cwe"))]
    words.append(word_in(properties, "cwe"))
    for relation in objects_in(rule, "relationships"):
        target = as_map(relation.get("target"))
        if word_in(as_map(target.get("toolComponent")), "name").upper() == "CWE":
            words.append("CWE-" + word_in(target, "id").upper().removeprefix("CWE-"))
    for word in words:
        yield from _CWE_TAG.findall(word)


def _link(value: object) -> str:
    is_link = isinstance(value, str) and re.match(r"https?://[^\s<>\"]+$", value)
    return str(value) if is_link else ""


def _text(item: Json, name: str, form: str = "text") -> str:
    return clean_text(word_in(as_map(item.get(name)), form), _TEXT_LIMIT)


def _without_html(markdown: str) -> str:
    """Return the markdown, or nothing where a page that shows it could be made to run a script.

    The plain text stands beside it, so nothing is lost.
    """
    return "" if _ACTIVE.search(markdown) else markdown
