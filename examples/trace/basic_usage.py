"""Make a chain of decisions, read it, ask it, check it, save it and load it again.

Look at the tree: every decision with its reason, what it was chosen instead of, how sure the decider was, and what it
rests on. A confidence that nobody stated stays unsaid and counts in no mean.
"""

import os
from pathlib import Path

from crucible.trace import Chain, Event, to_text

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or "example_traces")


def decide() -> Chain:
    """Return how somebody chose where a web shop keeps its sessions (written by hand for this example)."""
    chain = Chain("where to keep sessions", description="a web shop with three servers")
    load = chain.add(
        Event.new(
            "constraint_evaluated",
            "any of the three servers must know every session",
            "the load balancer sends each request wherever there is room",
            spec_reference="section 4.2",
        )
    )
    idea = chain.add(
        Event.new(
            "hypothesis_formed",
            "keep sessions in Redis",
            "all servers reach it, and it forgets old sessions by itself",
            alternatives=["a table in PostgreSQL", "signed cookies"],
            confidence=0.85,
            depends_on=[load.id],
        )
    )
    chain.add(
        Event.new(
            "alternative_rejected",
            "no signed cookies",
            "a session that lives in the browser cannot be ended from here",
            confidence=0.95,
            parent_id=idea.id,
        )
    )
    doubt = chain.add(
        Event.new(
            "ambiguity_flagged",
            "sessions last 30 minutes",
            "the requirements name no time; 30 minutes is what the old shop did",
            alternatives=["until the browser closes", "24 hours"],
            confidence=0.6,
        )
    )
    chain.add(
        Event.new(
            "decision_made",
            "Redis, with sessions that expire after 30 minutes without a request",
            "it meets the constraint, and the time can be changed in one place",
            confidence=0.8,
            code_section="SessionStore",
            depends_on=[idea.id, doubt.id],
        )
    )
    return chain


def main() -> None:
    """Print the chain and what can be asked of it, and keep it as a file."""
    chain = decide()
    print(to_text(chain))

    statistics = chain.statistics()
    print(f"types        {', '.join(statistics.event_type_counts)}")
    print(
        f"confidence   {statistics.avg_confidence:.2f} on average; {statistics.events_with_confidence} events state one"
    )
    print(f"choices      {len(chain.decision_points())} events chose something")
    for event in chain.low_confidence(0.7):
        print(f"unsure       {event.decision} ({event.confidence})")

    problems = [problem for event in chain for problem in event.validate()]
    print(f"problems     {len(problems)} in events, {len(chain.validate_relationships())} in links")

    path = chain.save(OUTPUT / "basic_usage.json")
    print(f"saved        {path}")
    print(f"loaded       the same chain: {Chain.load(path) == chain}")


if __name__ == "__main__":
    main()
