"""Synthetic support tickets: the quickstart's task, and the text its small base model is pre-trained on.

A ticket is triaged into a JSON record over three closed vocabularies (intent, product, urgency). Every text is made up
by a seeded generator and stamped `synthetic`; no real customer wrote any of it. A ticket's split is a function of its
*core* (what is wrong, with which product, how soon, beside which distraction), so no test ticket is a training or
pre-training ticket with another greeting or another typo, whatever the seeds.
"""

import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from crucible.data.items import Item

__all__ = ["GENERATOR", "INTENTS", "PRODUCTS", "TICKET_SCHEMA", "URGENCIES", "make_tickets", "pretraining_texts"]

GENERATOR: Final = "crucible.tickets/1"
"""Name and version of the generator, in every item's metadata: texts change only when it does."""

PRODUCTS: Final[dict[str, tuple[str, ...]]] = {
    "router": ("router", "wifi box", "internet box", "wireless hub", "modem thing", "wifi router"),
    "camera": ("camera", "security cam", "webcam", "driveway camera", "video unit", "outdoor cam"),
    "thermostat": ("thermostat", "heating control", "temperature dial", "heating panel", "smart thermostat"),
    "speaker": ("speaker", "sound bar", "music box", "kitchen speaker", "stereo", "loudspeaker"),
    "lock": ("lock", "door lock", "smart lock", "keypad on the door", "deadbolt", "keyless lock"),
    "lamp": ("lamp", "light strip", "bulb set", "desk light", "smart bulbs", "bedside lamp"),
}
"""Each product of the closed vocabulary with the words customers use for it."""

INTENTS: Final[dict[str, tuple[str, ...]]] = {
    "refund": (
        "i want my money back for the {p}",
        "please return what i paid for the {p}",
        "i sent the {p} back and still have not seen a cent",
        "please reimburse me for the {p}",
        "the {p} went back to you, now pay me back",
        "you owe me the price of the {p}",
    ),
    "repair": (
        "the {p} will not turn on",
        "the {p} keeps dropping out since the update",
        "the {p} blinks red and does nothing",
        "the {p} stopped working",
        "something is broken in the {p}",
        "the {p} crashes every hour",
    ),
    "billing": (
        "i was charged twice for the {p}",
        "the invoice for the {p} has a wrong amount",
        "my card statement lists the {p} two times",
        "why does the bill for the {p} show another price",
        "the receipt for the {p} has the wrong tax",
        "you took too much from my account for the {p}",
    ),
    "delivery": (
        "the {p} has not arrived yet",
        "where is the {p} i ordered",
        "the tracking page for the {p} has not moved for days",
        "the courier left the {p} at a wrong address",
        "i am still waiting for the parcel with the {p}",
        "the {p} was due last week and never came",
    ),
    "cancel": (
        "please stop my order of the {p}",
        "i changed my mind about the {p}, do not ship it",
        "i no longer need the {p} i just ordered",
        "take the {p} off my order",
        "call off the purchase of the {p}",
        "do not send me the {p} after all",
    ),
    "howto": (
        "how do i connect the {p} to my phone",
        "can you explain how to set up the {p}",
        "where do i find the manual of the {p}",
        "what is the trick to reset the {p}",
        "which button pairs the {p}",
        "can the {p} be used in two rooms and how",
    ),
}
"""Each intent of the closed vocabulary with sentences that express it; `{p}` is the product's name."""

URGENCIES: Final[dict[str, tuple[str, ...]]] = {
    "high": (
        "this can not wait",
        "i need an answer within the hour",
        "every minute counts",
        "we are stuck until you reply",
        "my mother is alone and depends on it",
        "drop everything please",
        "i asked politely before, now it is an emergency",
    ),
    "normal": (
        "please reply this week",
        "a reply in the next days would be good",
        "please handle it in the usual time",
        "it is annoying but we manage for now",
        "get back to me when it is my turn",
        "not an emergency, but do not forget me",
    ),
    "low": (
        "no hurry at all",
        "whenever you have a spare moment",
        "i would not call it urgent",
        "take your time",
        "it can wait as long as you like",
        "i am only asking out of curiosity",
        "i said urgent last time, this time it is not",
    ),
}
"""Each urgency of the closed vocabulary with sentences that state it."""

_EVENTS: Final = (
    "guests come",
    "we travel",
    "the shop opens",
    "my exam is",
    "we move house",
    "the party is",
    "i need it",
)
_WHEN: Final[dict[str, tuple[str, ...]]] = {
    "high": ("tonight", "in two hours", "this morning", "today", "in a few minutes"),
    "normal": ("in four days", "on the weekend", "next tuesday", "in a week", "later this week"),
    "low": ("next year", "in three months", "in the autumn", "some day", "after the summer"),
}
_PRODUCT_ASIDES: Final = (
    "my {o} works fine",
    "it stands next to the {o}",
    "i bought it together with the {o}",
    "no complaint about the {o}",
    "the {o} from you is great",
    "my neighbour only has the {o}",
)
_INTENT_ASIDES: Final[dict[str, tuple[str, ...]]] = {
    "refund": ("i do not want my money back", "a refund is not the point"),
    "repair": ("nothing is broken", "it does work"),
    "billing": ("the invoice was fine", "the price is not the problem"),
    "delivery": ("the parcel came on time", "delivery was quick"),
    "cancel": ("i do not want to cancel anything", "my order may stay as it is"),
    "howto": ("i did read the manual", "i know how to set things up"),
}
_GREETINGS: Final = (
    "",
    "",
    "hi",
    "hello",
    "dear team",
    "hey there",
    "good morning",
    "hi, {n} here",
    "hello, my name is {n}",
)
_CLOSINGS: Final = ("", "", "thanks", "regards, {n}", "cheers", "thank you, {n}", "bye", "best, {n}")
_NAMES: Final = (
    "ana",
    "ben",
    "chloe",
    "dev",
    "emma",
    "farid",
    "grace",
    "hugo",
    "ines",
    "jon",
    "kira",
    "liam",
    "mei",
    "noor",
)
_NOTES: Final = {
    "refund": "wants money back",
    "repair": "reports a fault",
    "billing": "questions a bill",
    "delivery": "misses a parcel",
    "cancel": "withdraws an order",
    "howto": "asks for instructions",
}
_PRIORITIES: Final = {"high": "answer at once", "normal": "answer this week", "low": "answer some time"}
_ROOMS: Final = ("kitchen", "hall", "garage", "office", "attic", "garden")
_COUNTS: Final = ("one", "two", "three", "four", "five")
_SPLITS: Final = {"train": range(6), "test": range(6, 8), "pretrain": range(8, 16)}

TICKET_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Triage record of a support ticket",
    "type": "object",
    "properties": {
        "intent": {"enum": list(INTENTS)},
        "product": {"enum": list(PRODUCTS)},
        "urgency": {"enum": list(URGENCIES)},
    },
    "required": ["intent", "product", "urgency"],
    "additionalProperties": False,
}
"""JSON Schema of the answer: three required fields, each from its closed vocabulary."""


@dataclass(frozen=True)
class _Ticket:
    """One drawn ticket: its text with typos, the customer's word for the product, and the three labels."""

    text: str
    mention: str
    intent: str
    product: str
    urgency: str


def make_tickets(n: int, *, seed: int = 0, split: str = "train") -> list[Item]:
    """Return `n` synthetic tickets with their JSON records as expected answers.

    The same arguments give the same tickets on every platform. Texts within one call are distinct, and no core of one
    split occurs in another, whatever the seeds.

    Args:
        n: Number of tickets, at least 0.
        seed: Seed of the generator.
        split: `train` or `test`.

    Raises:
        ValueError: `n` is negative or `split` is unknown.
    """
    if split not in ("train", "test"):
        raise ValueError(f'tickets have the splits "train" and "test", got "{split}"')
    items: list[Item] = []
    for index, ticket in enumerate(_tickets(n, seed, split)):
        record = {"intent": ticket.intent, "product": ticket.product, "urgency": ticket.urgency}
        items.append(
            Item(
                id=f"ticket-{split}-{seed}-{index:05d}",
                input=f"Ticket: {ticket.text}\nJSON:",
                expected=json.dumps(record, separators=(",", ":")),
                metadata={"synthetic": True, "generator": GENERATOR},
            )
        )
    return items


def pretraining_texts(n: int, *, seed: int = 0) -> list[str]:
    """Return `n` synthetic texts for a small base model: tickets with a note in prose, and an inventory as records.

    They teach the language of tickets and what a JSON record looks like, not the task: a ticket is answered by a note
    with another cue, other words and another order, a record describes who owns what, and no ticket has a core of the
    `train` or `test` split. The answer begins behind the first colon of the last line.

    Args:
        n: Number of texts, at least 0; every fourth is an inventory record.
        seed: Seed of the generator.

    Raises:
        ValueError: `n` is negative.
    """
    rng = random.Random(seed)  # noqa: S311 (reproducible text, no secret)
    texts: list[str] = []
    for index, ticket in enumerate(_tickets(n, seed, "pretrain")):
        wish = f"customer {_NOTES[ticket.intent]} about the {ticket.mention}"
        note = f"{_PRIORITIES[ticket.urgency]}, {wish}, {ticket.product}."
        texts.append(_inventory(rng) if index % 4 == 3 else f"Ticket: {ticket.text}\nNote: {note}")
    return texts


def _inventory(rng: random.Random) -> str:
    """Return a sentence on who owns what, with its JSON record."""
    name, room, count = rng.choice(_NAMES), rng.choice(_ROOMS), rng.choice(_COUNTS)
    product, kind = rng.choice(list(PRODUCTS)), rng.choice((*INTENTS, *URGENCIES, "intent", "urgency"))
    fields = {"owner": name, "product": product, "room": room, "count": count, "label": kind}
    chosen = rng.sample(sorted(fields), k=rng.randrange(2, 5))
    record = json.dumps({key: fields[key] for key in chosen}, separators=(",", ":"))
    return f"Inventory: {name} has {count} {product} in the {room}, label {kind}.\nRecord:{record}"


def _tickets(n: int, seed: int, split: str) -> Iterator[_Ticket]:
    """Draw `n` tickets of distinct texts whose cores belong to `split`."""
    if n < 0:
        raise ValueError(f"the number of tickets must not be negative, got {n}")
    rng = random.Random(seed)  # noqa: S311 (reproducible text, no secret)
    seen: set[str] = set()
    while len(seen) < n:
        core, ticket = _draw(rng)
        if zlib.crc32(core.encode()) % 16 in _SPLITS[split] and ticket.text not in seen:
            seen.add(ticket.text)
            yield ticket


def _draw(rng: random.Random) -> tuple[str, _Ticket]:
    """Draw one ticket; its core is the text before greeting, order and typos."""
    intent, product, urgency = (rng.choice(list(vocabulary)) for vocabulary in (INTENTS, PRODUCTS, URGENCIES))
    mention = rng.choice(PRODUCTS[product])
    request = rng.choice(INTENTS[intent]).format(p=mention)
    if rng.random() < 0.5:
        pace = rng.choice(URGENCIES[urgency])
    else:
        pace = f"{rng.choice(_EVENTS)} {rng.choice(_WHEN[urgency])}"
    body = [request, pace]
    if rng.random() < 0.35:
        other = rng.choice([name for name in PRODUCTS if name != product])
        body.insert(rng.randrange(3), rng.choice(_PRODUCT_ASIDES).format(o=rng.choice(PRODUCTS[other])))
    if rng.random() < 0.3:
        unasked = rng.choice([name for name in INTENTS if name != intent])
        body.insert(rng.randrange(len(body) + 1), rng.choice(_INTENT_ASIDES[unasked]))
    core = "|".join(sorted(body))
    if rng.random() < 0.3:
        body.reverse()
    name = rng.choice(_NAMES)
    parts = [rng.choice(_GREETINGS).format(n=name), *body, rng.choice(_CLOSINGS).format(n=name)]
    text = ". ".join(_misspell(part, rng) for part in parts if part)
    return core, _Ticket(text, mention, intent, product, urgency)


def _misspell(sentence: str, rng: random.Random) -> str:
    """Return the sentence with about one typo in twenty words: a letter swapped, dropped or doubled."""
    words: list[str] = []
    for word in sentence.split(" "):
        if len(word) > 3 and rng.random() < 0.07:
            at = rng.randrange(1, len(word) - 1)
            middle = rng.choice((word[at + 1] + word[at], word[at + 1], word[at] + word[at : at + 2]))
            words.append(word[:at] + middle + word[at + 2 :])
        else:
            words.append(word)
    return " ".join(words)
