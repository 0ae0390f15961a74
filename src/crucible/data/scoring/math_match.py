r"""Mathematical answers as in MATH-500: the content of `\boxed{…}`, as a number or in one spelling of LaTeX."""

from __future__ import annotations

from crucible.data.final_answer import answered_part, boxed, declared_answers
from crucible.data.items import Item
from crucible.data.numbers import NumberFormat, only_quantity
from crucible.data.scoring.latex import normal_latex
from crucible.data.scoring.scorer import NO_ANSWER, bounded
from crucible.ir import Failed, Outcome, Scored

__all__ = ["math_match", "read_math"]


def read_math(text: str) -> str:
    r"""Return the answer of a text in one spelling: what stands in the last box, else where it says that its answer is.

    Else it is the whole text.
    """
    text = answered_part(text)
    box = boxed(text)
    if box is not None:
        return normal_latex(box)
    return normal_latex(next((span for _, span in declared_answers(text)), text))


@bounded(0.0, 1.0)
def math_match(item: Item, output: str, *, form: NumberFormat = NumberFormat(percent="number")) -> Outcome:  # noqa: B008  # a frozen value
    r"""Score 1.0 if the answer is the expected one as a number or in its LaTeX, else 0.0.

    `0.5`, `1/2` and `\boxed{\dfrac{1}{2}}` are equal; `x+1` and `1+x` are not: nothing is computed.

    Args:
        item: Skipped without an expected answer, which may be a whole solution that ends in a box.
        output: The model's answer.
        form: How numbers are written.
    """
    if item.expected is None:
        return NO_ANSWER
    wanted, given = read_math(item.expected), read_math(output)
    if not wanted:
        return Failed("the expected answer is empty")
    if given == wanted:
        return Scored(1.0)
    wanted_number, given_number = only_quantity(wanted, form), only_quantity(given, form)
    if wanted_number is None or given_number is None:
        return Scored(0.0)
    return Scored(float(given_number.same_as(wanted_number, form)))
