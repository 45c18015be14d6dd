import threading

import pytest

from scanrun.errors import InterruptedRunError, ScanError
from scanrun.stages.budget import Budget


@pytest.fixture
def cancel():
    return threading.Event()


def test_nobody_waits_where_there_is_enough(cancel):
    said = []
    budget = Budget(300)

    with (
        budget.taken(100, cancel=cancel, waiting=said.append),
        budget.taken(200, cancel=cancel, waiting=said.append),
    ):
        assert said == []


def test_who_needs_more_than_is_left_waits_and_says_so(cancel):
    budget, said, order = Budget(300), threading.Event(), []

    def second():
        with budget.taken(200, cancel=cancel, waiting=lambda _: said.set()):
            order.append("second")

    thread = threading.Thread(target=second)
    with budget.taken(200, cancel=cancel, waiting=lambda _: None):
        thread.start()
        assert said.wait(10)
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]


def test_who_asks_later_for_less_does_not_overtake(cancel):
    budget, waits, order = Budget(300), [threading.Event(), threading.Event()], []

    def take(number, amount):
        with budget.taken(amount, cancel=cancel, waiting=lambda _: waits[number].set()):
            order.append(number)

    threads = [threading.Thread(target=take, args=args) for args in ((0, 300), (1, 50))]
    with budget.taken(100, cancel=cancel, waiting=lambda _: None):
        for thread, waiting in zip(threads, waits, strict=True):
            thread.start()
            assert waiting.wait(10)
    for thread in threads:
        thread.join(10)

    assert order == [0, 1]


def test_more_than_there_is_in_all_is_an_error_at_once(cancel):
    with (
        pytest.raises(ScanError, match="needs 400 MB of memory, and there are 300 MB") as error,
        Budget(300).taken(400, cancel=cancel, waiting=lambda _: None),
    ):
        pass

    assert "--memory-budget" in error.value.hint


def test_cancelled_run_does_not_wait(cancel):
    budget = Budget(100)
    cancel.set()

    with (
        budget.taken(100, cancel=cancel, waiting=lambda _: None),
        pytest.raises(InterruptedRunError),
        budget.taken(1, cancel=cancel, waiting=lambda _: None),
    ):
        pass


def test_what_was_taken_is_given_back_after_an_error(cancel):
    budget = Budget(100)
    with pytest.raises(ZeroDivisionError), budget.taken(100, cancel=cancel, waiting=str):
        raise ZeroDivisionError

    with budget.taken(100, cancel=cancel, waiting=pytest.fail):
        pass


def test_without_a_total_nothing_is_counted(cancel):
    with Budget(None).taken(10**6, cancel=cancel, waiting=pytest.fail):
        pass
