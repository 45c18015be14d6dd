"""An application that can't be had, is another, or dies costs its own scanners, and nobody else."""

import pytest
from app_kit import TARGET
from applications import SCAN, changed_zap, config, elsewhere, end
from harness import assert_costs_only_itself
from probing_kit import site

pytestmark = [pytest.mark.docker, pytest.mark.lab]

TOKEN = "made-up-" + "value-29"
WRONG = "made-up-" + "value-30"
SIGN_IN = {"secret": "APP_TOKEN"}
SIGNED = {"env": {"MODE": "sign-in", "TOKEN": TOKEN}, "sign_in": SIGN_IN}
BUILT = {"image": None, "env": None, "dockerfile": "Dockerfile"}
COMPOSED = {"image": None, "env": None, "compose": "compose.yaml"}
COMPOSE = f"services:\n  web: {{image: '{TARGET}', privileged: true}}\n"
FAILING = f"FROM {TARGET}\nRUN echo no such package && exit 7\n"
NOT_THERE = {
    "build": ({"Dockerfile": FAILING}, BUILT, ("no such package",)),
    "base": (
        {"Dockerfile": "FROM registry.invalid/none:1\n"},
        BUILT,
        ("registry.invalid/none:1",),
    ),
    "compose-service": (
        {"compose.yaml": COMPOSE},
        {**COMPOSED, "service": "shop"},
        ("no service 'shop'",),
    ),
    "compose-refused": (
        {"compose.yaml": COMPOSE},
        {**COMPOSED, "service": "web"},
        ("privileged",),
    ),
    "seed": ({}, {"seed": ["cat", "/no/such/file"]}, ("the seed command", "exit code 1")),
    "command": ({}, {"command": ["/no/such/program"]}, ("/no/such/program",)),
    "text": ({}, {"text": "Our offers"}, ("Our offers",)),
    "title": ({}, {"title": "Shop"}, ("Clean", "Shop")),
    "secret": ({}, SIGNED, ("APP_TOKEN",)),
    "sign-in": ({}, SIGNED, ("401",)),
}
"""What lies in the tree, what is configured, what is said."""


SLOW = {"compose-service", "text"}
ROWS = [
    pytest.param(row, marks=[pytest.mark.slow_fault] if row in SLOW else []) for row in NOT_THERE
]


@pytest.mark.parametrize("row", ROWS)
def test_application_that_can_not_be_had_costs_only_its_scanners(program, monkeypatch, row):
    files, app, words = NOT_THERE[row]
    for name, text in files.items():
        (program.tree / name).write_text(text)
    if row == "sign-in":
        monkeypatch.setenv("APP_TOKEN", WRONG)

    done = program.run(config(**app), *SCAN)

    assert_costs_only_itself(done, *words, bad="zap")
    assert "  try: " in done.shown
    assert TOKEN not in done.shown
    assert WRONG not in done.shown


@pytest.mark.slow_fault
def test_application_that_takes_a_minute_to_start_is_waited_for(program):
    done = program.run(config("slow-start", env={"DELAY": "60"}), *SCAN)

    assert done.code == 0, done.shown
    assert done.status == {"good": "completed", "zap": "completed"}


@pytest.mark.slow_fault
@pytest.mark.parametrize("deed", ["exit", "restart", "oom", "oom-child", "pids"])
def test_application_that_goes_wrong_in_mid_scan_costs_only_its_scanners(program, deed):
    dying = config(env={"THEN": deed, "AFTER": "2"}, memory="256m")

    done = program.run(dying, *SCAN)

    assert_costs_only_itself(done, bad="zap")


@pytest.mark.parametrize("name", ["zap", "app"])
def test_container_that_is_killed_in_mid_scan_costs_its_scanner(program, name):
    process = program.start(config(replay="hang"), *SCAN, until="zap: running")

    end(program.run_id, name)
    done = program.finish(process)

    assert_costs_only_itself(done, "137", bad="zap")


FORKING = "import os, time\nwhile True:\n    os.fork() or time.sleep(60)\n"


def test_dast_that_is_out_of_processes_costs_only_itself(program):
    with changed_zap(FORKING) as image:
        done = program.run(config(options={"image": image}), *SCAN)

    assert_costs_only_itself(done, bad="zap")


@pytest.mark.slow_fault
def test_dast_that_prints_without_end_costs_only_itself(program):
    done = program.run(config(replay="huge-output"), *SCAN)

    assert_costs_only_itself(done, "printed more than 64 MB", bad="zap")


def page(*links):
    body = "<title>Site</title>" + "".join(f'<a href="{link}">more</a>' for link in links)
    return (200, {"Content-Type": "text/html"}, body.encode())


def ways_to(url):
    """Return addresses of a server on this host, as an application may name it."""
    port = url.rpartition(":")[2]
    return [f"http://{host}:{port}/" for host in ("127.0.0.1", "localhost", "app")]


def test_other_server_that_an_application_links_to_is_never_asked(program):
    with site({"/": page()}) as (other, asked_elsewhere):
        pages = {"/": page(*ways_to(other), "/one", "/two"), "/one": page(), "/two": page()}
        with site(pages) as (url, asked):
            done = program.run(elsewhere(url), *SCAN)

    assert done.status["zap"] == "completed", done.shown
    assert set(pages) <= {path for path, _ in asked}
    assert asked_elsewhere == []


@pytest.mark.parametrize("way", range(3))
def test_other_server_that_an_application_sends_on_to_is_never_asked(program, way):
    with site({"/": page()}) as (other, asked_elsewhere):
        there = {"Location": ways_to(other)[way]}
        with site({"/": (302, there, b""), "/ready": page()}) as (url, asked):
            done = program.run(elsewhere(url, health="/ready"), *SCAN)

    assert_costs_only_itself(done, "302", bad="zap")
    assert {path for path, _ in asked} == {"/", "/ready"}
    assert asked_elsewhere == []


def test_application_elsewhere_that_vanishes_in_mid_scan_is_incomplete(program):
    with site({"/": page("/one"), "/one": page()}) as (url, _):
        process = program.start(elsewhere(url, replay="hang"), *SCAN, until="zap: running")
    # the watch asks every few seconds, and has to be refused more than once
    done = program.finish(process)

    assert_costs_only_itself(done, "did not answer between", bad="zap")
