"""A probe: what the application answers where the scanner stands, before it and after it."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files

import msgspec

from scanrun.errors import ConversionError
from scanrun.model import App, Limits, Outputs, Role, Step
from scanrun.quantity import size
from scanrun.sarif.mask import one_line

BEFORE, AFTER = "before", "after"
TIMEOUT_S = 20.0
MAX_BYTES = 1_000_000
_TRIES = 3
_REDIRECTS = 5
_STEP_S = 240.0
_MOST = 200_000
"""Bytes of an answer; ours is far below."""
_SHOWN = 300
_LIMITS = Limits(memory_mb=256, pids=64, scratch_mb=16, output_mb=4, log_mb=1)


class Hop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer on the way to the page."""

    url: str
    status: int
    location: str


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a probe got. All of it is the application's own word."""

    chain: tuple[Hop, ...]
    status: int
    """0: there was no answer; `error` tells."""
    length: int
    whole: bool
    """It is all of the page."""
    type: str
    title: str
    has_text: bool
    """The text that is due stands in it."""
    has_title: bool
    password: bool
    """It asks for a password."""
    links: int
    """Other pages of the origin that it links to."""
    alone: bool
    """It links to itself and to no other page, and holds nothing else that could lead to one."""
    refresh: str
    """Where it sends browsers on to."""
    certificate: str
    """Whether the certificate is anybody's; empty without TLS."""
    error: str
    """Why there was no answer: dns, refused, timeout, reset, tls, …; see asking.py."""
    words: str
    tries: int

    @property
    def shown(self) -> str:
        """Return it for people: `200, "Parcels", 812 bytes`."""
        if self.error:
            return f"{self.error}: {self.words}"
        parts = [
            str(self.status),
            f'"{self.title}"' if self.title else "no title",
            f"{'' if self.whole else 'more than '}{size(self.length)}",
            "asks for a password" if self.password else "",
            f"certificate {self.certificate}" if self.certificate else "",
            f"at {self.chain[-1].url}" if len(self.chain) > 1 else "",
        ]
        return ", ".join(filter(None, parts))


def folder_of(name: str) -> str:
    """Return the folder of a probe in its container."""
    return f"/probe-{name}"


def answer_of(name: str) -> str:
    """Return the output of a probe."""
    return f"{folder_of(name)}/answer.json"


def probe_step(app: App, name: str, *, image: str) -> Step:
    """Return the step that asks the application, `before` or `after` the scan.

    It is run by Python 3 of the scanner's own `image`, and so stands where the scanner stands.
    """
    folder = folder_of(name)
    script = files("scanrun.web").joinpath("asking.py").read_bytes()
    return Step(
        role=Role.PROBE,
        name=f"probe-{name}",
        image=image,
        executable="python3",
        entrypoint=("python3",),
        argv=("-I", f"{folder}/asking.py", folder),
        source=None,
        files={f"{folder}/asking.py": script, f"{folder}/ask.json": _ask(app)},
        sealed=_sealed(app, folder),
        services=app.names,
        outputs=(answer_of(name),),
        limits=_LIMITS,
        timeout_s=_STEP_S,
    )


def _ask(app: App) -> bytes:
    ask = {
        "url": app.url,
        "status": app.page.status,
        "text": app.page.text,
        "title": app.page.title,
        "header": app.sign_in.header if app.sign_in else "",
        "timeout_s": TIMEOUT_S,
        "max_bytes": MAX_BYTES,
        "tries": _TRIES,
        "redirects": _REDIRECTS,
    }
    return json.dumps(ask).encode()


def _sealed(app: App, folder: str) -> Mapping[str, Callable[[Mapping[str, str]], bytes]]:
    """Return the file of the header's value. No argument and no environment ever hold it."""
    if app.sign_in is None:
        return {}
    return {f"{folder}/header": partial(_header, app.sign_in.secret)}


def _header(secret: str, values: Mapping[str, str]) -> bytes:
    return values[secret].encode()


def read_answer(outputs: Outputs, name: str) -> Answer:
    """Return what a probe got, in words that may be shown.

    Raises:
        ConversionError: it is none.
    """
    path = outputs.get(answer_of(name))
    if path is None:
        raise ConversionError(f"the probe {name} the scan left no answer")
    with path.open("rb") as stream:
        content = stream.read(_MOST + 1)
    try:
        if len(content) > _MOST:
            raise ValueError("it is too long")  # noqa: TRY301 - one error for all
        answer = _cleaned(msgspec.json.decode(content, type=Answer))
        if not answer.chain and not answer.error:
            raise ValueError("it says neither what came nor why nothing did")  # noqa: TRY301 - as above
    except ValueError as error:
        raise ConversionError(f"the probe {name} the scan left no good answer: {error}") from error
    return answer


def _cleaned(answer: Answer) -> Answer:
    texts = {
        name: one_line(value, _SHOWN)
        for name, value in msgspec.structs.asdict(answer).items()
        if isinstance(value, str)
    }
    chain = tuple(
        Hop(one_line(each.url, _SHOWN), each.status, one_line(each.location, _SHOWN))
        for each in answer.chain
    )
    return msgspec.structs.replace(answer, **texts, chain=chain)
