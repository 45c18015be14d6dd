"""A run with an application that is interrupted, killed or loses its engine leaves nothing."""

import signal

import pytest
from app_kit import TARGET, zap_image
from applications import SCAN, config, elsewhere, wait_for
from harness import GOOD, HERE, LIMIT_S, assert_costs_only_itself, left_behind
from probing_kit import site

pytestmark = [pytest.mark.docker, pytest.mark.lab]

HANGS = {"replay": "hang"}
SILENT = {"env": {"THEN": "silent", "AFTER": "1"}, "health": "/about", "path": "/parcels"}
"""It is ready, and never answers who looks whether it is the application."""
MOMENTS = {
    "start": ("zap: starting app", {"mode": "never"}),
    "probe": ("zap: asking", SILENT),
    "scan": ("zap: running", HANGS),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_ends_a_run_with_an_application_at_any_time_and_leaves_nothing(program, moment):
    said, app = MOMENTS[moment]
    process = program.start(config(**app), *SCAN, until=said)

    process.send_signal(signal.SIGINT)
    done = program.finish(process)

    assert (done.code, done.verdict["status"]) == (130, "interrupted"), done.shown
    assert done.status == {"good": "completed", "zap": "failed"}
    assert "interrupted before the scan was complete" in done.shown
    assert "Traceback" not in done.shown
    assert left_behind(done.verdict["run_id"]) == []


BUILT = {
    "image": None,
    "env": None,
    "dockerfile": "Dockerfile",
}


@pytest.mark.parametrize("kind", ["built", "elsewhere"])
def test_application_of_a_killed_run_is_reaped_by_the_next(program, kind):
    (program.tree / "Dockerfile").write_text(f"FROM {TARGET}\nENV MODE=clean\n")
    with site({"/": (200, {"Content-Type": "text/html"}, b"<title>Site</title>")}) as (url, _):
        app = config(**HANGS, **BUILT) if kind == "built" else elsewhere(url, **HANGS)
        process = program.start(app, *SCAN, until="zap: running")
        run_id = program.run_id
        wait_for(run_id, "zap")
        process.send_signal(signal.SIGKILL)
        killed = program.finish(process)
    left = left_behind(run_id)

    after = program.run(GOOD, "scan", "good", "--engine", "docker")

    assert killed.verdict["status"] == "incomplete"
    assert len(left) >= 4, (
        left
    )  # application or relay, scanner, networks, or the image that was built
    assert after.code == 0, after.shown
    assert left_behind(run_id) == []


def test_two_runs_side_by_side_each_scan_their_own_application(program, tmp_path):
    neighbour = type(program)(program.tree, tmp_path / "neighbour.toml")
    beside = tmp_path / "beside"
    clean = program.start(config("clean", title="Clean"), *SCAN, until="")
    output = ("--output", beside)
    vuln = neighbour.start(config("vuln", title="Parcels"), *SCAN, *output, until="")

    of_clean = program.finish(clean)
    said = vuln.communicate(timeout=LIMIT_S)
    of_vuln = type(of_clean)(vuln.returncode, *said, beside)

    assert (of_clean.code, of_vuln.code) == (0, 0), of_clean.shown + of_vuln.shown
    assert of_clean.rules == {"KEPT"}
    assert len(of_vuln.rules) > 5
    for done in (of_clean, of_vuln):
        assert done.status == {"good": "completed", "zap": "completed"}
        assert left_behind(done.verdict["run_id"]) == []


@pytest.mark.slow_fault
def test_engine_that_ends_in_mid_scan_of_an_application_is_lost_and_the_application_reaped(
    program, own_engine
):
    own_engine.load(TARGET, zap_image("hang"))
    there = {"DOCKER_HOST": own_engine.host}
    scan = ("scan", "bandit,zap", "--engine", "docker")
    process = program.start(config(**HANGS, more=HERE), *scan, until="zap: running", **there)
    run_id = program.run_id
    wait_for(run_id, "zap", own_engine.host)
    own_engine.kill()

    done = program.finish(process)
    own_engine.start()
    left = left_behind(run_id, own_engine.host)
    after = program.run(GOOD, "scan", "good", "--engine", "docker", **there)

    assert left
    assert after.code == 0, after.shown
    assert_costs_only_itself(done, bad="zap", kept="bandit", rule="B602", host=own_engine.host)
