"""The processes as one of them sees them, through real gloo in a team of one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import distributed

from crucible.backends import LocalBackend
from crucible.backends.distributed import spreading
from crucible.backends.distributed.place import Place
from crucible.backends.distributed.shared_adapter import SharedAdapter
from crucible.backends.distributed.shares import Outcome, attempt
from crucible.backends.distributed.team import Team
from crucible.errors import BackendError
from crucible.ir import LoraConfig
from crucible.text import Datum


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """A team of this process alone, which samplers and sessions take for theirs."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    made = Team(Place(), 20.0)
    monkeypatch.setattr(spreading, "_teams", [made])
    yield made
    distributed.destroy_process_group()


class HeldError(Exception):
    """An error that cannot travel: it has a lock, and its making takes two arguments."""

    def __init__(self, one: object, two: object) -> None:
        super().__init__(f"{one} {two}")
        self.lock = threading.Lock()


def test_the_leaders_answer_stays_what_it_is(team: Team) -> None:
    """It goes nowhere, so it need not be one that can travel; the very error that a loss raised comes out."""

    def fail() -> None:
        raise HeldError(1, 2)

    own = attempt(fail)
    with team.asking("idle"):
        (outcome,) = team.outcomes(own)
    assert outcome.error is own.error
    with team.asking("idle"):
        assert team.outcomes(Outcome(value=5))[0].value == 5
    assert team.failure is None


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, HeldError])
def test_a_request_that_is_broken_off_is_the_last(team: Team, kind: type[BaseException]) -> None:
    """The others wait for what comes next in it, so anything else that is sent would be taken for that."""
    error = kind(1, 2)
    with pytest.raises(kind), team.asking("sample"):
        raise error
    with pytest.raises(BackendError, match=rf"sample was broken off in the middle \({kind.__name__}: .*resume"):
        team.hear()


def test_a_start_that_fails_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens the error names the time that it waits; another start is not taken for a running one."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("MASTER_PORT", str(silent.getsockname()[1]))
        with pytest.raises(BackendError, match=r"while starting together.*is waited for 0\.2 s"):
            Team(Place(rank=1, count=2), 0.2)
    assert not distributed.is_initialized()


def test_what_cannot_be_told_was_never_begun(team: Team) -> None:
    """A request with something that cannot travel fails, and the next one is carried out."""
    with pytest.raises((TypeError, AttributeError)), team.asking("idle", threading.Lock()):
        pass
    with team.asking("idle"):
        assert len(team.outcomes(Outcome())) == 1


@pytest.mark.usefixtures("team")
def test_a_loss_may_ask_another_session(base_folder: Path, data: list[Datum]) -> None:
    """The others are in the middle of the loss's own request, so what it asks for is computed here alone.

    The answers are those that a session gives outside of a loss.
    """
    config = LoraConfig(base_model=str(base_folder), rank=4, seed=3)
    found: dict[str, Any] = {}
    with LocalBackend().start_session(config) as session, LocalBackend().start_session(config) as other:
        assert isinstance(other._adapter, SharedAdapter)

        def loss(given: Any, logprobs: Any) -> Any:
            found["forward"] = other.forward(given).result(timeout=10).loss
            found["trained"] = other.forward_backward(given).result(timeout=10).loss
            found["custom"] = other.forward_backward_custom(given, plain).result(timeout=10).loss
            found["sampler"] = other.create_sampler().logprobs(["a", "ab"])
            with LocalBackend().start_session(config) as third:
                found["third"] = third.forward(given).result(timeout=10).loss
            found["base"] = LocalBackend().create_sampler(str(base_folder)).logprobs(["a", "ab"])
            return plain(given, logprobs)

        loss_inside = session.forward_backward_custom(data, loss).result(timeout=30).loss
        assert found["forward"] == other.forward(data).result().loss == found["third"]
        assert found["trained"] == other.forward_backward(data).result().loss
        assert found["custom"] == loss_inside == session.forward_backward_custom(data, plain).result().loss
        assert found["sampler"] == other.create_sampler().logprobs(["a", "ab"]) == found["base"]


def plain(_: Any, logprobs: Any) -> Any:
    """The summed negative log-probability."""
    return -sum(each.sum() for each in logprobs), {}
