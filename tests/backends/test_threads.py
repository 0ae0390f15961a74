"""How OpenMP is asked to wait, and on how many threads a piece of work runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from crucible.backends import sleep_while_waiting, threads
from crucible.backends.threads import SHARED_FROM, fitting_threads, use_threads


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two cores, nothing set, and afterwards the count that was."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "_cores", lambda: 2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    use_threads(None)
    torch.set_num_threads(before)


def test_threads_are_asked_to_sleep_unless_the_user_said_otherwise() -> None:
    """The wait policy is set where nothing is; either of the user's own settings wins."""
    empty: dict[str, str] = {}
    sleep_while_waiting(empty)
    assert empty == {"OMP_WAIT_POLICY": "PASSIVE"}
    active = {"OMP_WAIT_POLICY": "ACTIVE"}
    sleep_while_waiting(active)
    assert active == {"OMP_WAIT_POLICY": "ACTIVE"}
    counted = {"GOMP_SPINCOUNT": "1000"}
    sleep_while_waiting(counted)
    assert "OMP_WAIT_POLICY" not in counted


def test_little_work_runs_on_one_thread() -> None:
    """Below the cut-over one thread, from it on all of them; after the block as before, failures included."""
    with fitting_threads(SHARED_FROM - 1) as count:
        assert count == torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with fitting_threads(SHARED_FROM) as count:
        assert count == torch.get_num_threads() == 2
    with pytest.raises(KeyError), fitting_threads(1):
        raise KeyError
    assert torch.get_num_threads() == 2


def test_unknown_work_is_left_alone() -> None:
    """Where nobody knows how much it is, PyTorch's own count stays."""
    with fitting_threads(None) as count:
        assert count == 2


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_count_from_the_environment_wins(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little work runs on as many threads as the user has set."""
    monkeypatch.setenv(name, "2")
    with fitting_threads(1) as count:
        assert count == 2


def test_a_count_told_to_pytorch_wins() -> None:
    """A count that PyTorch would not choose by itself is the user's."""
    torch.set_num_threads(5)
    with fitting_threads(1) as count:
        assert count == 5


def test_a_count_told_to_crucible_wins() -> None:
    """For all work, until it is taken back."""
    use_threads(2)
    with fitting_threads(1) as count:
        assert count == torch.get_num_threads() == 2
    use_threads(1)
    with fitting_threads(SHARED_FROM) as count:
        assert count == torch.get_num_threads() == 1
    use_threads(None)
    with fitting_threads(1) as count:
        assert count == 1


def test_no_thread_at_all_is_refused() -> None:
    """Zero is no count."""
    with pytest.raises(ValueError, match="at least 1, or None; got 0"):
        use_threads(0)
