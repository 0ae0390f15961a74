"""How OpenMP is asked to wait."""

from crucible.backends import sleep_while_waiting


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
