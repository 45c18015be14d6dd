"""SonarQube servers of scanrun's own, for real: for one run, and kept for the next ones."""

import os
import signal
import stat
import time
from contextlib import closing

import docker
import pytest
from sonar_kit import Tree

pytestmark = [pytest.mark.docker, pytest.mark.lab]

KEPT = "scanrun-kept-sonarqube"
WARM = {"server_image": "scanrun-lab/sonarqube-warm:26.9", "project_key": "demo"}


@pytest.fixture(scope="module")
def client():
    with closing(docker.from_env()) as opened:
        yield opened


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path)
    made.config(WARM)
    return made


def left_behind(client, done):
    filters = {"label": f"scanrun.run={done.verdict['run_id']}"}
    return [
        *client.containers.list(all=True, filters=filters),
        *client.volumes.list(filters=filters),
        *client.networks.list(filters=filters),
    ]


def test_plan_shows_the_server_and_the_memory_that_it_takes(tree):
    done = tree.scan("--dry-run", "--sonar", "ephemeral")

    assert f"service sonarqube: {WARM['server_image']}, 2560 MB\n" in done.out
    assert "SONAR_TOKEN" not in done.shown


def test_too_little_memory_is_said_before_anything_starts(tree):
    done = tree.scan("--sonar", "ephemeral", "--memory-budget", "3g")

    assert done.code == 3, done.shown
    assert "it needs 4608 MB of memory, and there are 3072 MB" in done.of()["reason"]
    assert "raise --memory-budget" in done.shown
    assert "starting sonarqube" not in done.err
    assert done.of("good")["status"] == "completed"


def test_server_for_one_run_finds_warns_and_is_gone(tree, client):
    done = tree.scan("--sonar", "ephemeral")

    assert (done.code, done.of()["status"]) == (1, "completed"), done.shown
    assert done.of()["counts"] == {"high": 2}
    assert any("violations 2 is greater than 0" in each for each in done.verdict["told"])
    assert not any("hostedViewerUri" in each for each in done.results)
    assert left_behind(client, done) == []


def test_ctrl_c_while_the_server_starts_leaves_nothing(tree, client):
    process = tree.start("--sonar", "ephemeral")
    said = tree.until(process, "starting sonarqube")
    time.sleep(3)

    process.send_signal(signal.SIGINT)
    done = tree.finish(process)

    assert done.code == 130, said + done.shown
    assert left_behind(client, done) == []


@pytest.fixture(scope="module")
def dead(client):
    """Return an image whose Elasticsearch can't start."""
    image = client.containers.create(WARM["server_image"])
    changes = "ENV SONAR_SEARCH_JAVAADDITIONALOPTS=-XX:+NoSuchFlag"
    made = image.commit("scanrun-test-dead-sonarqube", "1", changes=changes)
    image.remove(v=True)
    yield "scanrun-test-dead-sonarqube:1"
    client.images.remove(made.id, force=True)


def test_server_that_dies_as_it_starts_is_seen_though_it_ends_with_0(tree, client, dead):
    tree.config({**WARM, "server_image": dead})

    done = tree.scan("--sonar", "ephemeral")

    assert done.code == 3, done.shown
    assert "ended with exit code 0" in done.of()["reason"]
    assert "exit value [ElasticSearch]" in done.shown
    assert done.of("good")["status"] == "completed"
    (log,) = (done.output / "raw" / "sonar").rglob("sonarqube.log")
    assert "Unrecognized VM option" in log.read_text()
    assert left_behind(client, done) == []


class Keeping:
    """A tree that is scanned again and again with a kept server."""

    def __init__(self, folder, client):
        self.tree, self.client = Tree(folder), client
        self.tree.config(WARM)

    def scan(self):
        done = self.tree.scan("--sonar", "keep")
        return done, self.container.id

    @property
    def container(self):
        return self.client.containers.get(KEPT)


@pytest.fixture(scope="module")
def keeping(client, tmp_path_factory):
    if client.containers.list(all=True, filters={"name": f"^{KEPT}$"}):
        why = "somebody's server is kept here: remove it with `scanrun cache clear`"
        pytest.fail(why) if os.environ.get("TEST_REQUIRE_ENGINE") else pytest.skip(why)
    made = Keeping(tmp_path_factory.mktemp("keeping"), client)
    yield made
    made.tree.clear()


@pytest.fixture(scope="module")
def kept(keeping):
    return keeping.scan(), keeping.scan()


def test_kept_server_is_found_again_by_the_next_scan(kept):
    (first, container), (second, again) = kept

    assert [first.code, second.code] == [1, 1], first.shown + second.shown
    assert container == again
    assert first.of()["counts"] == second.of()["counts"] == {"high": 2}


def test_password_of_a_kept_server_is_for_its_owner_only(kept, keeping):
    folder = keeping.tree.folder / "home" / "data" / "scanrun" / "servers"

    (path,) = folder.glob("sonarqube-*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_server_killed_in_mid_analysis_costs_its_own_scanner(kept, keeping, client):
    process = keeping.tree.start("--sonar", "keep")
    keeping.tree.until(process, "sonar: running")
    time.sleep(3)

    keeping.container.kill()
    done = keeping.tree.finish(process)

    assert done.code == 3, done.shown
    assert "service 'sonarqube' ended" in done.of()["reason"]
    assert done.of("good")["status"] == "completed"
    assert left_behind(client, done) == []


def test_clearing_the_cache_removes_a_kept_server_and_all_of_it(kept, keeping, client):
    assert keeping.container
    labelled = {"label": "scanrun.kept=sonarqube"}

    said = keeping.tree.clear()

    assert "sonarqube" in said
    assert client.containers.list(all=True, filters=labelled) == []
    assert client.volumes.list(filters=labelled) == []
    assert client.networks.list(filters=labelled) == []
