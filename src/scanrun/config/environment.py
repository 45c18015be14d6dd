"""Which variables set which key. One that nobody knows is an error, never ignored."""

from collections.abc import Callable, Mapping
from typing import Any

from scanrun.errors import ConfigError
from scanrun.nearest import nearest

PREFIX = "SCANRUN_"
CONFIG = "SCANRUN_CONFIG"


def _text(text: str) -> str:
    return text


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError(f"{text[:40]!r} is neither true nor false")
    return words[text.lower()]


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:  # noqa: PLR2004 - more is no count of anything here
        raise ValueError(f"{text[:40]!r} is no number")
    return int(text)


VARIABLES: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "SCANRUN_ENGINE": ("scan.engine", _text),
    "SCANRUN_REQUIRED": ("scan.required", _names),
    "SCANRUN_SKIP": ("scan.skip", _names),
    "SCANRUN_EXCLUDE": ("scan.exclude", _names),
    "SCANRUN_TIMEOUT": ("scan.timeout", _text),
    "SCANRUN_PULL": ("scan.pull", _text),
    "SCANRUN_OFFLINE": ("scan.offline", _flag),
    "SCANRUN_MIRROR": ("scan.mirror", _text),
    "SCANRUN_JOBS": ("scan.jobs", _number),
    "SCANRUN_MEMORY_BUDGET": ("scan.memory_budget", _text),
    "SCANRUN_FAIL_ON": ("gate.fail_on", _text),
    "SCANRUN_MAX_AGE": ("evidence.max_age", _text),
    "SCANRUN_INLINE_IGNORES": ("policy.inline_ignores", _text),
    "SCANRUN_OUTPUT": ("output.dir", _text),
    "SCANRUN_RAW": ("output.raw", _text),
    "SCANRUN_FORMATS": ("report.formats", _names),
}
"""Variable -> (key, how its text is read). Lists are separated by commas."""

OTHERS = frozenset({CONFIG, "SCANRUN_CACHE_DIR"})
"""Variables that say something else than a key of the configuration."""


def settings_of(environment: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Return key -> (variable, value). An empty variable is as good as none.

    Raises:
        ConfigError: an unknown `SCANRUN_…`, or a text that can't be read.
    """
    found: dict[str, tuple[str, Any]] = {}
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHERS:
            continue
        if name not in VARIABLES:
            raise _unknown(name)
        key, parse = VARIABLES[name]
        try:
            if text.strip():
                found[key] = (name, parse(text.strip()))
        except ValueError as error:
            raise ConfigError(f"environment {name}: {error}") from error
    return found


def _unknown(name: str) -> ConfigError:
    hint = nearest(name, [*VARIABLES, *OTHERS])
    return ConfigError(f"environment {name!r} is no setting of scanrun", hint=hint)
