"""How a report on disk is read: strictly, and never more of it in memory than is needed."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from scanrun.errors import ConversionError
from scanrun.model import Category, Notification
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.codec import dumps, to_json
from scanrun.sarif.foreign import Run, is_ours
from scanrun.sarif.keys import refuse_repeated_keys

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_decode_result = msgspec.json.Decoder(dict[str, Any]).decode  # looks its type up once
_BOM = b"\xef\xbb\xbf"
_LONE_SURROGATE = re.compile(
    rb"(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
)


@dataclass(frozen=True, slots=True)
class SavedRun:
    """One run of a saved log. Its results can be gone through once."""

    head: dict[str, Any]
    """The run without rules and results."""
    rules: dict[str, dict[str, Any]]
    results: Iterator[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One run of a tool's own log."""

    head: dict[str, Any]
    """The run without rules and results."""
    items: Iterator[Rule | Result | Notification]


class _Log(msgspec.Struct, rename={"outside": "inlineExternalProperties"}):
    version: str
    runs: list[msgspec.Raw]
    outside: list[dict[str, msgspec.Raw]] = []


class _Claim(msgspec.Struct):
    version: msgspec.Raw
    runs: msgspec.Raw


class _Run(msgspec.Struct, rename={"outside": "externalPropertyFileReferences"}):
    tool: dict[str, Any]
    results: list[msgspec.Raw] | None = None
    outside: dict[str, Any] = {}


Parts = tuple[dict[str, Any], list[dict[str, Any]], list[msgspec.Raw] | None]
"""Head, rules and undecoded results (None: not there) of a run."""


def read_json(path: Path, shape: type[T], *, unique: bool = True) -> T:
    """Return the JSON document in `path` as `shape` (a msgspec Struct, or a plain type).

    `unique` refuses one that says a key twice: needless only where no finding hangs on it.

    Raises:
        ConversionError: missing, empty, cut off, no JSON, of another shape, or ambiguous.
    """
    content = _content(path)
    found = decode(content, shape, path.name)
    if unique:
        refuse_repeated_keys(content, path.name)
    return found


def _with_lone_surrogates(data: bytes | msgspec.Raw, shape: type[T]) -> T:
    """Decode what msgspec refuses though Python's own tools write it: file names in no UTF-8.

    Raises:
        ValueError: there are none, or something else is wrong, too.
    """
    content = bytes(data)
    if not _LONE_SURROGATE.search(content):
        raise ValueError("no lone surrogates")
    return msgspec.convert(json.loads(content), type=shape)


def decode(data: bytes | msgspec.Raw, shape: type[T], where: str) -> T:
    """Return the JSON in `data` as `shape`; `where` is how an error names it.

    Raises:
        ConversionError: no JSON, or of another shape.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, ValueError) as error:
        try:
            return _with_lone_surrogates(data, shape)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ConversionError(f"{where!r} is not the expected report: {error}") from error
    except RecursionError as error:
        raise ConversionError(f"{where!r} is nested too deeply") from error


def is_sarif(path: Path) -> bool:
    """Say whether the document in `path` claims to be SARIF, good or bad.

    Raises:
        ConversionError: it is missing or empty.
    """
    if path.is_dir():
        return False
    data = _log_content(path)
    try:
        decode(data, _Claim, path.name)
    except ConversionError:
        return False
    return True


def read_sarif(
    path: Path, roots: tuple[str, ...] = ("/src",), category: Category | None = None
) -> Iterator[Rule | Result | Notification]:
    """Yield the rules and results of all runs of the SARIF log that a tool wrote.

    Severities are made explicit, paths relative (absolute ones lose the one of `roots` they lie
    under), every result has one location, and no source text is passed on: it may hold a secret.
    `category` is what the rules are of, where the caller knows it.

    Raises:
        ConversionError: as `read_json`, not SARIF 2.1.0, or a run that holds no results.
    """
    for run in read_tool_runs(path, roots, category):
        yield from run.items


def read_tool_runs(
    path: Path, roots: tuple[str, ...] = ("/src",), category: Category | None = None
) -> Iterator[ToolRun]:
    """Yield the runs of a log that a tool wrote, each with its items as `read_sarif` gives them.

    Raises:
        ConversionError: see `read_sarif`.
    """
    for head, rules, results in _runs(path):
        yield _tool_run(path, (head, rules, results), roots, category)


def read_mixed_runs(path: Path, roots: tuple[str, ...] = ("/src",)) -> Iterator[SavedRun | ToolRun]:
    """Yield the runs of a log: ours as they were written, another tool's as `read_tool_runs` does.

    Raises:
        ConversionError: see `read_sarif`.
    """
    for head, rules, results in _runs(path):
        if is_ours(head) and results is not None:
            decoded = (_decoded(raw, path.name) for raw in results)
            yield SavedRun(head, {str(rule.get("id")): rule for rule in reversed(rules)}, decoded)
        else:
            yield _tool_run(path, (head, rules, results), roots, None)


def _tool_run(
    path: Path, parts: Parts, roots: tuple[str, ...], category: Category | None
) -> ToolRun:
    head, rules, results = parts
    if results is None:
        raise ConversionError(f"{path.name!r} has a run without `results`: the scanner did not run")
    return ToolRun(head, _items(Run(head, rules, roots, category), results, path.name))


def _items(
    run: Run, results: list[msgspec.Raw], where: str
) -> Iterator[Rule | Result | Notification]:
    yield from run.rules()
    for raw in results:
        yield run.result(_decoded(raw, where))
    yield from run.notifications()


def _decoded(raw: msgspec.Raw, where: str) -> dict[str, Any]:
    try:
        result = _decode_result(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        result = decode(raw, dict[str, Any], where)
    # with a key said twice, as many bytes can't come out again; other ways to write it are seldom
    if not _comes_out_as(result, raw):
        refuse_repeated_keys(raw, where, levels=1)
    return result


def _comes_out_as(value: dict[str, Any], raw: msgspec.Raw) -> bool:
    try:
        return _encode(value) == bytes(raw)
    except UnicodeEncodeError:
        return False


def read_runs(path: Path) -> Iterator[SavedRun]:
    """Yield the runs of a saved log, ours or any other, results one at a time.

    Another tool's results come as `read_sarif` gives them: only so is their rule, and with it
    their severity, found where it may stand. A run without `results` yields none;
    `run.saved_result` tells it from an empty one by its head, in which `results` is then None.

    Raises:
        ConversionError: as `read_json`, or not SARIF 2.1.0.
    """
    for head, rules, results in _runs(path):
        if results is None:
            head["results"] = None
        decoded = (_decoded(raw, path.name) for raw in results or ())
        if is_ours(head):
            yield SavedRun(head, {str(rule.get("id")): rule for rule in reversed(rules)}, decoded)
        else:
            run = Run(head, rules, ())
            made = {rule.id: to_json(rule) for rule in run.rules()}
            yield SavedRun(head, made, (to_json(run.result(each)) for each in decoded))


def _runs(path: Path) -> Iterator[Parts]:
    where = path.name
    content = _log_content(path)
    log = decode(content, _Log, where)
    refuse_repeated_keys(content, where)
    if log.version != "2.1.0":
        raise ConversionError(f"{where!r} is SARIF {log.version!r}, not 2.1.0")
    if any("results" in each for each in log.outside):
        raise ConversionError(f"{where!r} keeps results outside its runs")
    if not log.runs:
        raise ConversionError(f"{where!r} is SARIF without a run: no scanner wrote to it")
    for raw in log.runs:
        yield _parts(raw, where)


def _parts(raw: msgspec.Raw, where: str) -> Parts:
    run = decode(raw, _Run, where)
    if "results" in run.outside:
        raise ConversionError(f"{where!r} keeps its results in other files")
    parts = decode(raw, dict[str, msgspec.Raw], where)
    others = (key for key in parts if key not in {"tool", "results"})
    head: dict[str, Any] = {key: decode(parts[key], object, where) for key in others}
    head["tool"] = run.tool
    try:
        driver = msgspec.convert(run.tool.get("driver"), dict[str, Any])
        rules = msgspec.convert(driver.get("rules") or [], list[dict[str, Any]])
    except msgspec.ValidationError as error:
        raise ConversionError(f"{where!r} has a run without a proper tool: {error}") from error
    head["tool"]["driver"] = {key: driver[key] for key in driver if key != "rules"}
    return head, rules, run.results


def _log_content(path: Path) -> bytes:
    """Return a log's bytes. Lone surrogates are spelt out: no run could be told from the next."""
    content = _content(path)
    if not _LONE_SURROGATE.search(content):
        return content
    try:
        return dumps(json.loads(content, object_pairs_hook=_once))
    except (ValueError, RecursionError):
        return content  # what is wrong is said by who decodes it


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) < len(members):
        raise ValueError("a key stands twice in one object")
    return made


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConversionError(f"{path.name!r} can't be read: {error.strerror}") from error
    data = data.removeprefix(_BOM)
    if data.isspace() or not data:  # `strip` would copy the whole report
        raise ConversionError(f"{path.name!r} is empty")
    return data
