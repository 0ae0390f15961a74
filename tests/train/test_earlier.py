"""Models that a stage may have of stages before it."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.ir import Experiment
from crucible.train.earlier import earlier_model_problem


def document(*pipeline: dict[str, Any]) -> Experiment:
    """Return a document of these stages."""
    return Experiment.read({"id": "x", "backend": {"id": "local"}, "pipeline": list(pipeline)})


TRAINED = document(
    {"name": "supervised_train"},
    {"name": "evaluate", "options": {"model": "seen"}},
    {"name": "supervised_train", "enabled": False, "options": {"model": "off"}},
    {"name": "of_a_stranger", "options": {"model": "theirs"}},
    {"name": "rl_train", "options": {"model": "mine"}},
    {"name": "dpo_train"},
)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("tuned", None),
        ("theirs", None),
        ("preferred", '"preferred" is trained only after this stage; let the stage that trains it stand before'),
        ("mine", '"mine" is what this stage itself trains; name another model'),
        ("seen", 'no stage of this document trains "seen"; let one stand before this stage'),
        ("off", 'no stage of this document trains "off"; let one stand before this stage'),
        ("tuend", 'no stage of this document trains "tuend"; did you mean "tuned"?; let one stand before this stage'),
    ],
)
def test_what_a_stage_may_begin_with(wanted: str, said: str | None) -> None:
    """A model that an enabled stage before it trains, a stranger's too, by its name or the stage's default."""
    assert earlier_model_problem(TRAINED, wanted, "mine") == said
