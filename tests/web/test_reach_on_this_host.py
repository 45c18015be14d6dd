"""An application that runs already, and a scanner without a container: real requests."""

import pytest
from crawling_kit import APP, Crawler
from pipeline_kit import REPORT, Tool
from probing_kit import site

from scanrun.api import Step
from scanrun_plugins.engines.local import LocalEngine

HOME = (200, {"Content-Type": "text/html"}, b"<title>Parcels</title><a href='/one'>one</a>")
CRAWL = """
import urllib.request
urllib.request.urlopen({url!r}, timeout=20).read()
open("/out/report.json", "w").write('{{"findings": []}}')
"""


class Here(Crawler):
    """Asks for the page itself, once."""

    def __init__(self, url):
        super().__init__("dast")
        self.url = url

    @property
    def script(self):
        return CRAWL.format(url=self.url)


@pytest.fixture
def run(scan):
    def start(url, **flags):
        target = url.partition("//")[2]
        app = {"app.url": f"{url}/", "app.allowed_targets": (target,)}
        verdict = scan(Here(f"{url}/"), engine=LocalEngine(), flags=app | flags)
        return verdict, verdict.scanners[0]

    return start


def test_an_application_on_this_host_is_proved_and_told_to_be_unfenced(run):
    with site({"/": HOME}) as (url, asked):
        verdict, result = run(url)

    assert (result.status, result.reason) == ("completed", "1 application")
    assert [path for path, _ in asked] == ["/", "/", "/"]
    assert result.evidence.reached.url == f"{url}/"
    assert any("where nothing is fenced" in each for each in verdict.told)


def test_an_application_that_sends_on_elsewhere_gets_one_request_and_the_other_none(run):
    with site({"/": HOME}) as (other, elsewhere):
        sends_on = {"/": (302, {"Location": f"{other}/"}, b"")}
        with site(sends_on) as (url, asked):
            _, result = run(url)

    assert result.status == "failed"
    assert f"{url}/ answers 302 to {other}/" in result.reason
    assert f'[app] url = "{other}/"' in result.hint
    assert [path for path, _ in asked] == ["/"]
    assert elsewhere == []


def test_an_application_that_is_not_there_is_not_scanned(run):
    with site({}) as (url, _):
        pass

    _, result = run(url)

    assert result.status == "failed"
    assert "refuses connections" in result.reason
    assert [each.name for each in result.phases] == ["until it failed"]


class OfFiles(Tool):
    """Has nothing to do with the application."""

    def steps(self, target):
        script = "open('/out/report.json', 'w').write('{\"findings\": []}')"
        argv = ("-c", script)
        yield Step(executable="python3", entrypoint=("python3",), argv=argv, outputs=(REPORT,))


def test_scanner_of_files_runs_on_this_host_beside_an_application_in_a_container(scan):
    verdict = scan(OfFiles("files"), Crawler("dast"), engine=LocalEngine(), flags=APP)

    assert [(each.name, each.status) for each in verdict.scanners] == [
        ("files", "completed"),
        ("dast", "failed"),
    ], verdict.reason
