"""Ruff's security rules: the fast twin of Bandit. Read from its JSON, which names the codes.

https://docs.astral.sh/ruff/rules/#flake8-bandit-s
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from scanrun.api import (
    Applies,
    Canary,
    Category,
    ConversionError,
    Driver,
    Ignore,
    Influence,
    Input,
    Notification,
    Outputs,
    Reach,
    Result,
    Rule,
    Scanner,
    Severity,
    Sign,
    Step,
    Target,
    hookimpl,
    read_json,
    result,
    rule,
)
from scanrun_plugins.scanners.log_names import unforged
from scanrun_plugins.scanners.python_files import not_read

IMAGE = "ghcr.io/astral-sh/ruff:0.17.6"
REPORT = "/out/ruff.json"
PYTHON = ("*.py", "*.pyi", "*.pyw", "*.ipynb")
SOURCE = "/src/"

_FAILED = re.compile(r"^warning: Failed to lint (.+?): [^:\n]*$", re.MULTILINE)
_CHECKED = re.compile(rf"\] Checking: {SOURCE}(.+?)\s*$", re.MULTILINE)
_EFFECT = "has settings of ruff"
_CODES = r"(?:\s*:\s*(?P<rules>[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*))?\b(?P<reason>.*)"
_WHOLE_FILE = rf"(?i)^\s*#\s*(?:ruff|flake8)\s*:\s*noqa{_CODES}"
_HARMLESS = "seems safe"
"""In the message of a rule whose Bandit twin then says low."""

_TWINS: Mapping[str, tuple[str, int]] = {
    "S101": ("low", 703),
    "S102": ("medium", 78),
    "S103": ("high", 732),
    "S104": ("medium", 605),
    "S105": ("low", 259),
    "S106": ("low", 259),
    "S107": ("low", 259),
    "S108": ("medium", 377),
    "S110": ("low", 703),
    "S112": ("low", 703),
    "S113": ("medium", 400),
    "S201": ("high", 94),
    "S202": ("high", 22),
    "S301": ("medium", 502),
    "S302": ("medium", 502),
    "S303": ("medium", 327),
    "S304": ("high", 327),
    "S305": ("medium", 327),
    "S306": ("medium", 377),
    "S307": ("medium", 78),
    "S308": ("medium", 79),
    "S310": ("medium", 22),
    "S311": ("low", 330),
    "S312": ("high", 319),
    "S313": ("medium", 20),
    "S314": ("medium", 20),
    "S315": ("medium", 20),
    "S316": ("medium", 20),
    "S317": ("medium", 20),
    "S318": ("medium", 20),
    "S319": ("medium", 20),
    "S321": ("high", 319),
    "S323": ("medium", 295),
    "S324": ("high", 327),
    "S401": ("high", 319),
    "S402": ("high", 319),
    "S403": ("low", 502),
    "S404": ("low", 78),
    "S405": ("low", 20),
    "S406": ("low", 20),
    "S407": ("low", 20),
    "S408": ("low", 20),
    "S409": ("low", 20),
    "S411": ("high", 20),
    "S412": ("high", 284),
    "S413": ("high", 327),
    "S415": ("high", 319),
    "S501": ("high", 295),
    "S502": ("high", 327),
    "S503": ("medium", 327),
    "S504": ("low", 327),
    "S505": ("high", 326),
    "S506": ("medium", 20),
    "S507": ("high", 295),
    "S508": ("medium", 319),
    "S509": ("medium", 319),
    "S601": ("medium", 78),
    "S602": ("high", 78),
    "S603": ("low", 78),
    "S604": ("medium", 78),
    "S605": ("high", 78),
    "S606": ("low", 78),
    "S607": ("low", 78),
    "S608": ("medium", 89),
    "S609": ("high", 155),
    "S610": ("medium", 89),
    "S611": ("medium", 89),
    "S612": ("medium", 94),
    "S701": ("high", 94),
    "S702": ("medium", 80),
    "S704": ("medium", 79),
}
"""Code -> severity and CWE of the Bandit test that it was made after."""
_PASSWORDS = frozenset({"S105", "S106", "S107"})


class _Place(msgspec.Struct):
    row: int
    column: int


class _Issue(msgspec.Struct):
    code: str | None
    name: str
    filename: str
    message: str
    location: _Place
    end_location: _Place
    cell: int | None = None
    url: str | None = None


class Ruff:
    """Scans all Python files, also in the folders that Ruff by itself passes over."""

    name = "ruff"
    category = Category.SAST
    driver = Driver("Ruff", "Ruff, security rules", "Astral", "https://docs.astral.sh/ruff")
    on_request = True
    embedded = False
    signs = (
        Sign(r"Failed to lint \S.*", "a file was not scanned"),
        Sign(r"^warning: No Python files found", "nothing was scanned"),
        Sign(r"^error: .*|panicked at .*", "Ruff failed on a file"),
    )

    tells: Mapping[str, Influence] = {
        "ruff.toml": Influence(effect=_EFFECT, left_out=False),
        ".ruff.toml": Influence(effect=_EFFECT, left_out=False),
        "pyproject.toml": Influence(
            effect=_EFFECT, left_out=False, holding=r"^\s*\[\s*tool\s*\.\s*ruff\b"
        ),
    }
    variables = ("RUFF_*",)
    ignores = (Ignore(rf"(?i)#\s*noqa{_CODES}"), Ignore(_WHOLE_FILE, Reach.FILE))

    def applies(self, target: Target) -> Applies:
        """Apply to Python files and notebooks."""
        return Applies.to(target.match(*PYTHON), "Python file")

    def steps(self, target: Target) -> tuple[Step, ...]:
        """Shut out settings, ignore comments and excludes of the tree; tell each file checked."""
        argv = ("check", "--isolated", "--no-cache", "--ignore-noqa", "--no-respect-gitignore")
        files = ("--exclude=", "--extension=pyw:python", "--select=S", "--verbose")
        shape = ("--output-format=json", "--output-file", REPORT)
        return (
            Step.scan(
                IMAGE,
                (*argv, *files, *shape, *target.args, "."),
                output=REPORT,
                ok_exit_codes={0, 1},
                executable="ruff",
                workdir="/src",
            ),
        )

    def canary(self) -> Canary:
        """Return a call that is never right."""
        return Canary({"canary.py": b"exec(input())\n"}, rule_id="S102")

    def expects(self, target: Target) -> tuple[Input, ...]:
        """Return the files that it looks for."""
        return tuple(Input(file.path, "Python file") for file in target.match(*PYTHON))

    def accounted(self, outputs: Outputs) -> frozenset[str]:
        """Return the files that its log says it checked."""
        if outputs.log is None:
            return frozenset()
        text = outputs.log.read_text(encoding="utf-8", errors="surrogateescape")
        # it is also said to check what it then fails on
        checked = frozenset(_CHECKED.findall(text)) - frozenset(_FAILED.findall(text))
        return unforged(checked, outputs.snapshot)

    def convert(self, outputs: Outputs) -> Iterator[Rule | Result | Notification]:
        """Yield what it found; a file that it could not parse is an error, not a finding."""
        yield from not_read(outputs.snapshot, PYTHON)
        known: set[str] = set()
        broken: set[str] = set()
        for issue in sorted(_issues(outputs), key=_order):
            if issue.code in {None, "invalid-syntax"}:
                path = _path(issue)
                # one error in a file brings others with it
                if path not in broken:
                    broken.add(path)
                    yield Notification(f"{path}: {issue.message}", level="error", path=path)
                continue
            code = issue.code or issue.name
            if code not in known:
                known.add(code)
                yield _rule(code, issue)
            yield _result(code, issue)


def _issues(outputs: Outputs) -> list[_Issue]:
    """Return what is in the report; an empty one has to have a log beside it, as a run leaves it.

    Raises:
        ConversionError: unreadable, or a saved report that names nothing.
    """
    issues = read_json(outputs[REPORT], list[_Issue])
    if not issues and outputs.log is None:
        raise ConversionError(
            "the report is an empty list: any tool could have written it",
            hint="let Ruff write SARIF (--output-format sarif), which names the tool",
        )
    return issues


def _rule(code: str, issue: _Issue) -> Rule:
    word, cwe = _TWINS.get(code, ("medium", 0))
    return rule(
        code,
        short=issue.name.replace("-", " "),
        full=_text(code, issue),
        severity=Severity.of_word(word),
        category=Category.SAST,
        cwe=(cwe,),
        help_uri=issue.url or "",
    )


def _result(code: str, issue: _Issue) -> Result:
    word = "low" if _HARMLESS in issue.message else _TWINS.get(code, ("medium", 0))[0]
    # in a notebook, rows count from the top of a cell, and mean nothing in the file
    in_file = issue.cell is None
    return result(
        code,
        _text(code, issue) if in_file else f"{_text(code, issue)} (cell {issue.cell})",
        path=_path(issue),
        severity=Severity.of_word(word),
        line=issue.location.row if in_file else None,
        end_line=issue.end_location.row if in_file else None,
        column=issue.location.column if in_file else None,
        end_column=issue.end_location.column if in_file else None,
        properties={"cell": issue.cell} if issue.cell is not None else None,
    )


def _text(code: str, issue: _Issue) -> str:
    """Return the message; what it quotes of a password's surroundings stays out."""
    return issue.message.partition(":")[0] if code in _PASSWORDS else issue.message


def _path(issue: _Issue) -> str:
    if not issue.filename.startswith(SOURCE):
        raise ConversionError(f"path {issue.filename!r} is not of the scanned tree")
    return issue.filename.removeprefix(SOURCE)


def _order(issue: _Issue) -> tuple[str, int, int, int, str]:
    place = (issue.cell or 0, issue.location.row, issue.location.column)
    return (issue.filename, *place, issue.code or "")


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add Ruff."""
    return [Ruff()]
