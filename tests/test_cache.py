import json
import multiprocessing
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from scanrun.cache import Cache
from scanrun.cache_copy import LIST, restore, save
from scanrun.errors import CacheError, ConversionError, InterruptedRunError
from scanrun.model import Database, Edition, Role, Step

DAY = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(folder):
    try:
        stamp = json.loads((folder / "stamp.json").read_text())
    except (OSError, ValueError) as error:
        raise ConversionError(str(error)) from error
    following = stamp.get("next")
    return Edition(
        datetime.fromisoformat(stamp["updated"]),
        datetime.fromisoformat(following) if following else None,
    )


DATABASE = Database(
    name="demo-1",
    title="demo database",
    update=Step(role=Role.UPDATE, outputs=("/db/",)),
    read=read,
)


def write(folder, updated=DAY, **more):
    stamp = {"updated": updated.isoformat(), **more}
    (folder / "stamp.json").write_text(json.dumps(stamp))


def settle(cache, hours=2):
    """Make the edition in force look as if it had been fetched `hours` ago."""
    pointer = cache.root / DATABASE.name / "current"
    then = time.time() - hours * 3600
    os.utime(pointer, (then, then))


def slow_update(root, downloads):
    def fetch(folder):
        with Path(downloads).open("a") as stream:
            stream.write("x")
        time.sleep(0.5)
        write(folder)

    Cache(Path(root)).update(DATABASE, fetch)


def endless_update(root, started):
    def fetch(folder):
        write(folder, updated=DAY + timedelta(days=9))
        started.set()
        time.sleep(60)

    Cache(Path(root)).update(DATABASE, fetch, force=True)


def test_an_empty_cache_holds_nothing_and_is_due(tmp_path):
    cache = Cache(tmp_path / "none")

    assert cache.current(DATABASE) is None
    assert cache.due(DATABASE, DAY)


def test_an_update_is_in_force_afterwards(tmp_path):
    cache = Cache(tmp_path)

    held = cache.update(DATABASE, write)

    assert held == cache.current(DATABASE)
    assert held.edition == Edition(DAY)
    assert held.size == (held.path / "stamp.json").stat().st_size


def test_an_edition_may_lie_in_a_folder_that_the_update_names(tmp_path):
    def fetch(folder):
        (folder / "log").write_text("noise")
        (folder / "db").mkdir()
        write(folder / "db")
        return folder / "db"

    held = Cache(tmp_path).update(DATABASE, fetch)

    assert [path.name for path in held.path.iterdir()] == ["stamp.json"]


def test_three_updaters_at_once_download_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    downloads = tmp_path / "downloads"
    processes = [
        spawn.Process(target=slow_update, args=(str(tmp_path / "c"), str(downloads)))
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert Cache(tmp_path / "c").current(DATABASE) is not None
    assert downloads.read_text() == "x"


def test_one_that_waits_takes_what_the_other_brought(tmp_path):
    cache = Cache(tmp_path)
    cache.update(DATABASE, write)
    settle(cache)

    def fetch(folder):
        write(folder, updated=datetime.now(UTC))

    first = cache.update(DATABASE, fetch)
    second = cache.update(DATABASE, lambda _folder: pytest.fail("fetched twice"))

    assert second == first


def test_a_killed_update_leaves_the_last_good_edition_and_no_lock(tmp_path):
    cache = Cache(tmp_path)
    before = cache.update(DATABASE, write)
    spawn = multiprocessing.get_context("spawn")
    started = spawn.Event()
    process = spawn.Process(target=endless_update, args=(str(tmp_path), started))
    process.start()
    assert started.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    assert cache.current(DATABASE) == before
    after = cache.update(DATABASE, write, force=True)
    assert after != before
    left = [path.name for path in (tmp_path / DATABASE.name).iterdir()]
    assert not [name for name in left if name.startswith("incoming-")]


def test_a_lock_that_nobody_lets_go_is_waited_for_no_longer_than_the_limit(tmp_path):
    lock = tmp_path / f"{DATABASE.name}.lock"

    with FileLock(lock), pytest.raises(CacheError, match=str(lock)) as caught:
        Cache(tmp_path).update(DATABASE, write, limit=0.3)

    assert "SCANRUN_CACHE_DIR" in caught.value.hint
    assert Cache(tmp_path).update(DATABASE, write).edition == Edition(DAY)


def test_waiting_for_another_update_ends_when_the_run_is_interrupted(tmp_path):
    cancel = threading.Event()
    cancel.set()

    with FileLock(tmp_path / f"{DATABASE.name}.lock"), pytest.raises(InterruptedRunError):
        Cache(tmp_path).update(DATABASE, write, cancel=cancel, limit=60)


def test_the_lock_is_free_after_an_update(tmp_path):
    Cache(tmp_path).update(DATABASE, write)

    with FileLock(tmp_path / f"{DATABASE.name}.lock", blocking=False) as lock:
        assert lock.is_locked


@pytest.mark.parametrize("fetched_hours_ago", [0, 2])
def test_an_edition_from_the_future_is_due_and_not_for_ever_fresh(tmp_path, fetched_hours_ago):
    cache, now = Cache(tmp_path), datetime.now(UTC)
    cache.update(DATABASE, lambda folder: write(folder, now + timedelta(days=900)))
    settle(cache, fetched_hours_ago)

    assert cache.due(DATABASE, now)
    assert cache.update(DATABASE, lambda folder: write(folder, now)).edition == Edition(now)


def test_an_update_that_brings_nonsense_changes_nothing(tmp_path):
    cache = Cache(tmp_path)
    before = cache.update(DATABASE, write)

    with pytest.raises(CacheError, match="no usable demo database"):
        cache.update(DATABASE, lambda folder: (folder / "x").write_text("x") and None, force=True)

    assert cache.current(DATABASE) == before


def test_an_edition_with_a_link_in_it_is_refused(tmp_path):
    def fetch(folder):
        write(folder)
        (folder / "trivy.db").symlink_to("/etc/hostname")

    with pytest.raises(CacheError, match="neither a file nor a folder"):
        Cache(tmp_path).update(DATABASE, fetch)


@pytest.mark.parametrize("pointer", ["", "../../etc", "20260102T030405000000-00000000", "\xff"])
def test_a_damaged_pointer_is_an_error_and_is_mended_by_an_update(tmp_path, pointer):
    cache = Cache(tmp_path)
    cache.update(DATABASE, write)
    (tmp_path / DATABASE.name / "current").write_text(pointer, encoding="latin-1")

    with pytest.raises(CacheError):
        cache.current(DATABASE)

    assert cache.due(DATABASE, DAY)
    assert cache.update(DATABASE, write) == cache.current(DATABASE)


def test_a_damaged_edition_is_an_error(tmp_path):
    cache = Cache(tmp_path)
    held = cache.update(DATABASE, write)
    (held.path / "stamp.json").write_text("{")

    with pytest.raises(CacheError, match="damaged"):
        cache.current(DATABASE)


@pytest.mark.parametrize(
    ("now", "following", "due"),
    [
        (DAY + timedelta(hours=23), None, False),
        (DAY + timedelta(hours=24), None, True),
        (DAY + timedelta(hours=23), DAY + timedelta(hours=6), True),
        (DAY + timedelta(hours=30), DAY + timedelta(hours=48), False),
    ],
    ids=["young", "old", "its own word: due", "its own word: not due"],
)
def test_an_editions_own_word_goes_before_the_age(tmp_path, now, following, due):
    cache = Cache(tmp_path)
    more = {"next": following.isoformat()} if following else {}
    cache.update(DATABASE, lambda folder: write(folder, **more))

    assert cache.due(DATABASE, now) is due


def test_an_edition_that_was_just_fetched_is_not_fetched_again(tmp_path):
    cache = Cache(tmp_path)
    cache.update(DATABASE, write)

    assert not cache.due(DATABASE, datetime.now(UTC))
    settle(cache)
    assert cache.due(DATABASE, datetime.now(UTC))


def test_a_reader_keeps_its_edition_through_one_update(tmp_path):
    cache = Cache(tmp_path)
    editions = [cache.update(DATABASE, write, force=True) for _ in range(3)]

    assert [held.path.is_dir() for held in editions] == [False, True, True]


def test_an_update_is_in_force_though_the_clock_was_ahead_before(tmp_path):
    cache = Cache(tmp_path)
    ahead = [cache.update(DATABASE, write, force=True).path for _ in range(2)]
    for path, name in zip(ahead, ("A1", "A2"), strict=True):
        path.rename(path.with_name(f"29990101T{'0' * 12}-0000000{name[1]}"))
    (tmp_path / DATABASE.name / "current").write_text(f"29990101T{'0' * 12}-00000002\n")

    held = [cache.update(DATABASE, write, force=True) for _ in range(2)]

    assert cache.current(DATABASE) == held[1]
    left = {each.name for each in held[0].path.parent.iterdir() if each.is_dir()}
    assert left == {each.path.name for each in held}


def test_a_name_can_not_leave_the_cache(tmp_path):
    outside = Database(name="../x", title="x", update=DATABASE.update, read=read)

    with pytest.raises(CacheError):
        Cache(tmp_path).update(outside, write)


def test_what_was_saved_can_be_restored_elsewhere(tmp_path):
    here, there = Cache(tmp_path / "here"), Cache(tmp_path / "there")
    here.update(DATABASE, write)

    saved = save(here, [DATABASE], tmp_path / "usb")
    restored = restore(there, [DATABASE], tmp_path / "usb")

    assert saved == ("demo-1",)
    assert restored["demo-1"].edition == Edition(DAY)
    assert there.current(DATABASE) == restored["demo-1"]


def test_nothing_is_saved_from_an_empty_cache(tmp_path):
    with pytest.raises(CacheError, match="empty"):
        save(Cache(tmp_path / "c"), [DATABASE], tmp_path / "usb")


def changed(folder):
    write(folder / "demo-1", updated=DAY + timedelta(days=900))


def linked(folder):
    (folder / "demo-1" / "stamp.json").unlink()
    (folder / "demo-1" / "stamp.json").symlink_to("/etc/hostname")


def piped(folder):
    (folder / "demo-1" / "stamp.json").unlink()
    os.mkfifo(folder / "demo-1" / "stamp.json")


def escaping(folder):
    text = (folder / LIST).read_text().replace('"stamp.json"', '"../../stamp.json"')
    (folder / LIST).write_text(text)


def unlisted(folder):
    (folder / LIST).unlink()


def garbled(folder):
    (folder / LIST).write_text("{")


def unknown(folder):
    (folder / LIST).write_text((folder / LIST).read_text().replace("demo-1", "other-1"))


@pytest.mark.parametrize("harm", [changed, linked, piped, escaping, unlisted, garbled, unknown])
def test_a_hostile_or_broken_save_is_refused(tmp_path, harm):
    here, there = Cache(tmp_path / "here"), Cache(tmp_path / "there")
    here.update(DATABASE, write)
    save(here, [DATABASE], tmp_path / "usb")
    harm(tmp_path / "usb")

    with pytest.raises(CacheError):
        restore(there, [DATABASE], tmp_path / "usb")

    assert there.current(DATABASE) is None


def test_clear_removes_every_database(tmp_path):
    cache = Cache(tmp_path)
    cache.update(DATABASE, write)

    assert cache.clear() == ("demo-1",)
    assert cache.current(DATABASE) is None
    assert cache.clear() == ()


def test_the_folder_can_be_named_in_the_environment(tmp_path):
    assert Cache.of({"SCANRUN_CACHE_DIR": str(tmp_path)}) == Cache(tmp_path)
    assert Cache.of({}).root.parts[-2:] == ("scanrun", "databases")
