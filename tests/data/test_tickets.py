"""Synthetic tickets: repeatable, disjoint, well-formed, and not solvable by looking for words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from crucible.data import Item
from crucible.data.tickets import (
    GENERATOR,
    INTENTS,
    PRODUCTS,
    TICKET_SCHEMA,
    URGENCIES,
    make_tickets,
    pretraining_texts,
)


def ticket_of(text: str) -> str:
    """Return the ticket's own words out of an input or a pre-training text."""
    return text.removeprefix("Ticket: ").partition("\n")[0]


def test_the_same_arguments_give_the_same_tickets_in_another_process() -> None:
    """Nothing but the arguments decides: not the process, not its hash seed."""
    code = (
        "from crucible.data.tickets import make_tickets, pretraining_texts\n"
        "import json; print(json.dumps([[i.input for i in make_tickets(20, seed=3)], pretraining_texts(20, seed=3)]))"
    )
    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
            ).stdout
        )
        for seed in ("1", "2")
    ]
    assert found[0] == found[1] == [[item.input for item in make_tickets(20, seed=3)], pretraining_texts(20, seed=3)]


def test_a_prefix_of_more_tickets_is_the_same() -> None:
    """Asking for more tickets does not change the first ones."""
    assert make_tickets(60, seed=1)[:20] == make_tickets(20, seed=1)


def test_splits_are_disjoint_whatever_the_seeds() -> None:
    """No ticket of one split is in another, also under other seeds, and none is in the pre-training texts."""
    train = {item.input for seed in range(3) for item in make_tickets(400, seed=seed, split="train")}
    test = {item.input for seed in range(3) for item in make_tickets(400, seed=seed, split="test")}
    read = {ticket_of(text) for text in pretraining_texts(2000, seed=0)}
    assert not train & test
    assert not read & {ticket_of(text) for text in train | test}


def test_texts_and_ids_are_distinct_within_a_split() -> None:
    """One call gives no text and no id twice."""
    items = make_tickets(1000, seed=0)
    assert len({item.input for item in items}) == len({item.id for item in items}) == 1000


def test_every_answer_fits_the_schema_and_every_item_is_stamped_synthetic() -> None:
    """Answers are compact JSON within the closed vocabularies; the stamp names the generator."""
    import jsonschema

    for item in make_tickets(300, seed=0, split="test"):
        assert isinstance(item, Item)
        assert item.expected is not None
        jsonschema.validate(json.loads(item.expected), TICKET_SCHEMA)
        assert item.metadata == {"synthetic": True, "generator": GENERATOR}


def test_the_schema_refuses_what_is_outside_the_vocabularies() -> None:
    """A record with another word, a missing or a further field does not comply."""
    import jsonschema

    good = {"intent": "refund", "product": "lock", "urgency": "low"}
    jsonschema.validate(good, TICKET_SCHEMA)
    for bad in ({**good, "urgency": "soon"}, {**good, "note": ""}, {"intent": "refund", "product": "lock"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, TICKET_SCHEMA)


def test_labels_are_about_balanced() -> None:
    """Every label is drawn about equally often, so the majority answer is no good one."""
    records = [json.loads(item.expected or "") for item in make_tickets(1800, seed=0)]
    for field, vocabulary in (("intent", INTENTS), ("product", PRODUCTS), ("urgency", URGENCIES)):
        counts = Counter(record[field] for record in records)
        assert counts.keys() == vocabulary.keys()
        assert max(counts.values()) < 2 * min(counts.values())


def test_looking_for_product_words_is_not_enough() -> None:
    """Many tickets mention another product too, so a search for names of products is often undecided."""
    mentioned = [
        sum(any(name in item.input for name in names) for names in PRODUCTS.values())
        for item in make_tickets(500, seed=0)
    ]
    assert sum(count > 1 for count in mentioned) > 100


def test_pretraining_texts_never_hold_the_tasks_answer() -> None:
    """A ticket is followed by a note in prose; records are of an inventory and have other fields."""
    texts = pretraining_texts(400, seed=0)
    notes = [text for text in texts if "\nNote:" in text]
    records = [json.loads(text.partition("\nRecord:")[2]) for text in texts if "\nRecord:" in text]
    assert len(notes) == 300
    assert len(records) == 100
    assert not any("{" in text for text in notes)
    assert not any({"intent", "urgency"} & record.keys() for record in records)


def test_some_words_have_typos() -> None:
    """A few words in a hundred are misspelt: enough to matter, not so many that nothing can be read."""
    tables = [*INTENTS.values(), *PRODUCTS.values(), *URGENCIES.values()]
    known = {word.strip(",.") for table in tables for sentence in table for word in sentence.split()}
    long_known = {word for word in known if len(word) > 5}
    words = [word.strip(",.") for item in make_tickets(500, seed=0) for word in ticket_of(item.input).split()]
    right = sum(word in long_known for word in words)
    doubled = sum(any(word[:at] + word[at + 1 :] in long_known for at in range(len(word))) for word in words)
    assert 0.005 < doubled / right < 0.1


@pytest.mark.parametrize("arguments", [{"n": -1}, {"n": 1, "split": "dev"}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, object]) -> None:
    """A negative count and an unknown split are errors."""
    with pytest.raises(ValueError, match=r"negative|splits"):
        make_tickets(**arguments)  # type: ignore[arg-type]


def test_no_tickets_is_no_error() -> None:
    """Zero is a count."""
    assert make_tickets(0) == []
    assert pretraining_texts(0) == []
