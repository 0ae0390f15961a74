"""Ask a finished chain: did confidence grow, what was weighed again and again, what needs a second look, and why.

Look at the last two parts: what the final decision rests on, and what would have to be thought over again if the one
doubtful assumption turned out wrong. All of it follows links; nothing is guessed from words.
"""

import json
import os
from collections import Counter
from pathlib import Path
from statistics import fmean

from crucible.trace import Chain, Event, EventFields, aggregate_by, mean_confidence

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or "example_traces")
REVIEW_BELOW = 0.75

# How somebody designed a rate limiter (written by hand for this example):
# id, type, decision, reasoning, alternatives, confidence, what it rests on
DECISIONS = [
    ("limits", "constraint_evaluated", "100 requests a minute per customer", "contract, section 3", "", 0.95, ""),
    ("count", "hypothesis_formed", "a token bucket", "bursts are fine", "fixed window|sliding log", 0.7, "limits"),
    ("edges", "alternative_rejected", "no fixed window", "lets 200 through at an edge", "fixed window", 0.8, "count"),
    ("clock", "ambiguity_flagged", "servers' clocks agree to 50 ms", "nobody measured it", "a shared clock", 0.55, ""),
    ("place", "decision_made", "counters in Redis", "all share them", "local counters|sliding log", 0.7, "limits"),
    ("atomic", "pattern_applied", "one Lua script a request", "reads and writes in one", "a lock", 0.85, "place clock"),
    ("outage", "decision_made", "let all through without Redis", "shops must sell", "local counters", 0.8, "place"),
    ("reply", "constraint_evaluated", "answer 429 with Retry-After", "RFC 6585, section 4", "", 0.95, "limits"),
    ("final", "decision_made", "a bucket in Redis, one script", "it is fair", "fixed window", 0.9, "edges atomic"),
]


def chain_of_decisions() -> Chain:
    """Return the chain."""
    chain = Chain("a rate limiter")
    for key, kind, decision, reasoning, alternatives, confidence, basis in DECISIONS:
        weighed = alternatives.split("|") if alternatives else []
        fields = EventFields(id=key, alternatives=weighed, confidence=confidence, depends_on=basis.split())
        chain.add(Event.new(kind, decision, reasoning, **fields))
    return chain


def trend(chain: Chain) -> tuple[float, float]:
    """Return the mean confidence of the first half and of the second, by time."""
    stated = [confidence for _, confidence in chain.confidence_history()]
    middle = len(stated) // 2
    return fmean(stated[:middle]), fmean(stated[middle:])


def ranking(chain: Chain) -> list[tuple[str, int]]:
    """Return what was weighed and not chosen, the most frequent first."""
    return Counter(word for event in chain for word in event.alternatives).most_common()


def to_review(chain: Chain) -> list[Event]:
    """Return what a second person should look at: little confidence, or something that had to be assumed."""
    unsure = {event.id for event in chain.low_confidence(REVIEW_BELOW)}
    return [event for event in chain if event.id in unsure or event.type == "ambiguity_flagged"]


def heading(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}")


def main() -> None:
    """Print the analysis, and keep it as JSON."""
    chain = chain_of_decisions()
    print(f"{chain.name}: {len(chain)} events, {len(chain.validate_relationships())} broken links")

    heading("confidence")
    first, second = trend(chain)
    print(f"first half {first:.3f}, second half {second:.3f}: {'rising' if second > first else 'not rising'}")
    for kind, mean in aggregate_by(chain, "type", mean_confidence).items():
        print(f"  {kind:22}{mean:.2f}")

    heading("weighed and not chosen")
    for alternative, times in ranking(chain):
        print(f"  {times} × {alternative}")

    heading("to review")
    for event in to_review(chain):
        print(f"  {event.confidence:.2f}  {event.decision}: {event.reasoning}")

    heading(f"what {chain[-1].decision!r} rests on")
    for event in chain.rests_on("final"):
        print(f"  {event.decision}")

    heading("if the clocks do not agree, think again about")
    for event in chain.rest_on_it("clock"):
        print(f"  {event.decision}")

    report = {
        "confidence": {"first_half": first, "second_half": second},
        "alternatives": dict(ranking(chain)),
        "review": [event.id for event in to_review(chain)],
        "final_rests_on": [event.id for event in chain.rests_on("final")],
    }
    chain.save(OUTPUT / "advanced_analysis_chain.json")
    (OUTPUT / "advanced_analysis.json").write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
