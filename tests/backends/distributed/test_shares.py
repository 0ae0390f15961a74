"""Which process computes what, and how answers are joined."""

from __future__ import annotations

import pickle
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.backends.distributed.shares import Outcome, attempt, first_failure, joined, shares
from crucible.backends.records import ForwardBackwardOutput
from crucible.errors import BackendError, DataError


@settings(max_examples=40)
@given(st.lists(st.integers(1, 200), max_size=40), st.integers(1, 9))
def test_every_datum_is_computed_once(sizes: list[int], count: int) -> None:
    """By one process each, in the order of the data; process 0 has something wherever there is something."""
    found = shares(sizes, count)
    assert len(found) == count
    assert sorted(number for share in found for number in share) == list(range(len(sizes)))
    assert all(share == sorted(share) for share in found)
    assert bool(found[0]) == bool(sizes)


def test_shares_have_about_as_much_to_do() -> None:
    """Tokens count, not data: the long one stands against the short ones."""
    assert shares([10, 1, 1, 1, 1, 6], 2) == [[0], [1, 2, 3, 4, 5]]
    assert shares([5], 3) == [[0], [], []]


def test_answers_are_joined_in_the_order_of_the_data() -> None:
    """Losses and `:sum` metrics add up, `:max` is the largest, anything else a mean of tokens; soft lists may lack."""
    first = ForwardBackwardOutput(
        1.5, [[-1.0], [-3.0]], {"loss:sum": 1.5, "weighted_tokens:sum": 3.0, "a:max": 1.0, "ratio": 1.0}
    )
    second = ForwardBackwardOutput(
        0.5, [[None]], {"loss:sum": 0.5, "weighted_tokens:sum": 1.0, "a:max": 4.0, "ratio": 5.0}, [[[-0.5, -2.0]]]
    )
    whole = joined([[0, 2], [1], []], [first, second, None], 3)
    assert whole.loss == 2.0
    assert whole.logprobs == [[-1.0], [None], [-3.0]]
    assert whole.soft_logprobs == [[], [[-0.5, -2.0]], []]
    assert whole.metrics == {"loss:sum": 2.0, "weighted_tokens:sum": 4.0, "a:max": 4.0, "ratio": 2.0}


def test_the_leaders_own_error_comes_first() -> None:
    """As it is; that of another process says which one it was."""
    own, other = Outcome[int](error=DataError("own")), Outcome[int](error=DataError("other"), where="process 1 of 2")
    assert first_failure([own, other]) is own.error
    error = first_failure([Outcome(value=1), other])
    assert isinstance(error, BackendError)
    assert str(error) == "process 1 of 2: other"
    assert first_failure([Outcome(value=1)]) is None


def test_a_foreign_error_of_another_process_can_travel() -> None:
    """It becomes one of ours; the leader's is kept as it is, for whoever waits for it."""

    def fail() -> None:
        raise ZeroDivisionError("by zero")

    assert isinstance(attempt(fail).error, ZeroDivisionError)
    error = attempt(fail, "process 1 of 2").error
    assert isinstance(error, BackendError)
    assert "ZeroDivisionError: by zero" in str(error)


def test_every_error_of_another_process_can_travel() -> None:
    """Also one of ours that a stranger has derived: its words come, whatever it holds."""

    class OwnError(DataError):
        def __init__(self) -> None:
            super().__init__("own words")
            self.lock = threading.Lock()

    def fail() -> None:
        raise OwnError

    came = pickle.loads(pickle.dumps(attempt(fail, "process 1 of 2")))
    assert str(first_failure([Outcome(value=1), came])) == "process 1 of 2: own words"


def test_interruptions_are_not_answers() -> None:
    """Ctrl-C ends the process, not the request."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupt)
