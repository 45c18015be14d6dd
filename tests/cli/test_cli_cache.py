import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from scanrun.cache import Cache
from scanrun.cli.app import run
from scanrun.cli.cache import Wanted, fetcher
from scanrun.errors import CacheError, StepError
from scanrun.model import Located
from scanrun.sarif.mask import Masker
from scanrun.testing import FakeEngine, Reply
from scanrun_plugins.scanners.trivy.command import TreeOptions
from scanrun_plugins.scanners.trivy.databases import vulnerability_database
from scanrun_plugins.scanners.trivy.tree import Trivy

pytestmark = pytest.mark.usefixtures("here")

NOW = datetime.now(UTC)
BOLT = bytes(16) + b"\xed\xda\x0c\xed" + bytes(4096)
TRIVY = """\
#!/bin/sh
case "$*" in
*--version*) echo "Version: 0.76.0"; exit 0;;
esac
while [ $# -gt 0 ]; do
    case $1 in
    --cache-dir) to=$2/db;;
    --db-repository) echo "$2" > "$STATED"; [ "$2" = bad ] && { echo "FATAL denied" >&2; exit 1; };;
    esac
    shift
done
mkdir -p "$to"
cp "$FROM"/* "$to"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in an empty tree."""
    tree = tmp_path / "tree"
    tree.mkdir()
    monkeypatch.chdir(tree)
    return tree


def database():
    return vulnerability_database(TreeOptions().model_dump())


def edition(folder, updated=NOW):
    folder.mkdir(parents=True)
    stamp = {
        "Version": 2,
        "UpdatedAt": updated.isoformat(),
        "NextUpdate": (updated + timedelta(days=1)).isoformat(),
    }
    (folder / "metadata.json").write_text(json.dumps(stamp))
    (folder / "trivy.db").write_bytes(BOLT)
    return folder


def held(tmp_path):
    cache = Cache.of(os.environ)
    cache.put(database(), edition(tmp_path / "edition"))
    return cache


def install_trivy(tmp_path, monkeypatch):
    """Put a program on PATH that hands out a database, as Trivy's download does."""
    programs = tmp_path / "bin"
    programs.mkdir()
    source, stated = edition(tmp_path / "upstream"), tmp_path / "stated"
    text = TRIVY.replace('"$FROM"', f"'{source}'").replace("$STATED", str(stated))
    (programs / "trivy").write_text(text)
    (programs / "trivy").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return stated


@pytest.fixture
def held_since(tmp_path, monkeypatch, capsys):
    """Return a function that asks the doctor about a database of some age."""
    install_trivy(tmp_path, monkeypatch)

    def ask(updated):
        Cache.of(os.environ).put(database(), edition(tmp_path / "edition", updated))
        code = run(["doctor", ".", "--engine", "local"])
        return code, capsys.readouterr().out.splitlines()

    return ask


def test_status_of_an_empty_cache_names_what_is_missing(capsys):
    assert run(["cache", "status"]) == 0
    assert capsys.readouterr().out.split() == [
        *("dependency-check-db-5.6", "absent"),
        *("trivy-db-2", "absent"),
    ]


def test_status_tells_age_size_format_and_next_update(tmp_path, capsys):
    held(tmp_path)

    assert run(["cache", "status"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.split()[:2] == ["trivy-db-2", "fresh"]
    for word in (" old", "4.", "kB", "format 2", "next update 20"):
        assert word in line


def test_status_as_json_is_for_programs(tmp_path, capsys):
    cache = held(tmp_path)

    assert run(["cache", "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(cache.root)
    row = found["databases"][-1]
    assert (row["name"], row["state"], row["version"]) == ("trivy-db-2", "fresh", "format 2")
    assert row["updated"] == NOW.isoformat(timespec="seconds")


def test_status_tells_damage(tmp_path, capsys):
    cache = held(tmp_path)
    (cache.current(database()).path / "trivy.db").write_bytes(b"")

    assert run(["cache", "status"]) == 0
    assert "damaged" in capsys.readouterr().out


def test_update_fetches_once_and_then_finds_it_fresh(tmp_path, monkeypatch, capsys):
    install_trivy(tmp_path, monkeypatch)

    assert run(["cache", "update", "--engine", "local"]) == 0
    assert "updated trivy-db-2" in capsys.readouterr().out
    assert run(["cache", "update", "--engine", "local"]) == 0
    assert "trivy-db-2 is fresh" in capsys.readouterr().out
    assert Cache.of(os.environ).current(database()) is not None


def test_update_passes_by_what_only_a_container_could_fetch(tmp_path, monkeypatch, capsys):
    install_trivy(tmp_path, monkeypatch)

    assert run(["cache", "update", "--engine", "local"]) == 0
    assert "dependency-check-db-5.6 can't be fetched on this engine" in capsys.readouterr().err
    assert run(["cache", "update", "dependency-check-db-5.6", "--engine", "local"]) == 3


def test_update_takes_the_repository_of_the_configuration(here, tmp_path, monkeypatch):
    stated = install_trivy(tmp_path, monkeypatch)
    (here / "mine.toml").write_text('[scanner.trivy]\ndb_repository = "mirror.example/db:2"\n')

    command = ["cache", "update", "trivy-db-2", "--engine", "local", "--config", "mine.toml"]
    assert run(command) == 0
    assert stated.read_text().strip() == "mirror.example/db:2"


def test_a_failed_update_is_an_error_and_keeps_what_is_held(here, tmp_path, monkeypatch, capsys):
    install_trivy(tmp_path, monkeypatch)
    before = held(tmp_path).current(database())
    (here / "mine.toml").write_text('[scanner.trivy]\ndb_repository = "bad"\n')

    command = ["cache", "update", "--force", "--engine", "local", "--config", "mine.toml"]
    assert run(command) == 3
    said = capsys.readouterr().err
    kept = Cache.of(os.environ).root / "trivy-db-2.log"
    assert "exit code 1: FATAL denied" in said
    assert f"see {kept}" in said
    assert "FATAL denied" in kept.read_text()
    assert Cache.of(os.environ).current(database()) == before


def test_offline_refuses_the_network(capsys):
    assert run(["cache", "update", "--offline"]) == 2
    assert "offline" in capsys.readouterr().err


def test_a_database_that_nobody_has_is_a_mistake(capsys):
    assert run(["cache", "update", "trivy-db-1", "--engine", "local"]) == 2
    assert "trivy-db-2" in capsys.readouterr().err


def test_save_and_restore_carry_databases_to_another_machine(tmp_path, monkeypatch, capsys):
    held(tmp_path)
    assert run(["cache", "save", str(tmp_path / "usb")]) == 0
    monkeypatch.setenv("SCANRUN_CACHE_DIR", str(tmp_path / "other"))

    assert run(["cache", "restore", str(tmp_path / "usb")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "saved trivy-db-2"
    assert Cache(tmp_path / "other").current(database()).edition.updated == NOW


def test_restore_of_what_was_never_saved_is_incomplete_and_not_silent(tmp_path):
    assert run(["cache", "restore", str(tmp_path)]) == 3


def test_a_mistyped_folder_is_a_usage_error(tmp_path, capsys):
    assert run(["cache", "restore", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_clear_says_what_it_removes_and_which_engine_it_could_not_ask(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    cache = held(tmp_path)

    assert run(["cache", "clear"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "removed trivy-db-2"
    assert second.startswith("engine docker not cleared")
    assert cache.current(database()) is None


@pytest.mark.docker
@pytest.mark.lab
def test_the_real_download_works_without_the_public_registry(lab, tmp_path):
    config = tmp_path / "lab.toml"
    config.write_text(f'[scanner.trivy]\ndb_repository = "{lab["db_repository"]}"\n')

    code = run(["cache", "update", "trivy-db-2", "--engine", "docker", "--config", str(config)])

    assert code == 0
    assert Path(Cache.of(os.environ).current(database()).path, "trivy.db").is_file()


def test_failed_update_does_not_show_the_secret_that_its_step_has_printed(tmp_path):
    secret = "s3cr3t" + "-of-the-feed"
    reply = Reply(error=StepError(f"it ended; it said: key {secret}"))
    engine = FakeEngine({"trivy": reply})
    engines = SimpleNamespace(
        place=lambda step, choice: ("fake", Located("trivy")),
        session=lambda name: engine.open(None),
        settings=SimpleNamespace(scratch=tmp_path),
    )
    wanted = Wanted(Trivy(), database(), database().update, None, ())
    update = fetcher(Cache(tmp_path), engines, wanted, Masker([secret]))

    with pytest.raises(CacheError, match=r"key \*+$"):
        update(tmp_path)


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(hours=1), "ok       database trivy-db-2: 1 h old"),
        (timedelta(days=400), "is 400 d old, and"),
        (timedelta(days=-40), "newer than this clock"),
    ],
    ids=["fresh", "old", "future"],
)
def test_doctor_believes_no_database_that_a_scan_would_not_believe(here, held_since, age, said):
    (here / "package-lock.json").write_text('{"lockfileVersion": 3, "packages": {}}')

    code, told = held_since(NOW - age)

    (line,) = (each for each in told if "database trivy-db-2" in each)
    assert code == (0 if age == timedelta(hours=1) else 1)
    assert line.startswith("problem" if code else "ok")
    assert said in line
