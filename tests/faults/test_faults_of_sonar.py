"""What goes wrong between a scan and its SonarQube server, for real. Each takes a minute."""

import time
from contextlib import closing

import docker
import pytest
from harness import left_behind
from sonar_kit import Project, Tree

pytestmark = [pytest.mark.docker, pytest.mark.lab, pytest.mark.slow_fault]

WARM = {"server_image": "scanrun-lab/sonarqube-warm:26.9", "project_key": "demo"}


@pytest.fixture
def shop(tmp_path):
    made = Tree(tmp_path)
    made.config(WARM)
    return made


def kill_server(run_id):
    """Kill the server of a run; return whether there was one."""
    with closing(docker.from_env()) as client:
        filters = {"label": f"scanrun.run={run_id}", "name": "sonarqube"}
        for container in client.containers.list(filters=filters):
            container.kill()
            return True
    return False


def run_of(said):
    return said.partition("· run ")[2].split()[0]


@pytest.mark.parametrize(
    ("moment", "pause"), [("starting sonarqube", 5), ("sonar: running", 6), ("sonar: read", 0)]
)
def test_sonar_server_killed_at_any_time_costs_its_own_scanner(shop, moment, pause):
    process = shop.start("--sonar", "ephemeral")
    said = shop.until(process, moment)
    time.sleep(pause)

    assert kill_server(run_of(said))
    done = shop.finish(process)

    assert done.code == 3, done.shown
    assert "service 'sonarqube' ended: 'sonarqube' ended with exit code 137" in done.shown
    assert "Traceback" not in done.shown
    assert done.of("good")["status"] == "completed"
    assert left_behind(done.verdict["run_id"]) == []


def test_sonar_scanner_out_of_memory_is_told(shop, warm_sonar):
    project = Project(warm_sonar)
    options = {"host_url": warm_sonar.inside, "project_key": project.key, "memory": "200m"}
    shop.config(options, token=project.token())

    done = shop.scan()

    assert done.code == 3, done.shown
    assert "killed for its memory" in done.shown
    assert done.of("good")["status"] == "completed"


def test_two_analyses_of_one_sonar_project_at_once_are_never_taken_for_each_other(
    tmp_path_factory, warm_sonar
):
    project, running = Project(warm_sonar), []
    for name in ("one", "two"):
        tree = Tree(tmp_path_factory.mktemp(name))
        options = {"host_url": warm_sonar.inside, "project_key": project.key}
        tree.config(options, token=project.token())
        running.append((tree, tree.start()))

    ended = [tree.finish(process) for tree, process in running]

    told = "another analysis of the "
    for done in ended:
        assert done.of()["status"] == "completed" or told in done.shown, done.shown
        assert done.code in {1, 3}
    assert any(done.of()["status"] == "completed" for done in ended)


def test_kept_sonar_server_of_another_edition_is_replaced(shop, tmp_path):
    with closing(docker.from_env()) as client:
        made = client.containers.create(WARM["server_image"])
        other = made.commit("scanrun-test-other-sonarqube", "1", changes="ENV OTHER=1")
        made.remove(v=True)
        try:
            shop.config({**WARM, "server_image": "scanrun-test-other-sonarqube:1"})
            first = shop.scan("--sonar", "keep")
            old = client.containers.get("scanrun-kept-sonarqube").id
            shop.config(WARM)
            second = shop.scan("--sonar", "keep")

            assert [first.code, second.code] == [1, 1], first.shown + second.shown
            assert client.containers.get("scanrun-kept-sonarqube").id != old
            assert old not in {each.id for each in client.containers.list(all=True)}
        finally:
            shop.clear()
            client.images.remove(other.id, force=True)
