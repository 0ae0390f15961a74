"""Compare how a task was solved: with a revision of the same plan, with another plan, and with another task.

Look at the first comparison: a decision put in other words is paired with its old self, not counted as one removed and
one added. The HTML pages show both chains side by side.
"""

import os
from pathlib import Path

from crucible.trace import Chain, Diff, DiffOptions, Event, diff

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or "example_traces")

Step = tuple[str, str, str, float]  # type, decision, reasoning, confidence

# Plans for finding duplicate addresses among customers (written by hand for this example).
BY_SORTING: list[Step] = [
    ("constraint_evaluated", "ten million addresses must fit in memory", "they take 600 MB", 0.9),
    ("pattern_applied", "write every address in one way first", "'St.' and 'Street' are the same", 0.85),
    ("decision_made", "sort them and compare neighbours", "sorting needs no second copy", 0.8),
    ("ambiguity_flagged", "flats of one house are different addresses", "nobody said", 0.6),
]
REVISED: list[Step] = [
    BY_SORTING[0],
    BY_SORTING[1],
    ("decision_made", "sort them, then compare each with its neighbours", "sorting needs no second copy", 0.9),
    ("constraint_evaluated", "flats of one house are different addresses", "the post office says so", 0.95),
]
BY_HASHING: list[Step] = [
    BY_SORTING[0],
    ("pattern_applied", "write every address in one way first", "'St.' and 'Street' are the same", 0.9),
    ("hypothesis_formed", "a set of hashes shows what came before", "each is looked up once", 0.75),
    ("alternative_rejected", "no hash of less than 16 bytes", "two addresses could collide", 0.95),
    BY_SORTING[3],
]
ANOTHER_TASK: list[Step] = [
    ("hypothesis_formed", "customers leave after a late delivery", "two said so", 0.4),
    ("decision_made", "ask a hundred of them", "two are too few", 0.9),
]


def chain_of(name: str, steps: list[Step]) -> Chain:
    """Return a plan as a chain, each step resting on the one before."""
    chain = Chain(name)
    for kind, decision, reasoning, confidence in steps:
        before = [chain[-1].id] if len(chain) else []
        chain.add(Event.new(kind, decision, reasoning, confidence=confidence, depends_on=before))
    return chain


def how_alike(found: Diff) -> str:
    """Return a word for a similarity."""
    if found.similarity > 0.8:
        return "high"
    return "moderate" if found.similarity > 0.5 else "low"


def main() -> None:
    """Compare the first plan with the three others; show one as text and save all as pages."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    first = chain_of("by sorting", BY_SORTING)
    first.save(OUTPUT / "by_sorting.json")
    options = DiffOptions(ignore=("chain.name",))  # the names differ by design
    others = {"by sorting, revised": REVISED, "by hashing": BY_HASHING, "another task": ANOTHER_TASK}
    comparisons = {name: diff(first, chain_of(name, steps), options) for name, steps in others.items()}

    print(comparisons["by sorting, revised"].to_text())
    for name, found in comparisons.items():
        print(f"{name:20} {found.similarity:.2f} {how_alike(found):9} {found.summary}")
        page = OUTPUT / f"comparison_with_{name.replace(', ', '_').replace(' ', '_')}.html"
        page.write_text(found.to_html(), encoding="utf-8")
    print(f"{'itself':20} {diff(first, first).similarity:.2f} equal")


if __name__ == "__main__":
    main()
