"""The same questions, asked of a model that answers at once and is always right, and scored by comparing texts.

Run with the peer's own interpreter. What is measured is the harness: a pass asks all questions, scores all answers,
sums them up and, where the note does not say otherwise, leaves a record of each. It counts only if a reader then finds
every answer, and finds it right; reading is not timed.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks.clock import budget, rate_of

QUESTIONS = 1_000
RATE = f"{QUESTIONS:,} items: items evaluated"

T = TypeVar("T")


def question(index: int) -> str:
    """Return a question of some hundred characters."""
    return f"Question {index}: what is {index} plus {index}? Think it over, and give the number alone, without words."


def answer(index: int) -> str:
    """Return the answer to it."""
    return str(2 * index)


def answered(prompt: str) -> str:
    """Return the answer to a prompt that holds a question."""
    return answer(int(prompt.rpartition("Question ")[2].partition(":")[0]))


def report(version: str, note: str, evaluate: Callable[[], T], found: Callable[[T], int]) -> None:
    """Evaluate until the budget is spent, at least once after a first pass, and print the rate.

    Args:
        version: What is measured.
        note: What a reader must know.
        evaluate: Makes a pass.
        found: Returns how many right answers a reader finds of it.

    Raises:
        SystemExit: A reader does not find all of them.
    """
    allowed = budget()
    evaluate()  # imports and builds what later passes find
    taken: list[float] = []
    begun = time.perf_counter()
    while not taken or time.perf_counter() - begun < allowed.seconds:
        start = time.perf_counter_ns()
        left = evaluate()
        taken.append(time.perf_counter_ns() - start)
        if (right := found(left)) != QUESTIONS:
            raise SystemExit(f"{QUESTIONS:,} questions were asked, and a reader finds {right:,} right answers")
    rate_of(RATE, taken, of=QUESTIONS, version=version, note=note).report()
