"""Comparisons about tickets: the right answer is preferred, another ticket's is not."""

from __future__ import annotations

import pytest

from crucible.data import Item, make_tickets


def compare(tickets: list[Item]) -> list[Item]:
    """Return one comparison a ticket."""
    others = [*tickets[1:], tickets[0]]
    return [
        Item(ticket.id, ticket.input, None, {"chosen": ticket.expected, "rejected": other.expected})
        for ticket, other in zip(tickets, others, strict=True)
        if ticket.expected != other.expected
    ]


@pytest.fixture(scope="session")
def comparisons() -> list[Item]:
    """Ten comparisons or so."""
    return compare(make_tickets(11, seed=5))


@pytest.fixture(scope="session")
def polite() -> list[Item]:
    """Eight pairs of which the same kind of answer is always the better one: what a few steps can learn."""
    return [
        Item(f"p{number}", f"ticket {number}: the {thing} is late ->", None, {"chosen": " sorry", "rejected": " wait"})
        for number, thing in enumerate(("lamp", "lock", "router", "camera", "speaker", "parcel", "bill", "order"))
    ]


@pytest.fixture(scope="session")
def judged() -> list[Item]:
    """Single answers, each with a verdict."""
    found: list[Item] = []
    for item in compare(make_tickets(6, seed=5)):
        for name, verdict in (("chosen", True), ("rejected", False)):
            found.append(Item(f"{item.id}-{name}", item.input, item.metadata[name], {"desirable": verdict}))
    return found
