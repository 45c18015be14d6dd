"""How far a long update has come is told from what it prints."""

import threading

from scanrun.stages.update import followed


def test_last_whole_line_is_told_each_time_it_is_another(tmp_path):
    log, said, told = tmp_path / "step.log", [], threading.Event()

    def say(line):
        said.append(line)
        told.set()

    with followed(log, say, every_s=0.01):
        log.write_bytes(b"10 %\n20 \x1b[31m%\nhalf a li")
        assert told.wait(10)
        told.clear()
        with log.open("ab") as stream:
            stream.write(b"ne\n")
        assert told.wait(10)

    assert said == ["20 %", "half a line"]


def test_engine_that_writes_no_log_is_followed_in_silence(tmp_path):
    with followed(tmp_path / "step.log", lambda line: 1 / 0, every_s=0.01):
        threading.Event().wait(0.1)


def test_line_whose_beginning_is_out_of_reach_is_not_told_in_part(tmp_path):
    (tmp_path / "step.log").write_bytes(b"x" * 20_000 + b"-rest-of-a-secret\n")
    said = []

    with followed(tmp_path / "step.log", said.append, every_s=0.01):
        threading.Event().wait(0.1)

    assert said == []


def test_line_is_handed_on_whole_for_its_secrets_to_be_masked_before_it_is_cut(tmp_path):
    (tmp_path / "step.log").write_bytes(b"a" * 150 + b"-secret-that-crosses-the-width\n")
    said, told = [], threading.Event()

    with followed(
        tmp_path / "step.log", lambda line: (said.append(line), told.set()), every_s=0.01
    ):
        assert told.wait(10)

    assert said == ["a" * 150 + "-secret-that-crosses-the-width"]
