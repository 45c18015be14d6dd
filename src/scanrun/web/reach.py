"""Whether the application was reached, and what to set where it was not."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from scanrun.errors import StepError
from scanrun.model import App, Outputs, Reached, origin_of
from scanrun.quantity import counted
from scanrun.sarif.mask import one_line
from scanrun.web.probe import AFTER, BEFORE, MAX_BYTES, TIMEOUT_S, Answer, read_answer

_NO_CODES: Mapping[str, int] = {}
PAGES_DUE = 2
"""A site of which the root alone was seen is one that was not looked at."""
_OTHERS_SHOWN = 5
_FEW_LINKS = 3
"""So many a page that only asks to sign in may have: register, help, the imprint."""
_LOGIN = re.compile(
    r"(?i)(?:^|[/._-])(?:log-?_?[io]n|sign-?_?in|sso|oauth2?|saml2?|authenticate|auth"
    r"|session/new|accounts?/login)(?:$|[/._;-])"
)
_LOGIN_TITLE = re.compile(r"(?i)\b(?:log ?-?[io]n|sign ?-?in|anmelden|anmeldung|connexion)\b")
_OWN_NAMES = re.compile(r"(?:.*\.)?localhost|127(?:\.\d+){3}|::1|0\.0\.0\.0")
_SIGN_IN = "sign_in signs scanners in"
_NO_BODY = frozenset({204, 205})
_AWAY = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something about an answer that makes it none of the application's, and what to set."""

    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.text}; {self.hint}"


def reach_of(
    outputs: Outputs,
    *,
    pages: int,
    codes: Mapping[str, int] = _NO_CODES,
    others: Iterable[str] = (),
    problems: Iterable[str] = (),
) -> Reached:
    """Return what both probes got, what the scanner says it saw, and what is wrong with it.

    `pages` is how many addresses it has seen, `codes` how many of 100 answers were `2xx` and so on
    (nothing: it does not tell), `others` the addresses or origins that its findings name.

    Raises:
        ConversionError: a probe left no answer.
    """
    app = outputs.app
    if app is None:
        return Reached(url="", pages=pages, problems=("no application was configured",))
    before, after = read_answer(outputs, BEFORE), read_answer(outputs, AFTER)
    foreign = tuple(sorted({_origin(each) for each in others} - {app.origin}))
    found = (
        *(str(each) for each in troubles(before, app)),
        *_later(before, after, app),
        *_seen(pages, codes, before, app),
        *_elsewhere(foreign),
        *problems,
    )
    return Reached(
        url=app.url,
        before=before.shown,
        after=after.shown,
        pages=pages,
        codes=dict(codes),
        others=foreign,
        problems=tuple(dict.fromkeys(one_line(each, 1000) for each in found)),
    )


def pages_due(outputs: Outputs, least: int) -> int:
    """Return how many pages have to be seen: `least`, or the one that says it is all there is.

    Who asks for more than the two that are due by themselves gets what was asked for.

    Raises:
        ConversionError: the probe left no answer.
    """
    if least != PAGES_DUE or outputs.app is None:
        return least
    return 1 if read_answer(outputs, BEFORE).alone else least


def check_reached(answer: Answer, app: App) -> None:
    """Refuse to scan where there is no application, or one that is somebody else's.

    What it answers otherwise (401, a login wall) is weighed with the scan's own answer.

    Raises:
        StepError: what came instead, and what to set.
    """
    for trouble in (*_unanswered(answer, app), *_away(answer, app)):
        raise StepError(trouble.text, hint=trouble.hint)


def troubles(answer: Answer, app: App) -> Iterator[Trouble]:
    """Yield what is wrong with an answer."""
    first = (*_unanswered(answer, app), *_away(answer, app))
    yield from first
    if first:
        return
    walls = tuple(_walls(answer, app))
    yield from walls
    if answer.status != app.page.status:
        yield _status(answer, app)
    elif not walls:
        yield from _page(answer, app)


def _unanswered(answer: Answer, app: App) -> Iterator[Trouble]:
    if answer.error:
        what, hint = _ERRORS.get(answer.error, ("gives no answer", "see its log"))
        yield Trouble(f"{app.url} {what} ({answer.words})", hint)


_ERRORS = {
    "dns": ("has a name that is not known where the scanner stands", "check [app] url or host"),
    "refused": (
        "refuses connections",
        "does it listen on that port, on all addresses (0.0.0.0)? [app] port says which",
    ),
    "timeout": (
        f"takes connections and does not answer in {TIMEOUT_S:g} s",
        "see its log; [app] path or health may name something that answers sooner",
    ),
    "reset": (
        "closes the connection before its answer is whole",
        'see its log; if it speaks TLS: [app] scheme = "https"',
    ),
    "tls": ("does not speak TLS as it should", 'if it has none: [app] scheme = "http"'),
    "not-http": ("does not speak HTTP", "does [app] port name another service's port?"),
    "unreachable": ("can't be reached from where the scanner stands", "check [app] url or host"),
    "sign-in": ("was not asked, for nobody could be signed in", "[app.sign_in] secret"),
}


def _away(answer: Answer, app: App) -> Iterator[Trouble]:
    """Yield where it sends on to another place, or in a circle."""
    if answer.error:
        return
    last = answer.chain[-1]
    target = last.location or answer.refresh
    if last.location and answer.words:
        hint = "[app] path names a page that does not; sign_in may be what it waits for"
        yield Trouble(f"{app.url} sends on and on, at last to {last.location}", hint)
    elif target and _origin(target) != app.origin and _sends(answer, app):
        how = last.status if last.location else "a page that sends on"
        yield Trouble(f"{last.url} answers {how} to {target}", _move(target, app))


def _sends(answer: Answer, app: App) -> bool:
    """Say whether a browser would leave the page; a `Location` beside 200 moves nobody."""
    if answer.refresh and not answer.chain[-1].location:
        return True
    return answer.status in _AWAY and answer.status != app.page.status


def _move(target: str, app: App) -> str:
    """Return what to set so that the application stays where it is asked."""
    if app.own_url:
        return f'if it is yours: [app] url = "{target}"'
    there, here = urlsplit(_origin(target)), urlsplit(app.origin)
    name = there.hostname or ""
    if name != here.hostname and _OWN_NAMES.fullmatch(name):
        return "tell the application its own address, or have it send on without one ([app] env)"
    pairs = (("scheme", there.scheme, here.scheme), ("host", name, here.hostname))
    wrong = [f'{key} = "{new}"' for key, new, old in pairs if new != old]
    if there.port != here.port:
        wrong.append(f"port = {there.port}")
    return f"if that is the application: [app] {', '.join(wrong)}"


def _walls(answer: Answer, app: App) -> Iterator[Trouble]:
    last = answer.chain[-1].url
    if _is_login(last) and not _is_login(app.url):
        yield Trouble(f"{app.url} leads to {last}: a login wall", _wall_hint(app))
    elif _is_login(answer.refresh) and not _is_login(app.url):
        yield Trouble(f"{app.url} sends on to {answer.refresh}: a login wall", _wall_hint(app))
    elif answer.password and not _due(app) and _only_login(answer):
        yield Trouble(
            f"{last} is a page that asks for a password and leads nowhere else: a login wall",
            f"{_wall_hint(app)}; if that page is all there is: text or title says so",
        )


def _wall_hint(app: App) -> str:
    if app.sign_in:
        return f"the header {app.sign_in.header} did not sign in: check the secret of [app.sign_in]"
    return f"[app] {_SIGN_IN}, or path names a page that is open"


def _only_login(answer: Answer) -> bool:
    return answer.links <= _FEW_LINKS or bool(_LOGIN_TITLE.search(answer.title))


def _is_login(url: str) -> bool:
    parts = urlsplit(url)
    return bool(_LOGIN.search(parts.path))


def _due(app: App) -> bool:
    return bool(app.page.text or app.page.title)


def _status(answer: Answer, app: App) -> Trouble:
    text = f"{answer.chain[-1].url} answers {answer.status}, and {app.page.status} is due"
    known = {401: _SIGN_IN, 403: _SIGN_IN, 404: "path says where it begins", 410: "path, as above"}
    if answer.status in (401, 403) and app.sign_in:
        return Trouble(text, "the secret of [app.sign_in] does not sign in")
    if answer.status >= 500:  # noqa: PLR2004 - HTTP's own
        return Trouble(text, "see the application's log; is something missing that it needs?")
    what = known.get(answer.status, "path says where it begins")
    return Trouble(text, f"[app] {what}, or status = {answer.status} if that is as it should be")


def _page(answer: Answer, app: App) -> Iterator[Trouble]:
    where, within = answer.chain[-1].url, "" if answer.whole else f" in its first {MAX_BYTES} bytes"
    if not answer.length and _has_body(answer.status):
        yield Trouble(f"{where} is empty", "[app] path says where the application begins")
    if app.page.text and not answer.has_text:
        yield Trouble(
            f"{app.page.text!r:.100} does not stand in {where}{within}",
            "is it another application, or another page? [app] text, path",
        )
    if app.page.title and not answer.has_title:
        yield Trouble(
            f"the title of {where} is {answer.title!r}, and {app.page.title!r:.100} is due",
            "is it another application, or another page? [app] title, path",
        )


def _has_body(status: int) -> bool:
    """Say whether a page comes with it; errors and redirects that are due may be empty."""
    return status // 100 == 2 and status not in _NO_BODY  # noqa: PLR2004 - HTTP's own


def _later(before: Answer, after: Answer, app: App) -> Iterator[str]:
    """Yield what was not so before the scan."""
    known = {str(each) for each in troubles(before, app)}
    new = [text for each in troubles(after, app) if (text := str(each)) not in known]
    yield from (f"after the scan, {text}" for text in new)
    if after.error or before.error or new:
        return
    if _place(after) != _place(before):
        yield f"it was another page after the scan: {before.shown} became {after.shown}"
    elif after.title != before.title and not _due(app):
        yield (
            f"its title was {before.title!r} before the scan and {after.title!r} after it;"
            " if both are the application's: [app] text names what always stands in the page"
        )


def _place(answer: Answer) -> tuple[int, str, str, frozenset[str]]:
    """Return which page it is. A session's number, in the path or the query, is new each time."""
    parts = urlsplit(answer.chain[-1].url)
    path = "/".join(each.partition(";")[0] for each in parts.path.split("/"))
    names = frozenset(each.partition("=")[0] for each in parts.query.split("&"))
    return answer.status, parts.netloc, path, names


def _seen(pages: int, codes: Mapping[str, int], before: Answer, app: App) -> Iterator[str]:
    if pages < 1:
        yield "the scanner tells of no page that it saw"
    elif pages == 1 and before.links:
        yield (
            f"the scanner saw the start page alone, and that links to"
            f" {counted(before.links, 'other page')}; [app] path says where the application begins"
        )
    if codes and not codes.get("2xx") and app.page.status // 100 == 2:  # noqa: PLR2004 - HTTP's own
        told = ", ".join(f"{code} {share} %" for code, share in sorted(codes.items()))
        yield f"the scanner got no good answer ({told}); the application may refuse it"


def _elsewhere(foreign: tuple[str, ...]) -> Iterator[str]:
    if foreign:
        more = f" and {len(foreign) - _OTHERS_SHOWN} more" if len(foreign) > _OTHERS_SHOWN else ""
        shown = ", ".join(foreign[:_OTHERS_SHOWN])
        yield f"its findings name {shown}{more}, which is not the application"


def _origin(address: str) -> str:
    """Return the origin of an address; of what is none, what it is."""
    try:
        return origin_of(address)
    except ValueError:
        return one_line(address, 200)
