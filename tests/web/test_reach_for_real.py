"""An application and a scanner of it in containers, both on a plain Python image."""

import pytest
from crawling_kit import IMAGE, Crawler
from probing_kit import site

from scanrun_plugins.engines.docker import DockerEngine

pytestmark = [pytest.mark.docker, pytest.mark.lab]

APP = """
import http.server, os, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(7)
        body = b"<title>Parcels</title><a href=/one>one</a>"
        status = 200 if self.headers.get("X-Token") == "sesame" else 401
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
CRAWL = """
import urllib.error, urllib.request
for path in {paths}:
    try:
        urllib.request.urlopen("{base}" + path, timeout=20)
    except (OSError, urllib.error.HTTPError):
        pass
open("/out/report.json", "w").write('{{"findings": []}}')
"""


class Real(Crawler):
    ready = None
    paths = ("/", "/one")

    def steps(self, target):
        self.script = CRAWL.format(paths=self.paths, base=target.app.origin)
        return super().steps(target)


@pytest.fixture
def run(scan):
    def start(scanner, **flags):
        app = (
            {}
            if "app.url" in flags
            else {
                "app.image": IMAGE,
                "app.port": 8080,
                "app.command": ("python3", "-c", APP),
                "app.title": "Parcels",
                "app.sign_in": {"header": "X-Token", "secret": "APP_TOKEN"},
            }
        )
        verdict = scan(
            scanner, engine=DockerEngine(), flags=app | flags, more={"APP_TOKEN": "sesame"}
        )
        return verdict.scanners[0]

    return start


def test_an_application_that_was_reached_is_proved(run):
    result = run(Real("dast"))

    assert (result.status, result.reason) == ("completed", "1 application")
    assert result.evidence.reached.before.startswith('200, "Parcels"')
    assert result.evidence.reached.after == result.evidence.reached.before
    assert {"starting app", "probe-before", "scan", "probe-after"} <= {
        each.name for each in result.phases
    }


def test_a_page_that_is_not_the_one_due_is_incomplete(run):
    result = run(Real("dast"), **{"app.title": "Invoices", "app.path": "/one"})

    assert result.status == "failed"
    assert "the title of http://app:8080/one is 'Parcels'" in result.reason


def test_an_application_that_ends_in_mid_scan_is_incomplete(run):
    class Deadly(Real):
        paths = ("/", "/die")

    result = run(Deadly("dast"))

    assert result.status == "failed"
    assert "'app' ended" in result.reason


def test_an_application_elsewhere_is_reached_through_the_relay(run):
    home = (200, {"Content-Type": "text/html"}, b"<title>Parcels</title>")
    with site({"/": home, "/one": home}) as (url, asked):
        target = url.partition("//")[2]
        result = run(Real("dast"), **{"app.url": f"{url}/", "app.allowed_targets": (target,)})

    assert (result.status, result.reason) == ("completed", "1 application")
    assert result.evidence.reached.url == f"http://app:{target.partition(':')[2]}/"
    # one that sees whether it is ready, the probe before, the scan, the probe after
    assert [path for path, _ in asked] == ["/", "/", "/", "/one", "/"]
