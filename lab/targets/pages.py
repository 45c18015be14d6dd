"""What the targets answer: a function for each mode, from a request to a page."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

ELSEWHERE = 8081
"""Port of another site in the same container."""
_OTHER = "elsewhere.invalid"
HTML = "text/html; charset=utf-8"
GOOD = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    target: str
    host: str
    """Host of the header, without the port."""
    port: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Return the path, without parameters."""
        return urlsplit(self.target).path

    def value(self, name: str) -> str:
        """Return a parameter of the query; empty where there is none."""
        return parse_qs(urlsplit(self.target).query).get(name, [""])[0]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = HTML
    times: int = 1
    """How often the body is sent, one after the other."""


Mode = Callable[[Asked], Page]


def html(title: str, body: str, **more: object) -> Page:
    """Return a page with a title."""
    head = f"<head><title>{title}</title></head>"
    text = f'<!DOCTYPE html><html lang="en">{head}<body>{body}</body></html>'
    return Page(text.encode(), **more)  # type: ignore[arg-type]


def vuln(asked: Asked) -> Page:
    """Answer as an application with findings on most of its pages."""
    made = _VULN.get(asked.path)
    return made(asked) if made else html("Not found", "no such page", status=404)


def _home(asked: Asked) -> Page:
    elsewhere = f"http://{asked.host}:{ELSEWHERE}/"
    body = (
        "<!-- TODO admin password bug fixme -->"
        "<h1>Parcels</h1>"
        '<script src="http://cdn.invalid/jquery-1.8.1.min.js"></script>'
        '<script src="/static/jquery-1.8.1.min.js"></script>'
        '<img src="http://img.invalid/x.png">'
        '<form action="/submit" method="post"><input name="user"><input name="pw"'
        ' type="password"><input type="submit"></form>'
        + "".join(f'<a href="{link}">{link}</a> ' for link in (*_LINKS, elsewhere))
    )
    headers = {
        "Server": "Apache/2.4.1 (Ubuntu)",
        "X-Powered-By": "PHP/5.4.0",
        "Set-Cookie": "session=0123456789abcdef; Path=/",
    }
    return html("Parcels", body, headers=headers)


def _about(_: Asked) -> Page:
    headers = {"Set-Cookie": "pref=1", "Access-Control-Allow-Origin": "*"}
    return html("About", "Our server is 192.168.1.10. <a href='/'>home</a>", headers=headers)


def _error(_: Asked) -> Page:
    text = "Traceback (most recent call last):\n  ConnectionError: 10.1.2.3"
    return html("Error", f"<pre>{text}</pre>", status=500)


def _query(asked: Asked) -> Page:
    return html("Search", f"Nothing found for <b>{asked.value('name')}</b>")


def _library(_: Asked) -> Page:
    return Page(b"/*! jQuery v1.8.1 jquery.com */\n", kind="application/javascript")


_LINKS = (
    "/",
    "/about",
    "/login?sessionid=0123456789abcdef0123456789abcdef",
    "/q?name=%22quote&x=1",
    "/deep/path/page.html",
    "/err",
    "/missing",
)
_VULN: dict[str, Mode] = {
    "/": _home,
    "/about": _about,
    "/login": lambda _: html("Sign in", "Please sign in."),
    "/q": _query,
    "/deep/path/page.html": lambda _: html("Deep", "A page far down."),
    "/err": _error,
    "/static/jquery-1.8.1.min.js": _library,
    "/submit": lambda _: html("Thanks", "We have it."),
}


def clean(asked: Asked) -> Page:
    """Answer as an application without findings."""
    links = "".join(f'<a href="{path}">{path}</a> ' for path in _CLEAN)
    found = _CLEAN.get(asked.path)
    return html(found, f"<h1>{found}</h1>{links}", headers=GOOD) if found else one_page(asked)


_CLEAN = {"/": "Clean", "/parcels": "Parcels", "/parcels/1": "Parcel 1", "/about": "About"}


def one_page(asked: Asked) -> Page:
    """Answer as an application that has one page, without findings."""
    pages = {
        "/": html("Clean", '<h1>Clean</h1><a href="/">home</a>', headers=GOOD),
        "/robots.txt": Page(b"User-agent: *\nAllow: /\n", headers=GOOD, kind="text/plain"),
        "/sitemap.xml": Page(
            b'<?xml version="1.0"?><urlset></urlset>', headers=GOOD, kind="text/xml"
        ),
    }
    return pages.get(asked.path) or html("Not found", "no such page", status=404, headers=GOOD)


def status(code: int, headers: Mapping[str, str]) -> Mode:
    """Return a mode that answers every request with one status."""
    return lambda _: html(str(code), f"<h1>{code}</h1>", status=code, headers=headers)


def redirect_root(where: str) -> Mode:
    """Return a mode that sends every request to the root of another origin."""

    def sent(asked: Asked) -> Page:
        target = where.format(host=asked.host, port=asked.port)
        return Page(status=302, headers={**GOOD, "Location": target})

    return sent


def loop(asked: Asked) -> Page:
    """Send every request on, within the site, for ever."""
    return Page(status=302, headers={**GOOD, "Location": f"/?n={len(asked.target)}"})


def login(asked: Asked) -> Page:
    """Show nobody anything but a form to sign in."""
    if asked.path != "/login":
        return Page(status=302, headers={"Location": f"/login?next={asked.path}"})
    form = "<form method=post action=/login><input name=u><input name=p type=password></form>"
    return html("Sign in", form)


def sign_in(value: str) -> Mode:
    """Return a mode that shows its pages to those who send the header."""

    def shown(asked: Asked) -> Page:
        if asked.headers.get("authorization") == value:
            return vuln(asked)
        return html("401", "<h1>Who are you?</h1>", status=401, headers=GOOD)

    return shown


def path_only(asked: Asked) -> Page:
    """Have the application below `/shop/` only."""
    if asked.path == "/shop/":
        return html("Shop", '<h1>Shop</h1><a href="/shop/one">one</a><a href="/shop/two">two</a>')
    if asked.path in {"/shop/one", "/shop/two"}:
        return html("Item", '<a href="/shop/">back</a>')
    return html("Not found", "no such page", status=404, headers=GOOD)


def endless(asked: Asked) -> Page:
    """Link to ten pages more from every page."""
    links = (f'<a href="{asked.path.rstrip("/")}/{n}">{n}</a>' for n in range(10))
    return html("Endless", " ".join(links), headers=GOOD)


def huge(asked: Asked) -> Page:
    """Have a page of 100 MB beside a small one."""
    if asked.path == "/huge":
        return Page(b"<p>" + b"x" * ((1 << 20) - 3), times=100, headers=GOOD)
    return html("Huge", '<a href="/huge">huge</a>', headers=GOOD)


def hostile(_: Asked) -> Page:
    """Answer with all that could break a report, a terminal or a log."""
    nasty = (
        "\x1b[2J\x1b]0;owned\x07\x00 </p><script>alert(1)</script> \"}],' \u202e\u2028 ##[error]x"
    )
    body = (
        b"<title>\x1b[31mred</title>"
        + nasty.encode()
        + b"\xff\xfe\xc0\x80"
        + b'<a href="/%00%0d%0aX-Injected:%201?a=%22%7D%5D">a</a>'
        b'<a href="/\xff\x1b[0m?q=<b>">b</a><!-- TODO \x1b[31m password \xff -->'
        b'<form method=post action="/f"><input name="\x1b[1m&quot;}]"></form>'
    )
    headers = {
        "Set-Cookie": 'bad"}]=\x1b[31m<b>; Path=/',
        "X-Powered-By": "\x1b[2J<script>\x07 \xe9 ::error::x",
        "Server": 'x/1 "}],{"a":[',
    }
    return Page(body, headers=headers)


def api(asked: Asked) -> Page:
    """Answer as an API of JSON with an OpenAPI definition."""
    found = {
        "/": {"items": "/items", "openapi": "/openapi.json"},
        "/openapi.json": _DEFINITION,
        "/items": [{"id": 1, "name": asked.value("name")}],
        "/items/1": {"id": 1},
    }.get(asked.path)
    if found is None:
        return Page(b'{"error": "not found"}', 404, kind="application/json")
    return Page(json.dumps(found).encode(), kind="application/json")


_DEFINITION = {
    "openapi": "3.0.0",
    "info": {"title": "Items", "version": "1"},
    "paths": {
        "/items": {
            "get": {"parameters": [{"name": "name", "in": "query", "schema": {"type": "string"}}]},
            "post": {
                "requestBody": {
                    "content": {"application/json": {"schema": {"properties": {"name": {}}}}}
                }
            },
        },
        "/items/{id}": {
            "get": {"parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}]}
        },
    },
}


def modes(token: str) -> dict[str, Mode]:
    """Return all modes that answer; `token` is what signs in."""
    codes = (401, 403, 404, 500, 503)
    return {
        "vuln": vuln,
        "tls": vuln,
        "clean": clean,
        "one-page": one_page,
        "empty": lambda _: Page(),
        **{f"http-{code}": status(code, {}) for code in codes},
        **{f"hard-{code}": status(code, GOOD) for code in codes},
        "basic": status(401, {"WWW-Authenticate": 'Basic realm="lab"'}),
        "redirect-port": redirect_root(f"http://{{host}}:{ELSEWHERE}/"),
        "redirect-host": redirect_root(f"http://{_OTHER}/"),
        "redirect-scheme": redirect_root("https://{host}:{port}/"),
        "redirect-loop": loop,
        "login": login,
        "sign-in": sign_in(token),
        "path": path_only,
        "endless": endless,
        "huge": huge,
        "hostile": hostile,
        "api": api,
        "slow": clean,
        "slow-start": clean,
    }
