"""From a condition's steps to one function of an event, whatever the depth of nesting.

The tree becomes a list of checks with two jumps each: where to go on if the check holds, and where if not. A gate
leaves no trace but the jumps (`not` swaps them), so that evaluating needs no recursion and checks no more than it must.
"""

from __future__ import annotations

from collections.abc import Sequence

from crucible.trace.event import Event
from crucible.trace.queries.predicates import Predicate, compile_check
from crucible.trace.queries.steps import Gate, Step

__all__ = ["compile_steps"]

_YES, _NO = -1, -2  # jumps that end


def compile_steps(steps: Sequence[Step]) -> Predicate:
    """Return a function that says whether an event meets a condition.

    Args:
        steps: The condition's tree in postfix order.
    """
    program = _jumps(steps)
    if not program:
        return lambda _: True
    if len(program) == 1 and program[0][1] == _YES:
        return program[0][0]
    start = len(program) - 1

    def meets(event: Event) -> bool:
        place = start
        while place >= 0:
            check, yes, no = program[place]
            place = yes if check(event) else no
        return place == _YES

    return meets


def _jumps(steps: Sequence[Step]) -> list[tuple[Predicate, int, int]]:
    """Return the checks, last one first, each with the places to go to.

    Read from its end, a postfix order meets each gate before its parts and the parts from the last to the first. So
    when a part is met, what follows it is already placed: the first check of the next part is the newest one.
    """
    program: list[tuple[Predicate, int, int]] = []
    # of each open gate: its kind, the parts still to come, whether the last part is next, where it goes itself
    opened: list[tuple[str, int, bool, int, int]] = [("and", 1, True, _YES, _NO)]
    for step in reversed(steps):
        kind, left, is_last, yes, no = opened.pop()
        if left > 1:
            opened.append((kind, left - 1, False, yes, no))
        if kind == "not":
            yes, no = no, yes
        elif not is_last:
            following = len(program) - 1
            yes, no = (following, no) if kind == "and" else (yes, following)
        if not isinstance(step, Gate):
            program.append((compile_check(step), yes, no))
        elif step.count:
            opened.append((step.kind, step.count, True, yes, no))
    return program
