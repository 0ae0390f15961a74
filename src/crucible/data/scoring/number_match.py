"""The same number, however it is written: exactly, never within a tolerance that nobody named."""

from __future__ import annotations

from crucible.data.items import Item
from crucible.data.numbers import NumberFormat, read_quantity
from crucible.data.scoring.scorer import NO_ANSWER, bounded
from crucible.ir import Failed, Outcome, Scored

__all__ = ["number_match"]


@bounded(0.0, 1.0)
def number_match(item: Item, output: str, *, form: NumberFormat = NumberFormat()) -> Outcome:  # noqa: B008  # a frozen value
    """Score 1.0 if the answer comes to the same number as the expected one, else 0.0; no number is 0.0.

    See `numbers.read_quantity` for how a number is found: `#### 1,000` matches `so it is $1000.`

    Args:
        item: Skipped without an expected answer; failed where that holds no number.
        output: The model's answer.
        form: How numbers are written, and whether percent signs and units count.
    """
    if item.expected is None:
        return NO_ANSWER
    wanted = read_quantity(item.expected, form)
    if wanted is None:
        return Failed("the expected answer has no number")
    given = read_quantity(output, form)
    return Scored(float(given is not None and given.same_as(wanted, form)))
