import pytest
from crawling_kit import APP, Crawler, engine
from pipeline_kit import Tool

from scanrun.cli import plan_view
from scanrun.sarif.mask import Masker

CLEAN = b'{"findings": []}'
ELSEWHERE = {"app.url": "http://127.0.0.1:8000/shop", "app.allowed_targets": ("127.0.0.1:8000",)}


@pytest.fixture
def shown(scan):
    """Return a function that shows the plan of a scanner on an application."""

    def call(flags, *scanners, **more):
        memory = engine(**more)
        plan = scan(*(scanners or (Crawler("dast"),)), engine=memory, flags=flags, dry=True)
        return "\n".join(plan_view.lines(plan, Masker()))

    return call


def test_an_application_is_told_with_its_fence_its_proof_and_who_scans_it(shown):
    text = shown(APP | {"app.title": "Parcels"})

    assert (
        "app     image python:3.11-slim, port 8080, private network, 1024 MB; for dast\n"
        "        proof: GET http://app:8080/ answers 200, titled 'Parcels', before and after each"
    ) in text
    assert "    service app: python:3.11-slim, 1024 MB" in text


def test_a_build_is_told_as_one(shown):
    text = shown({"app.dockerfile": "Dockerfile", "app.port": 80})

    assert "app     built from Dockerfile, port 80, private network" in text


def test_a_way_out_is_told(shown):
    text = shown(APP | {"app.network": "open"})

    assert "port 8080, with a way out" in text
    assert "note    the application has a way out of its network" in text


def test_an_application_elsewhere_is_reached_through_a_relay(shown):
    text = shown(ELSEWHERE)

    assert (
        "app     http://127.0.0.1:8000/shop through a relay that reaches 127.0.0.1:8000 alone"
        in text
    )
    assert "service app: relay to 127.0.0.1:8000 in python:3.11-slim, 128 MB" in text


def test_on_this_host_nothing_is_fenced(shown):
    text = shown(ELSEWHERE, runs="executable")

    assert "nothing is fenced" in text
    assert "note    dast runs on this host, where nothing is fenced" in text


def test_an_application_of_a_container_can_not_be_had_on_this_host(shown):
    text = shown(APP, runs="executable")

    assert "! dast: unavailable: the application is started in a container" in text
    assert "for no scanner of this run" in text


def test_without_an_application_there_is_no_line(shown):
    assert "\napp " not in shown({}, Tool("tool"))


def test_the_plan_for_programs_has_it_too(scan):
    plan = scan(Crawler("dast"), engine=engine(), flags=APP, dry=True)

    assert plan_view.as_json(plan, Masker())["application"] == {
        "url": "http://app:8080/",
        "what": "image python:3.11-slim, port 8080, private network, 1024 MB",
        "proof": "GET http://app:8080/ answers 200, before and after each scan",
        "open": False,
        "scanners": ["dast"],
    }
