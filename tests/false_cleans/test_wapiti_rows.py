"""The real wapiti on this machine, against sites of loopback."""

import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from odd_sites import FINE, GOOD, HOME, HTML, serving
from real_tools import scan

pytestmark = pytest.mark.lab

NAME = "wapiti"
TOKEN = "made-up-" + "value-17"


def everywhere(status, body=b"no", kind="text/html"):
    return {"*": (status, GOOD | {"Content-Type": kind}, body)}


def moved(where, status=302):
    return (status, GOOD | {"Location": where}, b"")


def with_page(page):
    return FINE | {"/": (200, GOOD, HOME + b"<a href=/x>x</a>"), "/x": page}


CODES = {
    "wapiti-5-04": (everywhere(200, b"plain", "text/plain"), "2 are due"),
    "wapiti-5-04f": (
        {"/": (200, GOOD, b"<script src=/app.js></script>"), "/app.js": (200, GOOD, b"1")},
        "2 are due",
    ),
    "wapiti-5-04a": (everywhere(401), "answers 401, and 200 is due"),
    "wapiti-5-04c": (everywhere(404), "answers 404, and 200 is due"),
    "wapiti-5-04d": (everywhere(500), "answers 500, and 200 is due"),
    "wapiti-5-04e": (everywhere(200, b""), "is empty"),
    "wapiti-5-05": ({"*": lambda target: moved(target + "x")}, "sends on and on"),
    "wapiti-5-06": (
        {"*": moved("/login"), "/login": (200, GOOD, b"<input type=password>")},
        "a login wall",
    ),
    "wapiti-5-06b": (FINE | {"/": moved("/home"), "/home": (200, GOOD, HOME)}, "answers 302"),
    "wapiti-5-14": (with_page((200, GOOD, b"x" * 3_000_000)), "did not look at"),
}
"""Row -> site, and what the verdict says of it."""
ARGUMENTS = {
    "wapiti-5-09": (("-m", "bogus"), "a module that was asked for does not exist"),
    "wapiti-5-10": (("-m", ""), "did not launch: cookieflags, csp, http_headers"),
    "wapiti-5-11": (("-u", "127.0.0.1"), "left no '/out/wapiti.json'"),
    "wapiti-5-12": (("-o", "/nowhere/at/all.json"), "exit code 1"),
    "wapiti-5-15": (("--skip-crawl",), "no page that it saw"),
    "wapiti-5-16": (("-v", "0"), "came to its end"),
}


@pytest.fixture(scope="module")
def run(lab, tmp_path_factory):
    """Give a function that scans a site with the lab's wapiti; `program`: one of the test's own."""

    def scan_site(host, *words, options="", app="", scheme="http", program="", env=None):
        folder = tmp_path_factory.mktemp("run")
        tree = folder / "tree"
        tree.mkdir()
        table = (
            f'[app]\nurl = "{scheme}://{host}/"\nallowed_targets = ["{host}"]\n{app}\n'
            f"[scanner.wapiti]\nargs = {list(words)}\n{options}\n"
        )
        path = f"{program or lab['wapiti']}{os.pathsep}{os.environ['PATH']}"
        return scan(NAME, tree, folder, table=table, env={"PATH": path, **(env or {})})

    return scan_site


@pytest.fixture(scope="module")
def fine():
    with serving(FINE) as site:
        yield site


@contextmanager
def closed_port():
    with socket.socket() as held:  # bound and not listening: nobody else gets it meanwhile
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="module")
def whole(run, fine):
    return run(fine.host)


def test_a_clean_application_stays_complete(whole):
    assert whole.complete, whole.said
    assert whole.scanner["evidence"]["reached"]["pages"] == 4
    assert {rule for rule, _ in whole.results} == {"content-security-policy-configuration"}


def test_second_scan_does_not_go_on_where_the_first_ended(run, fine, whole):
    assert whole.complete
    fine.asked.clear()

    done = run(fine.host)

    assert done.complete, done.said
    assert {path for _, path, _ in fine.asked} == {"/", "/a", "/a?q=1", "/b/"}


@pytest.mark.parametrize("row", CODES)
def test_application_that_wapiti_did_not_see_is_incomplete(run, row):
    pages, words = CODES[row]
    with serving(pages) as site:
        done = run(site.host)

    assert (done.code, done.complete) == (3, False)
    assert words in done.reason


def test_port_that_nobody_listens_at_is_incomplete(run):
    with closed_port() as port:
        done = run(f"127.0.0.1:{port}")

    assert (done.code, done.complete) == (3, False)
    assert "refuses connections" in done.reason


def test_name_that_nobody_knows_is_incomplete(run):
    done = run("nobody.invalid:80")

    assert (done.code, done.complete) == (3, False)
    assert "a name that is not known" in done.reason


def test_plain_port_that_is_asked_for_tls_is_incomplete(run, fine):
    done = run(fine.host, scheme="https")

    assert (done.code, done.complete) == (3, False)
    assert "TLS" in done.reason


def test_redirect_to_another_host_is_incomplete_and_the_host_is_never_asked(run):
    with ExitStack() as sites:
        other = sites.enter_context(serving({"*": (200, HTML, HOME)}))
        at_root = sites.enter_context(serving({"*": moved(f"http://{other.host}/")}))
        done = run(at_root.host)

    assert (done.code, done.complete) == (3, False)
    assert f"to http://{other.host}/" in done.reason
    assert other.asked == []


def test_redirect_in_mid_scan_is_incomplete_and_the_host_is_never_asked(run):
    """The probe still sees the page: what comes later is wapiti's own to notice."""
    with ExitStack() as sites:
        other = sites.enter_context(serving({"*": (200, HTML, HOME)}))

        def pages(site):
            def root(_):
                asked = sum(path == "/" for _, path, _ in site.asked)
                # the probe's, the crawl's and cookieflags' nothing; then csp, which follows
                return (200, HTML, HOME) if asked < 3 else moved(f"http://{other.host}/")

            return FINE | {"/": root}

        site = sites.enter_context(serving(pages))
        done = run(site.host)

    assert (done.code, done.complete) == (3, False)
    assert "somebody else's host, and kept off" in done.reason
    assert other.asked == []


def test_page_that_is_never_answered_is_incomplete(run):
    with serving(lambda site: with_page(site.silent)) as site:
        done = run(site.host, options="crawl_time = 2")

    assert (done.code, done.complete) == (3, False)
    assert "the crawl was broken off" in done.reason


def test_crawl_that_is_broken_off_is_incomplete(run):
    def page(target):
        time.sleep(0.2)
        number = int(target.rpartition("=")[2]) if "=" in target else 0
        return (200, GOOD, f"<a href='/p{number + 1}?n={number + 1}'>next</a>".encode())

    with serving({"*": page}) as site:
        done = run(site.host, options="crawl_time = 2")

    assert (done.code, done.complete) == (3, False)
    assert "the crawl was broken off" in done.reason


@pytest.mark.parametrize("row", ARGUMENTS)
def test_arguments_that_take_the_scan_away_are_incomplete(run, fine, row):
    words, said = ARGUMENTS[row]

    done = run(fine.host, *words)

    assert (done.code, done.complete) == (3, False)
    assert said in done.reason


@pytest.mark.parametrize(
    ("number", "words"),
    [
        pytest.param(signal.SIGTERM, "exit code -15", id="wapiti-5-17"),
        pytest.param(signal.SIGINT, "somebody broke it off", id="wapiti-5-18"),
    ],
)
def test_wapiti_that_somebody_ends_is_incomplete(run, number, words):
    """It is ended while a page keeps it waiting; after SIGINT it ends with 0, and a report."""

    def pages(site):
        def page(target):
            if "attack" in target or site.ended.is_set():
                return (200, GOOD, HOME)
            waiting.set()
            return site.slow(target)

        return with_page(page)

    waiting = threading.Event()
    with serving(pages) as site:
        thread = threading.Thread(target=_end, args=(waiting, site.host, number))
        thread.start()
        done = run(site.host)
        thread.join()

    assert (done.code, done.complete) == (3, False)
    assert words in done.reason


def _end(waiting, host, number):
    """Send the signal to the wapiti that scans this host, and to no other process."""
    assert waiting.wait(60)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"http://{host}/".encode() in words and any(w.endswith(b"/wapiti") for w in words):
            os.kill(int(process.name), number)


def test_nobody_else_is_called_by_attacks_and_the_header_stands_in_no_arguments(run):
    shown = []

    def pages(site):
        def note(_):
            found = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True)
            shown.append(found.stdout)
            return (200, HTML, HOME)

        return FINE | {"/b/": note}

    with serving(pages) as site:
        app = '[app.sign_in]\nheader = "X-Token"\nsecret = "APP_TOKEN"'
        done = run(site.host, options="active = true", app=app, env={"APP_TOKEN": TOKEN})

    assert done.complete, done.said
    assert "kept from" not in done.said
    headers = [
        {name.lower(): value for name, value in headers.items()} for _, _, headers in site.asked
    ]
    assert {each.get("x-token") for each in headers} == {TOKEN}
    assert not any("wapiti3" in path for _, path, _ in site.asked)
    assert shown
    assert TOKEN.encode() not in b"".join(shown)
    assert TOKEN not in done.said


def test_redirect_that_a_parameter_chooses_breaks_modules_off_and_is_incomplete(run):
    def go(target):
        return moved(parse_qs(urlsplit(target).query).get("to", ["/"])[0])

    page = HOME + b"<a href='/go?to=/a'>go</a>"
    with serving(FINE | {"/": (200, GOOD, page), "/go": go}) as site:
        done = run(site.host, options="active = true")

    assert not done.complete
    assert "requests of modules got no answer" in done.reason
    assert ("open-redirect", f"{site.host}/go") in done.results


def test_program_that_only_calls_wapiti_is_not_believed(run, lab, fine, tmp_path):
    script = tmp_path / "wapiti"
    script.write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec "{lab["wapiti"]}/wapiti" "$@"\n')
    script.chmod(0o755)

    done = run(fine.host, program=str(tmp_path))

    assert (done.code, done.complete) == (3, False)
    assert "not started through scanrun's own launcher" in done.reason
