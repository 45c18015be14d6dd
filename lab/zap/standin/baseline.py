"""`zap-baseline.py`: its arguments, and the plan that it has ZAP run."""

import getopt
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from standin import faults, replay

WORK = Path("/zap/wrk")
_LOG = logging.getLogger()
_USAGE = replay.CASES / "nowrk-J" / "stdout.txt"
_SHORT = "t:c:u:g:m:n:r:J:w:x:l:hdaijp:sz:P:D:T:IU:"
_LONG = ["hook=", "auto", "autooff", "plan-only", "ajax-spider", "client-spider"]
_LEGACY = frozenset({"-i", "-l", "-n", "-U", "-p", "-g", "--hook", "--autooff"})
_NUMBERS = frozenset({"-m", "-D", "-T", "-P"})
_REPORTS = {
    "-r": "traditional-html",
    "-w": "traditional-md",
    "-x": "traditional-xml",
    "-J": "traditional-json",
}
"""In the order in which reports are written: the first that fails is the last."""
_FILES = frozenset({"-c", "-g", "-r", "-w", "-x", "-J", "-n", "-p", "--plan-only"})
_LEVELS = ("PASS", "IGNORE", "INFO", "WARN", "FAIL")
_NOT_SHOWN = re.compile(
    r"Found Java version|Available memory|Using JVM args|Automation plan succeeded"
)
_FAILED = 3
_NO_PATH = 2
"""Slashes in an address without a path."""


class UsageError(Exception):
    """The arguments can't be right; the text, if any, is logged."""

    def __init__(self, text: str, *, usage: bool = True) -> None:
        super().__init__(text)
        self.usage = usage


@dataclass(slots=True)
class RuleFile:
    """What a rule file says."""

    levels: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Rule -> level, and a message of its own."""
    out_of_scope: list[tuple[str, str]] = field(default_factory=list)
    """Rule, or `*`, and a pattern of addresses."""


def main() -> int:
    """Run with the process's arguments, and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        return _run(sys.argv[1:])
    except UsageError as error:
        if str(error):
            _LOG.warning(str(error))
        if error.usage:
            _print_usage()
        return _FAILED


def _run(words: Sequence[str]) -> int:
    options = _options(words)
    if "-h" in options:
        _print_usage()
        return 0
    case = replay.recorded()
    if case and not case.of_baseline:
        print(case.stderr, end="", file=sys.stderr)
        return replay.play(case, _plan(options, RuleFile()))
    rules = _rule_file(options)
    if _LEGACY & options.keys():
        raise UsageError("the stand-in knows the automation framework only", usage=False)
    plan = _plan(options, rules)
    if "--plan-only" in options:
        (WORK / "zap.yaml").write_text(yaml.safe_dump(plan))
        return 0
    return _scan(options, plan)


def _print_usage() -> None:
    print(_USAGE.read_text(), end="")


def _options(words: Sequence[str]) -> dict[str, str]:
    try:
        found, _ = getopt.getopt(list(words), _SHORT, _LONG)
    except getopt.GetoptError as error:
        raise UsageError(f"Invalid option {error.opt} : {error}") from error
    options = dict(found)
    for name in _NUMBERS & options.keys():
        int(options[name])
    if "-h" not in options:
        _check(options)
    return options


def _check(options: dict[str, str]) -> None:
    target = options.get("-t", "")
    if not target:
        raise UsageError("")
    if not target.startswith(("http://", "https://")):
        raise UsageError("Target must start with 'http://' or 'https://'")
    if _FILES & options.keys() and not WORK.exists():
        raise UsageError(
            "A file based option has been specified but the directory '/zap/wrk' is not mounted "
        )
    if "-a" in options and "-silent" in shlex.split(options.get("-z", "")):
        raise UsageError("Cannot use the -a option with -silent", usage=False)


def _rule_file(options: dict[str, str]) -> RuleFile:
    found = RuleFile()
    if "-c" not in options:
        return found
    path = WORK / options["-c"]
    with path.open() as lines:
        for line in lines:
            try:
                _read_rule(line, found)
            except UsageError as error:
                text = f"Failed to load config file {path} {error}"
                raise UsageError(text, usage=False) from error
    return found


def _read_rule(line: str, found: RuleFile) -> None:
    if line.startswith("#") or not line.strip():
        return
    parts = line.rstrip("\n").split("\t", 3)
    if len(parts) < 3:  # noqa: PLR2004
        raise UsageError(
            "Unexpected number of tokens on line - there should be at least 3, tab separated: "
            + line
        )
    ids, level, third, *message = parts
    if level == "OUTOFSCOPE":
        found.out_of_scope += [(each, third) for each in ids.split(",")]
    elif level in _LEVELS:
        found.levels[ids] = (level, message[0] if message else "")
    else:
        raise UsageError(f"Level {level} is not a supported level: {list(_LEVELS)}")


def _plan(options: dict[str, str], rules: RuleFile) -> dict[str, Any]:
    target, home = options["-t"], os.environ.get("HOME", "/")
    # below a path it begins at the host's root all the same
    root = "/".join(target.split("/")[:3]) + "/"
    tops = [target] if target.count("/") == _NO_PATH or target == root else [target, root]
    excluded = [pattern for rule, pattern in rules.out_of_scope if rule == "*"]
    filters = [
        {"ruleId": int(rule), "newRisk": "False Positive", "url": pattern, "urlRegex": True}
        for rule, pattern in rules.out_of_scope
        if rule != "*"
    ]
    levels = [
        {"id": int(rule), "action": level, "customMessage": message}
        for rule, (level, message) in rules.levels.items()
    ]
    summary = {
        "format": "Short" if "-s" in options else "Long",
        "summaryFile": f"{home.rstrip('/')}/zap_out.json",
    }
    jobs = [
        _job("passiveScan-config", enableTags=False, maxAlertsPerRule=10),
        *([{"type": "alertFilter", "alertFilters": filters}] if filters else ()),
        _job("spider", url=tops[-1], maxDuration=int(options.get("-m", "1"))),
        *([_job("spiderClient", url=target)] if "-j" in options else ()),
        _job("passiveScan-wait", maxDuration=int(options.get("-T", "0"))),
        _job("outputSummary", **summary) | {"rules": levels},
        *(
            _job("report", template=template, reportDir=f"{WORK}/", reportFile=options[flag])
            for flag, template in _REPORTS.items()
            if flag in options
        ),
    ]
    context = {"name": "baseline", "urls": tops, "excludePaths": excluded}
    parameters = {"failOnError": True, "progressToStdout": False}
    return {"env": {"contexts": [context], "parameters": parameters}, "jobs": jobs}


def _job(kind: str, **parameters: object) -> dict[str, Any]:
    return {"type": kind, "parameters": parameters}


def _scan(options: dict[str, str], plan: dict[str, Any]) -> int:
    print("Using the Automation Framework")
    home = Path(os.environ.get("HOME", "/"))
    path, counts = home / "zap.yaml", home / "zap_out.json"
    path.write_text(yaml.safe_dump(plan))
    counts.unlink(missing_ok=True)
    if WORK.exists():
        try:
            shutil.copyfile(path, WORK / "zap.yaml")
        except OSError as error:
            _LOG.warning("Unable to copy yaml file to %s %s", WORK / "zap.yaml", error)
    if faults.fault() == "killed":
        os._exit(137)
    extra = shlex.split(options.get("-z", ""))
    command = ["/zap/zap.sh", "-cmd", *extra, "-autorun", str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, errors="replace", check=False)
    for line in done.stdout.splitlines():
        if not _NOT_SHOWN.match(line):
            print(line)
    return _exit_code(counts, warned="-I" not in options)


def _exit_code(counts: Path, *, warned: bool) -> int:
    try:
        found = yaml.safe_load(counts.read_text())
    except OSError:
        _LOG.warning("Failed to access summary file %s", counts)
        return _FAILED
    if found["fail"]:
        return 1
    if found["warn"] and warned:
        return 2
    return 0 if found["pass"] else _FAILED
