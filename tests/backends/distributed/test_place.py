"""Which of several processes this one is."""

from __future__ import annotations

import pytest

from crucible.backends.distributed.place import Place, place, timeout_s
from crucible.errors import BackendError

ADDRESS = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def test_a_process_without_launcher_is_alone() -> None:
    """Nothing in the environment, or a WORLD_SIZE that some scheduler left there, makes no team."""
    assert place({}).is_alone
    assert place({"WORLD_SIZE": "8"}).is_alone


def test_the_place_is_what_the_launcher_says() -> None:
    """Global and local numbers; without local ones the host is taken to be the only one."""
    said = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", **ADDRESS}
    assert place(said) == Place(rank=5, count=8, local_rank=1, local_count=4)
    assert place({"RANK": "1", "WORLD_SIZE": "2", **ADDRESS}) == Place(rank=1, count=2, local_rank=1, local_count=2)
    assert not place(said).leads
    assert "process 5 of 8" in place(said).name


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK=2"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "RANK=-1"),
        ({"RANK": "one", "WORLD_SIZE": "2"}, "RANK='one'"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "4", "LOCAL_WORLD_SIZE": "2"}, "LOCAL_RANK=4"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(said: dict[str, str], named: str) -> None:
    """The variable is named with what it holds."""
    with pytest.raises(BackendError, match=named):
        place(said)


def test_variables_that_another_program_left_are_refused() -> None:
    """Whoever does not say where the others are has not launched this; what is missing and both ways out are named."""
    with pytest.raises(
        BackendError, match=r"RANK=1 and WORLD_SIZE=2 are set, but MASTER_ADDR and MASTER_PORT not.*unset"
    ):
        place({"RANK": "1", "WORLD_SIZE": "2"})
    with pytest.raises(BackendError, match="but MASTER_PORT not"):
        place({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "host-a"})
    assert place({"RANK": "0", "WORLD_SIZE": "1"}).is_alone


def test_the_timeout_is_configurable() -> None:
    """1800 s unless the variable says otherwise; what is no time is refused by name."""
    assert timeout_s({}) == 1800
    assert timeout_s({"CRUCIBLE_PROCESSES_TIMEOUT_S": "12.5"}) == 12.5
    for wrong in ("0", "-1", "nan", "inf", "soon"):
        with pytest.raises(BackendError, match="CRUCIBLE_PROCESSES_TIMEOUT_S"):
            timeout_s({"CRUCIBLE_PROCESSES_TIMEOUT_S": wrong})
