"""What a scorer says of an answer, whatever it does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from crucible.data.items import Item
from crucible.data.scorers import Scorer
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored, Skipped
from crucible.pipeline.cancel import is_stop

__all__ = ["outcomes_of", "refuse_failed"]


def outcomes_of(scorers: Mapping[str, Scorer], item: Item, output: str) -> dict[str, Outcome]:
    """Return what each scorer says; what it raises, or says that is no outcome, is a failure of the measurement.

    Raises:
        Cancelled: A scorer was asked to stop.
    """
    return {name: _outcome(scorer, item, output) for name, scorer in scorers.items()}


def refuse_failed(item: Item, outcomes: Mapping[str, Outcome]) -> None:
    """Refuse an item that could not be scored, as the policy `abort` does.

    Raises:
        DataError: A scorer failed.
    """
    for name, outcome in outcomes.items():
        if isinstance(outcome, Failed):
            raise DataError(f'item "{item.id}" cannot be scored by {name}: {outcome.error} (failures: abort)')


def _outcome(scorer: Scorer, item: Item, output: str) -> Outcome:
    try:
        outcome = cast("object", scorer(item, output))
        if isinstance(outcome, Scored):
            value = float(outcome.value)
            if not math.isfinite(value):
                return Failed(f"the score is {value}, not a finite number")
            return outcome if type(outcome.value) is float else Scored(value)  # a record holds floats, as JSON has them
    except Exception as error:  # a scorer is anybody's code
        if is_stop(error):
            raise
        return Failed(f"the scorer raised {type(error).__name__}: {error}")
    if isinstance(outcome, (Failed, Skipped)):
        return outcome
    return Failed(f"the scorer returned a {type(outcome).__name__}; expected Scored, Failed or Skipped")
