import datetime as dt

import pytest

from scanrun.config import Waiver
from scanrun.errors import ConfigError

DAY = dt.date(2030, 1, 31)


def test_a_waiver_ends_with_the_beginning_of_the_day_it_names():
    waiver = Waiver(id="X", reason="r", expires=DAY)

    assert not waiver.expired(DAY - dt.timedelta(days=1))
    assert waiver.expired(DAY)


def test_the_last_thirty_days_are_its_end():
    waiver = Waiver(id="X", reason="r", expires=DAY)

    assert not waiver.ends_soon(DAY - dt.timedelta(days=31))
    assert waiver.ends_soon(DAY - dt.timedelta(days=30))
    assert not waiver.ends_soon(DAY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('id = "X"', "toml:1: waiver[0].reason is missing"),
        ('id = "X"\nreason = " "', "toml:3: waiver[0].reason: it must not be empty"),
        ('reason = "r"', "waiver[0]: a waiver has either an id or a fingerprint"),
        ('id = "X"\nfingerprint = "y"\nreason = "r"', "exactly one of them"),
        ('id = "X"\nreason = "r"\nexpires = "soon"', "'soon' is no date; write 2030-01-31"),
        ('id = "X"\nreason = "r"\nexpires = 2030-01-31T00:00:00', "is no date"),
        ('id = "X"\nreason = "r"\nexpires = 20300131', "20300131 is no date"),
        ('id = "X"\nreason = "r"\nexpires = "2030-02-31"', "day is out of range"),
        ('id = "X"\nreason = "r"\nexpire = 2030-01-31', "unknown key 'expire' in waiver[0]"),
        ('id = "*"\nreason = "r\\u001b[2J"', "it has control characters in it"),
    ],
)
def test_a_malformed_waiver_is_an_error_not_a_waiver(load, text, message):
    with pytest.raises(ConfigError) as caught:
        load(f"[[waiver]]\n{text}\n")

    assert message in str(caught.value)


def test_the_date_may_be_text(load):
    text = '[[waiver]]\nid = "X"\nreason = "r"\nexpires = "2030-01-31"\n'

    assert load(text).settings.waiver[0].expires == DAY
