"""Compare two ways of doing one thing, at the same time, and say honestly whether one is better.

Two rules route support tickets to a team; every ticket goes to one of three arms at random: the old rule (control),
the old rule again, and the new one (treatment). The arms work at once and see only their own events. Look at the arm
that is the control once more: it differs, too, by chance, and the test does not take that for a difference.

Needs `pip install "crucible-ml[stats]"`.
"""

import asyncio
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from crucible import events
from crucible.store import Store, open_store
from crucible.telemetry import Experiment, compare

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or tempfile.mkdtemp(prefix="example_telemetry_"))

Ticket = tuple[str, str]  # text, the team that it belongs to
SAYS = {
    "billing": ["my invoice is wrong", "I was charged twice", "please refund me", "the amount is not what I paid"],
    "access": ["my password is not accepted", "I cannot log in", "the code never comes", "I am locked out"],
    "bugs": ["the page is blank", "it crashes when I save", "an error comes up", "the button does nothing"],
}


def tickets(count: int) -> list[Ticket]:
    """Return tickets with their teams, made up, the same in every run."""
    draw = random.Random(5)  # noqa: S311  # not for secrets
    return [(draw.choice(SAYS[team]), team) for team in draw.choices(list(SAYS), k=count)]


def old_rule(text: str) -> str:
    """Route by one word a team."""
    return "billing" if "invoice" in text else "access" if "password" in text else "bugs"


def new_rule(text: str) -> str:
    """Route by a few words a team."""
    if any(word in text for word in ("invoice", "charged", "refund")):
        return "billing"
    return "access" if any(word in text for word in ("password", "log in", "locked")) else "bugs"


async def arm(condition: str, rule: Callable[[str], str], own: list[Ticket], store: Store) -> Experiment:
    """Route an arm's tickets, and return the recording."""
    hypothesis = "a few words a team route more tickets rightly than one"
    with Experiment.start("routing", hypothesis=hypothesis, condition=condition, store=store) as experiment:
        for text, team in own:
            with events.span("my_shop.ticket.routed") as span:
                routed = rule(text)
                span.annotate(team=routed, success=routed == team)
            await asyncio.sleep(0)  # the other arms' turn
    return experiment


async def all_arms(store: Store) -> list[Experiment]:
    """Send each ticket to an arm at random, and let all arms work at once."""
    draw = random.Random(6)  # noqa: S311  # not for secrets
    arms: dict[str, Callable[[str], str]] = {"control": old_rule, "control again": old_rule, "treatment": new_rule}
    own: dict[str, list[Ticket]] = {name: [] for name in arms}
    for ticket in tickets(600):
        own[draw.choice(list(arms))].append(ticket)
    return await asyncio.gather(*(arm(name, rule, own[name], store) for name, rule in arms.items()))


def main() -> None:
    """Run the arms, and print what the test says."""
    with open_store(OUTPUT / "store") as store:
        arms = asyncio.run(all_arms(store))
        for experiment in arms:
            rate = experiment.metrics().reliability
            print(f"{experiment.info.condition:14}{rate.total_requests} tickets, {rate.successful} routed rightly")

        comparison = compare(store, [experiment.id for experiment in arms])
        names = {experiment.id: experiment.info.condition for experiment in arms}
        for metric in comparison.metrics:
            if metric.metric != "success_rate" or metric.test is None:
                continue  # latencies of microseconds say something of this machine, and nothing of the rules
            print(f"\n{names[metric.treatment]} against {names[comparison.baseline]}, positive is better:")
            low, high = metric.test.interval.low, metric.test.interval.high
            print(f"  {metric.improvement:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}")
            print(f"  p = {metric.test.p_adjusted:.2g} after correction for {metric.test.comparisons} tests")
            print(f"  {metric.test.verdict}")
            print(f"  {metric.test.wording}")


if __name__ == "__main__":
    main()
