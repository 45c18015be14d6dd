"""Podman instead of Docker: the same scans, and the same faults come to the same."""

import pytest
from harness import (
    GOOD,
    HERE,
    QUOTED,
    assert_costs_only_itself,
    hung,
    left_behind,
    shell,
    table,
    wait_for_container,
)

pytestmark = [pytest.mark.docker, pytest.mark.lab]


def test_scanner_on_podman_reads_the_copy_and_its_report_is_kept(program, podman):
    (program.tree / "folder").mkdir()
    (program.tree / "folder" / "a").write_text("what it reads")
    line = (
        "test $(id -u) != 0 && test \"$(cat /src/folder/a)\" = 'what it reads' && ! touch /src/x"
        f" && ! touch /x && touch /tmp/x && mkdir /out/more && {QUOTED} > /out/report.sarif"
    )

    done = program.run(
        shell("good", line), "scan", "good", "--engine", "docker", DOCKER_HOST=podman.host
    )

    assert done.code == 0, done.shown
    assert done.rules == {"KEPT"}
    assert "docker Podman " in done.err
    assert "a child killed for its memory is not told" in done.err
    assert left_behind(done.verdict["run_id"], podman.host) == []


BAD = {
    "hangs": (hung("hangs", timeout="3s"), "ran longer than 3 s"),
    "silent": (shell("silent", "true"), "left no"),
    "grows": (shell("grows", "x=a; while true; do x=$x$x$x; done", memory="64m"), "137"),
    "forks": (shell("forks", "for i in $(seq 300); do sleep 100 & done"), "can't fork"),
    "empty": (table("empty", "no-such-tool"), "No such file"),
    "prints": (shell("prints", "yes | head -c 100000000 >&2"), "printed more than 64 MB"),
}


def test_faults_of_scanners_on_podman_cost_only_themselves(program, podman):
    tables = GOOD + "".join(declared for declared, _ in BAD.values())
    names = ",".join(("good", *BAD))

    done = program.run(tables, "scan", names, "--engine", "docker", DOCKER_HOST=podman.host)

    for name, (_, word) in BAD.items():
        assert_costs_only_itself(done, word, bad=name, host=podman.host)


def test_podman_that_ends_in_mid_scan_is_lost_and_what_is_left_there_is_reaped(program, podman):
    scan = ("scan", "bandit,bad", "--engine", "docker")
    process = program.start(HERE + hung(), *scan, DOCKER_HOST=podman.host)
    wait_for_container(podman.host)
    podman.kill()

    done = program.finish(process)
    podman.start()
    left = left_behind(done.verdict["run_id"], podman.host)
    after = program.run(GOOD, "scan", "good", DOCKER_HOST=podman.host)

    assert left, "nothing to reap"
    assert after.code == 0, after.shown
    assert_costs_only_itself(done, kept="bandit", rule="B602", host=podman.host)
