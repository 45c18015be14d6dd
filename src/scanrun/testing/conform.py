"""Whether a scanner keeps its promises: what is checked of each, with a recorded report."""

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from scanrun.contracts import HasIgnores, HasOptions, HasProof, HasSigns, HasTells, Scanner
from scanrun.errors import ConversionError
from scanrun.model import Category, Notification, Outputs, Role, Severity, Snapshot, Step, Target
from scanrun.sarif.build import Result, Rule
from scanrun.sarif.codec import to_json
from scanrun.sarif.view import Finding

Report = Path | bytes | Mapping[str, Path | bytes]

FOREIGN: Mapping[str, bytes] = {
    "empty": b"",
    "blank": b"\n",
    "empty object": b"{}",
    "another tool's": b'{"unrelated": true}',
    "a crash": b"panic: out of memory\n",
    "a web page": b"<!doctype html><title>502</title>",
}
"""What stands in the place of a report when something went wrong."""


def outputs(
    path: str,
    data: bytes | Path,
    *,
    exit_code: int = 0,
    snapshot: Snapshot | None = None,
    options: Mapping[str, Any] | None = None,
    log: bytes = b"",
) -> Outputs:
    """Return outputs with one report, as an engine would leave them."""
    folder = Path(tempfile.mkdtemp(prefix="scanrun-test-"))
    more = {"exit_code": exit_code, "snapshot": snapshot, "options": options or {}}
    made = _outputs({path: data}, folder, log, **more)
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def check_scanner(
    scanner: Scanner,
    report: Report,
    *,
    exit_code: int = 0,
    snapshot: Snapshot | None = None,
    options: Mapping[str, Any] | None = None,
    log: bytes = b"",
) -> list[Finding]:
    """Convert `report` and return the findings, having checked that the scanner conforms.

    `report` is a file, or its content, or a mapping of container paths to either. Besides the
    scanner itself (see `conformance`), every report is also tried empty, cut off and replaced by
    another tool's: each of these must be a `ConversionError`.
    """
    conformance(scanner, snapshot=snapshot, options=options)
    target = Target(snapshot=snapshot or Snapshot(root=Path()), options=_options(scanner, options))
    steps = _tools(scanner, target)
    listed = frozenset().union(*(step.ok_exit_codes for step in steps if step.role is Role.SCAN))
    _hold(exit_code in listed, f"exit code {exit_code} is not listed: {sorted(listed)}")
    paths = dict(report) if isinstance(report, Mapping) else {report_path(steps): report}
    more = {"exit_code": exit_code, "snapshot": snapshot, "options": target.options}
    with tempfile.TemporaryDirectory(prefix="scanrun-test-") as name:
        folder = Path(name)
        given = _outputs(paths, folder / "real", log, **more)
        findings = _findings(scanner, given)
        again = [_json(item) for item in scanner.convert(given)]
        _hold(again == [_json(item) for item in scanner.convert(given)], "two readings differ")
        for number, (path, data, what) in enumerate(_broken(paths)):
            bad = _outputs({**paths, path: data}, folder / str(number), log, **more)
            _must_refuse(scanner, bad, f"{what} report {path}")
    return findings


def conformance(
    scanner: Scanner,
    *,
    snapshot: Snapshot | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Check all of a scanner that can be seen without a report."""
    _hold(isinstance(scanner, Scanner), f"{scanner!r} is no Scanner")
    _hold(isinstance(scanner.category, Category), f"category {scanner.category!r}")
    _hold(scanner.name == scanner.name.lower().strip(), f"name {scanner.name!r}")
    snapshot = snapshot or Snapshot(root=Path("/nowhere"))
    target = Target(snapshot=snapshot, options=_options(scanner, options))
    _hold(scanner.applies(target).reason, "applies() gives no reason")
    steps = _tools(scanner, target)
    names = [step.name for step in scanner.steps(target)]
    _hold(len(set(names)) == len(names), f"two steps share a name: {names}")
    _hold(any(step.role is Role.SCAN for step in steps), "no step scans")
    for step in steps:
        _check_step(step)
    _check_canary(scanner)
    _check_proofs(scanner)


def _tools(scanner: Scanner, target: Target) -> tuple[Step, ...]:
    return tuple(step for step in scanner.steps(target) if isinstance(step, Step))


def report_path(steps: tuple[Step, ...]) -> str:
    """Return the output that is a scanner's main report: the first of its first scan."""
    for step in steps:
        found = (*step.outputs, *([step.stdout] if step.stdout else []))
        if step.role is Role.SCAN and found:
            return found[0]
    raise AssertionError("no scan step has an output")


def _hold(fact: object, otherwise: str) -> None:
    """Fail with `otherwise`; unlike `assert`, also under `python -O`."""
    if not fact:
        raise AssertionError(otherwise)


def _check_step(step: Step) -> None:
    _hold(step.image or step.executable, f"step {step.name!r} has neither image nor executable")
    tag = step.image.rpartition("/")[2]
    pinned = "@" in tag or (":" in tag and not tag.endswith(":latest"))
    _hold(not step.image or pinned, f"image {step.image!r} has no pinned version")
    _hold(step.ok_exit_codes, f"step {step.name!r} lists no exit code")
    given = (*step.files, *step.sealed, *step.links, *step.host_files, *step.caches)
    for path in (*step.outputs, *step.optional_outputs, *given, step.workdir):
        _hold(path.startswith("/"), f"{path!r} is not absolute")
        _hold(".." not in PurePosixPath(path).parts, f"{path!r} climbs")


def _check_canary(scanner: Scanner) -> None:
    make = getattr(scanner, "canary", None)
    if make is None:
        return
    canary = make()
    _hold(canary.files or isinstance(scanner, HasProof), "a canary without files")
    _hold(canary.rule_ids, "a canary without a rule to find")
    for name in canary.files:
        inside = not name.startswith("/") and ".." not in PurePosixPath(name).parts
        _hold(inside, f"canary {name!r} leaves its folder")


def _check_proofs(scanner: Scanner) -> None:
    """Check what a scanner declares of its log, of the tree and of its own keys."""
    if isinstance(scanner, HasSigns):
        for sign in scanner.signs:
            _hold(sign.meaning, f"sign {sign.pattern!r} has no meaning")
            _hold(_compiles(sign.pattern), f"sign {sign.pattern!r} is no pattern")
    if isinstance(scanner, HasTells):
        for pattern, told in scanner.tells.items():
            effect = told if isinstance(told, str) else told.effect
            _hold(pattern and effect, f"tell {pattern!r} has no effect")
            holding = "" if isinstance(told, str) else told.holding
            _hold(_compiles(holding), f"tell {pattern!r} holds no pattern")
    if isinstance(scanner, HasIgnores):
        for each in scanner.ignores:
            _hold(_compiles(each.pattern), f"ignore {each.pattern!r} is no pattern")
    if isinstance(scanner, HasOptions):
        strict = scanner.options.model_config.get("extra") == "forbid"
        _hold(strict, "its options take keys that nobody knows")


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern.encode())
    except re.error:
        return False
    return True


def _findings(scanner: Scanner, given: Outputs) -> list[Finding]:
    rules: dict[str, dict[str, Any]] = {}
    findings = []
    for item in scanner.convert(given):
        if isinstance(item, Notification):
            _hold(item.text, "a notification without a text")
            continue
        _hold(isinstance(item, Rule | Result), f"convert() yields {item!r}")
        found = to_json(item)
        if isinstance(item, Rule):
            _hold(found["id"] not in rules, f"rule {found['id']!r} comes twice")
            rules[found["id"]] = found
            continue
        _hold(found["ruleId"] in rules, f"rule {found['ruleId']!r} does not come before its result")
        finding = Finding.of(found, rules, scanner=scanner.name, category=scanner.category.value)
        _check_finding(finding)
        findings.append(finding)
    return findings


def _check_finding(finding: Finding) -> None:
    where = f"{finding.rule_id} in {finding.path!r}"
    _hold(finding.severity in set(Severity), where)
    _hold(finding.severity is not Severity.UNKNOWN, f"{where}: its severity is unknown")
    _hold(finding.message, f"{where}: no message")
    _hold(finding.path, f"{where}: no path")
    _hold(not finding.path.startswith(("/", "file:")), f"{where}: the path is absolute")
    _hold(".." not in PurePosixPath(finding.path).parts, f"{where}: the path climbs")
    _hold(finding.line is None or finding.line >= 1, f"{where}: lines count from 1")


def _broken(paths: Mapping[str, Path | bytes]) -> Iterator[tuple[str, bytes, str]]:
    for path, data in paths.items():
        whole = _content(data)
        yield path, whole[: len(whole) // 2], "cut off"
        yield path, whole.rstrip()[:-1], "one byte short"
        for what, foreign in FOREIGN.items():
            yield path, foreign, what


def _must_refuse(scanner: Scanner, given: Outputs, what: str) -> None:
    try:
        items = list(scanner.convert(given))
    except ConversionError:
        return
    raise AssertionError(f"{scanner.name}: {what} was read as {len(items)} rules and results")


def _json(item: Rule | Result | Notification) -> object:
    return item if isinstance(item, Notification) else to_json(item)


def _outputs(
    paths: Mapping[str, Path | bytes],
    folder: Path,
    log: bytes,
    **more: Any,  # noqa: ANN401
) -> Outputs:
    """Write the reports into `folder`; `more` is what `Outputs` takes besides."""
    folder.mkdir(exist_ok=True)
    placed = {}
    for number, (path, data) in enumerate(paths.items()):
        place = folder / f"{number}-{PurePosixPath(path).name}"
        place.write_bytes(_content(data))
        placed[path] = place
    (folder / "log").write_bytes(log)
    return Outputs(placed, log=folder / "log", **more)


def _content(data: Path | bytes) -> bytes:
    return data if isinstance(data, bytes) else data.read_bytes()


def _options(scanner: Scanner, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if isinstance(scanner, HasOptions):
        return scanner.options.model_validate(given or {}).model_dump()
    _hold(not given, f"{scanner.name} has no options")
    return {}
