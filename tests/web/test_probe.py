import ast
import json
import socket
import time
from importlib.resources import files

import pytest
from probing_kit import answer, certificate, probed, site, talker

from scanrun.errors import ConversionError
from scanrun.model import App, Outputs, Page, Role, SignIn
from scanrun.web.probe import answer_of, probe_step, read_answer

HOME = b"<html><title> Parcel \n Shop</title><p>Track &amp; trace</p><a href='/a'>a</a></html>"


def html(body, status=200, **headers):
    return status, {"Content-Type": "text/html; charset=utf-8", **headers}, body


def test_a_probe_tells_what_the_page_is(tmp_path):
    with site({"/shop/": html(HOME)}) as (url, asked):
        app = App(url=f"{url}/shop/", page=Page(text="Track & trace", title="Parcel Shop"))

        found = answer(app, tmp_path)

    assert (found.status, found.title, found.length) == (200, "Parcel Shop", len(HOME))
    assert found.has_text
    assert found.has_title
    assert found.whole
    assert (found.links, found.password, found.error) == (1, False, "")
    assert [path for path, _ in asked] == ["/shop/"]


@pytest.mark.parametrize(
    ("body", "alone"),
    [
        (b"<a href='/'>home</a>", True),
        (b"<a href='/#top'>home</a> <a href='https://example.org/'>out</a>", True),
        (b"<p>no link at all</p>", False),
        (b"<a href='#top'>a place in the page</a>", False),
        (b"<a href='/'>home</a> <a href='/a'>a</a>", False),
        (b"<a href='/'>home</a> <script src='/app.js'></script>", False),
        (b"<a href='/'>home</a> <form action='/find'></form>", False),
        (b"<a href='/'>home</a> <meta http-equiv=refresh content='9; url=/b'>", False),
    ],
)
def test_a_page_is_alone_where_it_links_to_itself_and_nothing_leads_on(tmp_path, body, alone):
    with site({"/": html(body)}) as (url, _):
        found = answer(App(url=f"{url}/"), tmp_path)

    assert found.alone is alone


def test_a_probe_follows_redirects_of_the_origin_and_keeps_its_cookies(tmp_path):
    pages = {
        "/": (302, {"Location": "/start", "Set-Cookie": "sid=1; HttpOnly"}, b""),
        "/start": html(HOME),
    }
    with site(pages) as (url, asked):
        found = answer(App(url=f"{url}/"), tmp_path)

    assert [(hop.url, hop.status) for hop in found.chain] == [
        (f"{url}/", 302),
        (f"{url}/start", 200),
    ]
    assert asked[1][1]["Cookie"] == "sid=1"


def test_a_probe_never_asks_another_origin(tmp_path):
    with site({"/": html(HOME)}) as (other, elsewhere):
        pages = {"/": (302, {"Location": f"{other}/"}, b"")}
        with site(pages) as (url, _):
            found = answer(App(url=f"{url}/"), tmp_path)

    assert (found.status, found.chain[-1].location) == (302, f"{other}/")
    assert elsewhere == []


def test_a_redirect_in_a_circle_ends(tmp_path):
    with site({"/": (302, {"Location": "/"}, b"")}) as (url, asked):
        found = answer(App(url=f"{url}/"), tmp_path)

    assert (found.status, found.words) == (302, "it goes on and on")
    assert len(asked) == 6


def test_a_redirect_that_is_due_is_the_answer(tmp_path):
    pages = {"/": (302, {"Location": "/start"}, b"x"), "/start": html(HOME)}
    with site(pages) as (url, asked):
        found = answer(App(url=f"{url}/", page=Page(status=302)), tmp_path)

    assert (found.status, len(asked)) == (302, 1)


def test_the_sign_in_header_goes_to_the_application_and_stands_in_no_argument(tmp_path):
    app = App(url="http://app:8080/", sign_in=SignIn(header="X-Token", secret="TOKEN"))
    step = probe_step(app, "before", image="image:1")
    with site({"/": html(HOME)}) as (url, asked):
        signed = App(url=f"{url}/", sign_in=app.sign_in)
        answer(signed, tmp_path, secrets={"TOKEN": "open sesame"})

    assert asked[0][1]["X-Token"] == "open sesame"
    assert b"TOKEN" not in b"".join(step.files.values())
    assert list(step.sealed) == ["/probe-before/header"]


@pytest.mark.parametrize("header", ["Cookie", "cookie"])
def test_a_cookie_that_signs_in_is_kept_among_those_that_are_set_on_the_way(tmp_path, header):
    pages = {
        "/": (302, {"Location": "/start", "Set-Cookie": "lang=de; Path=/"}, b""),
        "/start": html(HOME),
    }
    with site(pages) as (url, asked):
        app = App(url=f"{url}/", sign_in=SignIn(header=header, secret="SESSION"))
        answer(app, tmp_path, secrets={"SESSION": "sid=a=1; theme=dark;"})

    sent = [headers["Cookie"] for _, headers in asked]
    assert sent == ["sid=a=1; theme=dark", "sid=a=1; theme=dark; lang=de"]


def test_a_session_that_the_application_renews_is_the_one_that_is_sent_on(tmp_path):
    pages = {
        "/": (302, {"Location": "/start", "Set-Cookie": "sid=2; HttpOnly"}, b""),
        "/start": html(HOME),
    }
    with site(pages) as (url, asked):
        app = App(url=f"{url}/", sign_in=SignIn(header="Cookie", secret="SESSION"))
        answer(app, tmp_path, secrets={"SESSION": "sid=1"})

    assert [headers["Cookie"] for _, headers in asked] == ["sid=1", "sid=2"]


def test_a_secret_that_is_no_header_is_not_told(tmp_path):
    app = App(url="http://127.0.0.1:1/", sign_in=SignIn(header="X-Token", secret="TOKEN"))

    found = answer(app, tmp_path, secrets={"TOKEN": "first\nsecond"})

    assert found.error == "sign-in"
    assert "second" not in (tmp_path / "answer.json").read_text()


def test_a_large_page_is_read_in_part(tmp_path):
    with site({"/": html(b"x" * 3_000_000)}) as (url, _):
        found = answer(App(url=f"{url}/", page=Page(text="y")), tmp_path)

    assert (found.length, found.whole, found.has_text) == (1_000_000, False, False)
    assert "more than 1.0 MB" in found.shown


@pytest.mark.parametrize(
    "page",
    [
        b"<title" * 160_000,
        b"<a " * 300_000,
        b"<a href=" * 120_000,
        b"type = " * 140_000,
        b"&" * 10**6,
    ],
    ids=["titles", "links", "open links", "types", "entities"],
)
def test_a_page_made_to_take_long_does_not(tmp_path, page):
    with site({"/": html(page)}) as (url, _):
        found = answer(App(url=f"{url}/"), tmp_path, quick=False)

    assert (found.status, found.error) == (200, "")


def test_control_characters_are_cleaned(tmp_path):
    page = b"<title>\x1b[31mred\x07\x00</title>"
    with site({"/": (200, {"Content-Type": "text/\x1b[1mhtml"}, page)}) as (url, _):
        found = answer(App(url=f"{url}/"), tmp_path)

    assert (found.title, found.type) == ("red", "text/html")


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def silent(connection):
    connection.settimeout(10)
    while connection.recv(1000):
        pass


def hangs_up(connection):
    connection.recv(1000)


def half(connection):
    connection.recv(1000)
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def drips(connection):
    try:
        connection.sendall(b"HTTP/1.0 200 OK\r\n")
        for number in range(40):
            connection.sendall(b"X-Drip-%d: drop\r\n" % number)
            time.sleep(0.1)
    except OSError:
        pass


def ssh(connection):
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")


@pytest.mark.parametrize(
    ("talk", "kind"),
    [
        (silent, "timeout"),
        (drips, "timeout"),
        (hangs_up, "reset"),
        (half, "reset"),
        (ssh, "not-http"),
    ],
)
def test_an_answer_that_is_none_has_its_kind(tmp_path, talk, kind):
    with talker(talk) as url:
        found = answer(App(url=url), tmp_path)

    assert (found.error, found.status) == (kind, 0)
    assert found.words


def test_a_closed_port_is_asked_three_times(tmp_path):
    found = answer(App(url=f"http://127.0.0.1:{closed_port()}/"), tmp_path)

    assert (found.error, found.tries) == ("refused", 3)


def test_an_unknown_name_is_told_as_one(tmp_path):
    found = answer(App(url="http://nosuch.invalid/"), tmp_path)

    assert found.error == "dns"


def test_https_to_a_plain_port_is_no_tls(tmp_path):
    with site({"/": html(HOME)}) as (url, _):
        found = answer(App(url=url.replace("http", "https") + "/"), tmp_path)

    assert found.error == "tls"


def test_a_certificate_of_nobody_is_noted_and_no_matter(tmp_path):
    with site({"/": html(HOME)}, tls=certificate(tmp_path)) as (url, _):
        found = answer(App(url=f"{url}/"), tmp_path, quick=False)

    assert (found.status, found.error) == (200, "")
    assert found.certificate.startswith("not verified")


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"chain": []', b"x" * 300_000],
    ids=["empty", "no fields", "list", "cut", "large"],
)
def test_an_answer_of_another_shape_is_an_error(tmp_path, content):
    (tmp_path / "answer.json").write_bytes(content)

    with pytest.raises(ConversionError, match="left no good answer"):
        read_answer(Outputs({answer_of("before"): tmp_path / "answer.json"}), "before")


def test_an_answer_with_more_in_it_is_an_error(tmp_path):
    outputs = probed(App(url=f"http://127.0.0.1:{closed_port()}/"), tmp_path)
    path = outputs[answer_of("before")]
    path.write_text(json.dumps({**json.loads(path.read_text()), "more": 1}))

    with pytest.raises(ConversionError):
        read_answer(outputs, "before")


def test_an_answer_that_says_nothing_is_an_error(tmp_path):
    outputs = probed(App(url=f"http://127.0.0.1:{closed_port()}/"), tmp_path)
    path = outputs[answer_of("before")]
    path.write_text(json.dumps({**json.loads(path.read_text()), "error": ""}))

    with pytest.raises(ConversionError, match="neither"):
        read_answer(outputs, "before")


def test_a_missing_answer_is_an_error():
    with pytest.raises(ConversionError, match="no answer"):
        read_answer(Outputs({}), "after")


def test_the_probe_runs_on_old_pythons():
    text = files("scanrun.web").joinpath("asking.py").read_text()

    tree = ast.parse(text, feature_version=(3, 8))
    imported = {
        each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names
    }
    assert "from __future__ import annotations" in text  # none of them is looked at when it runs
    assert not any(name.startswith("scanrun") for name in imported)


def test_a_probe_stands_where_the_scanner_does():
    step = probe_step(App(url="http://app:8080/"), "after", image="tool:1")

    assert (step.role, step.image, step.executable) == (Role.PROBE, "tool:1", "python3")
    assert step.source is None
    assert not step.network
    assert step.outputs == ("/probe-after/answer.json",)
