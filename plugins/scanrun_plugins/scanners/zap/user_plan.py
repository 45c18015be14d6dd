"""A user's own plan: read, held to the configured application, and written anew.

ZAP is given what was checked, not what was read: two readers of YAML may differ.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from scanrun.api import App, StepError
from scanrun_plugins.scanners.web.addresses import origin
from scanrun_plugins.scanners.zap.launch import base_of
from scanrun_plugins.scanners.zap.plans import PARAMETERS, Json, reports

TARGET = "${SCANRUN_TARGET}"
SPIDER = "spider"
"""Jobs that look for pages have types that begin so."""
_JOBS = frozenset((
    "activeScan", "activeScan-config", "activeScan-policy", "alertFilter", "graphql", "openapi",
    "passiveScan-config", "passiveScan-wait", "postman", "replacer", "requestor", "soap",
    "spider", "spiderAjax", "spiderClient",
))  # fmt: skip
_DROPPED = frozenset({"report", "outputSummary"})
_REFUSED = {
    "script": "runs code of its own",
    "exitStatus": "changes what ZAP ends with",
    "addOns": "fetches add-ons, to which there is no way",
    "delay": "waits for somebody",
    "import": "reads addresses that were asked for elsewhere",
}
_ADDRESS = re.compile(r"(?i)\b(?:https?|wss?)://[^\s\"'<>\\^$()|*?{}]*")
_DEEPEST = 40


def checked_plan(content: bytes, path: str, app: App) -> tuple[Json, tuple[str, ...]]:
    """Return the plan with scanrun's own reports at its end, and what of it is left out.

    Raises:
        StepError: it can't be read, has a job that can't be run here, or names another address.
    """
    read = _filled(_read(content, path), app)
    if not isinstance(read, dict) or not isinstance(read.get("jobs"), list):
        raise _refused(path, "it has no list of jobs")
    if strange := sorted(read.keys() - {"env", "jobs"}):
        raise _refused(path, f"it has {strange[0]!a:.80} beside `env` and `jobs`")
    _check_addresses(read, path, app)
    env = _environment(read.get("env"), path, app)
    jobs, dropped = _jobs(read["jobs"], path)
    left_out = tuple(
        f"{path!r}: its {kind} job is not run: scanrun adds its own" for kind in dropped
    )
    return {"env": env, "jobs": [*jobs, *reports()]}, left_out


def _read(content: bytes, path: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Return what a plan says, JSON or YAML without aliases, which could blow it up."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(path, "it is no text in UTF-8") from error
    try:
        return json.loads(text)
    except RecursionError as error:
        raise _refused(path, "it is nested too deeply") from error
    except ValueError:
        return _read_yaml(text, path)


def _read_yaml(text: str, path: str) -> Any:  # noqa: ANN401 - whatever stands there
    import yaml  # noqa: PLC0415 - only for this

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise _refused(path, "it has aliases (*name), which are not followed")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _refused(path, f"it is no YAML: {' '.join(str(error).split())[:200]}") from error


def _filled(value: Any, app: App, depth: int = 0) -> Any:  # noqa: ANN401 - any value of a plan
    """Return a value with the application's address in the place of `${SCANRUN_TARGET}`.

    A root has no slash there, that `${SCANRUN_TARGET}/a` is an address.
    """
    if depth > _DEEPEST:
        raise StepError("the plan is nested too deeply", hint="see what it is")
    if isinstance(value, str):
        return value.replace(TARGET, base_of(app))
    if isinstance(value, dict):
        return {str(key): _filled(each, app, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, app, depth + 1) for each in value]
    return value if isinstance(value, bool | int | float | None) else str(value)


def _check_addresses(plan: Json, path: str, app: App) -> None:
    for where, text in _texts(plan, ""):
        if "${" in text:
            raise _refused(path, f"{where} has a variable, and {TARGET} is the only one")
        for match in _ADDRESS.finditer(text.replace("\\.", ".").replace("\\Q", "")):
            if origin(match[0].partition("\\")[0]) != app.origin:
                raise _refused(
                    path, f"{where} names {match[0]!a:.100}, and the application is {app.origin}"
                )


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any value of a plan
    """Yield place and text of each text."""
    if isinstance(value, str):
        yield where.lstrip("."), value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{where}.{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, f"{where}[{number}]")


def _environment(env: Any, path: str, app: App) -> Json:  # noqa: ANN401 - whatever stands there
    contexts = env.get("contexts") if isinstance(env, dict) else None
    if not isinstance(contexts, list) or not contexts:
        raise _refused(path, "its `env` has no contexts")
    if strange := sorted(env.keys() - {"contexts", "parameters"}):
        raise _refused(path, f"its `env` has {strange[0]!a:.80}, which can't be had here")
    for context in contexts:
        urls = context.get("urls") if isinstance(context, dict) else None
        if not isinstance(urls, list) or not urls:
            raise _refused(path, f"a context has no urls: write {TARGET}")
        if any(not isinstance(url, str) or origin(url) != app.origin for url in urls):
            raise _refused(path, f"a context's urls are not the application's: write {TARGET}")
        context["urls"] = [_with_path(url) for url in urls]
    return {"contexts": contexts, "parameters": dict(PARAMETERS)}


def _with_path(url: Any) -> Any:  # noqa: ANN401 - whatever stands there
    """Return where a spider begins, a root with its slash: `http://h` is no page to ZAP."""
    return re.sub(r"^(\w+://[^/?#]+)$", r"\1/", url) if isinstance(url, str) else url


def _jobs(jobs: list[Any], path: str) -> tuple[list[Json], list[str]]:
    kept, dropped = list[Json](), list[str]()
    for number, each in enumerate(jobs, 1):
        kind = each.get("type") if isinstance(each, dict) else None
        if not isinstance(kind, str):
            raise _refused(path, f"job {number} has no type")
        if kind in _DROPPED:
            dropped.append(kind)
        elif kind not in _JOBS:
            why = _REFUSED.get(kind, "is not known to scanrun")
            raise _refused(path, f"job {number} ({kind!a:.60}) {why}")
        elif each.get("enabled") is not False:
            told = each.get("parameters")
            if kind.startswith(SPIDER) and isinstance(told, dict) and "url" in told:
                told["url"] = _with_path(told["url"])
            kept.append(each)
    if not kept:
        raise _refused(path, "none of its jobs is run")
    return kept, dropped


def _refused(path: str, why: str) -> StepError:
    return StepError(f"the plan {path!r} can't be run: {why}", hint="see docs/scanners/zap.md")
