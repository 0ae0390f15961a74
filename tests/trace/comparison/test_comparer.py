"""What `diff` finds in two chains."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from crucible.trace import Chain, Event
from crucible.trace.comparison import RUN_NOISE, DiffOptions, diff

START = datetime(2026, 1, 1, 10, tzinfo=UTC)
Maker = Callable[..., Chain]


def event(decision: str, kind: str = "decision_made", reasoning: str = "because", **fields: Any) -> Event:
    """Return an event with a fresh id."""
    return Event.new(kind, decision, reasoning, **{"timestamp": START, **fields})


def test_equal_duplicates_are_equal(chain_of: Maker) -> None:
    """Two identical chains with k equal events are identical; the predecessor called two of them half alike."""
    found = diff(chain_of(*[("loss_computed", "Loss: 0.1")] * 5), chain_of(*[("loss_computed", "Loss: 0.1")] * 5))
    assert found.is_empty
    assert found.similarity == 1
    assert len(found.unchanged) == 5


def test_one_duplicate_less(chain_of: Maker) -> None:
    """A dropped duplicate is one removed event, not all and not none."""
    found = diff(chain_of(*[("loss_computed", "Loss: 0.1")] * 5), chain_of(*[("loss_computed", "Loss: 0.1")] * 4))
    assert (len(found.removed), len(found.added), len(found.unchanged)) == (1, 0, 4)
    assert found.similarity == pytest.approx(8 / 9)


def test_a_duplicate_is_told_by_its_metadata(chain_of: Maker) -> None:
    """Of events with the same words, the one that was dropped is the one removed, not the last of them."""
    steps = [event("Loss: 0.1", "loss_computed", metadata={"step": step}) for step in range(6)]
    found = diff(
        chain_of(*steps),
        chain_of(*[event("Loss: 0.1", "loss_computed", metadata={"step": s}) for s in (0, 1, 3, 4, 5)]),
    )
    assert [each.place for each in found.removed] == [2]
    assert not found.changed


def test_everything_is_in_chain_order(chain_of: Maker) -> None:
    """Added and removed events come in the order of their chains, with their places."""
    a = chain_of(("a", "apples"), ("x", "qqqq"), ("b", "bananas"), ("y", "wwww"), ("c", "cherries"))
    b = chain_of(("a", "apples"), ("b", "bananas"), ("n", "1111111"), ("c", "cherries"), ("m", "2222222"))
    found = diff(a, b)
    assert [(each.place, each.event.decision) for each in found.removed] == [(1, "qqqq"), (3, "wwww")]
    assert [(each.place, each.event.decision) for each in found.added] == [(2, "1111111"), (4, "2222222")]
    assert found.first_divergence is not None
    assert found.first_divergence.place == 1
    assert found.first_divergence.a_event is a[1]
    assert found.first_divergence.b_event is b[1]


def test_every_field_is_compared(chain_of: Maker) -> None:
    """All fields but the id and, unless asked for, the time are compared; metadata by path."""
    old = event("keep", metadata={"lr": 0.1, "opt": {"name": "adam", "beta": [1, 2]}, "gone": None})
    new = Event.new(
        "decision_made",
        "keep it",
        "for a reason",
        timestamp=START + timedelta(seconds=1),
        alternatives=["x"],
        confidence=0.5,
        code_section="f.py",
        spec_reference="§1",
        metadata={"lr": 0.2, "opt": {"name": "adam", "beta": [1, 3]}, "new": None},
        stage_id="s",
        experiment_id="e",
    )
    (changed,) = diff(chain_of(old), chain_of(new)).changed
    assert changed.fields == {
        "decision": ("keep", "keep it"),
        "reasoning": ("because", "for a reason"),
        "alternatives": ((), ("x",)),
        "confidence": (None, 0.5),
        "code_section": (None, "f.py"),
        "spec_reference": (None, "§1"),
        "stage_id": (None, "s"),
        "experiment_id": (None, "e"),
        "metadata.lr": (0.1, 0.2),
        "metadata.opt.beta": ([1, 2], [1, 3]),
        "metadata.gone": (None, UNSET),
        "metadata.new": (UNSET, None),
    }
    (timed,) = diff(chain_of(old), chain_of(new), DiffOptions(ignore_timestamps=False)).changed
    assert timed.fields["timestamp"] == (START, START + timedelta(seconds=1))


def test_types_differ_by_position(chain_of: Maker) -> None:
    """By position, the n-th is compared with the n-th, whatever they say; what is longer was added."""
    found = diff(chain_of(("a", "x")), chain_of(("b", "x"), ("c", "y")), DiffOptions(match_by="position"))
    assert found.changed[0].fields == {"type": ("a", "b")}
    assert [each.place for each in found.added] == [1]


def test_json_decides_what_is_equal(chain_of: Maker) -> None:
    """1 is 1.0 but not true; NaN is itself; the order of keys means nothing; a file's list is a tuple."""
    same = diff(
        chain_of(event("a", metadata={"n": 1, "x": math.nan, "a": (1,), "k": {"p": 1, "q": 2}}, confidence=1)),
        chain_of(event("a", metadata={"k": {"q": 2, "p": 1}, "a": [1], "x": math.nan, "n": 1.0}, confidence=1.0)),
    )
    assert same.is_empty
    other = diff(chain_of(event("a", metadata={"n": 1})), chain_of(event("a", metadata={"n": True})))
    assert other.changed[0].fields == {"metadata.n": (1, True)}


def test_dotted_keys_are_not_paths(chain_of: Maker) -> None:
    """A key with a dot and a key inside a key do not fall together."""
    a, b = event("a", metadata={"a.b": 1, "a": {"b": 1}}), event("a", metadata={"a.b": 2, "a": {"b": 3}})
    (changed,) = diff(chain_of(a), chain_of(b)).changed
    assert changed.fields == {'metadata["a.b"]': (1, 2), "metadata.a.b": (1, 3)}


def test_foreign_keys_are_compared(chain_of: Maker) -> None:
    """Keys of a file that no version knows are compared, too."""
    data = event("a").to_dict()
    a, b = Event.from_dict({**data, "host": "x"}), Event.from_dict({**data, "host": "y"})
    assert diff(chain_of(a), chain_of(b)).changed[0].fields == {"extra.host": ("x", "y")}


def test_run_noise(chain_of: Maker) -> None:
    """Two runs in which the same happened are equal but for their noise, which `RUN_NOISE` names."""
    a = chain_of(event("a", metadata={"duration_ns": 1, "steps": 3}), metadata={"run_id": "1"})
    b = chain_of(event("a", metadata={"duration_ns": 2, "steps": 3}), metadata={"run_id": "2"})
    assert not diff(a, b).is_empty
    assert diff(a, b, DiffOptions(ignore=RUN_NOISE)).is_empty


@pytest.mark.parametrize("name", ["decision", "reasoning", "metadata.a", "metadata", "parent_id", "depends_on"])
def test_what_is_ignored_counts_as_equal(chain_of: Maker, name: str) -> None:
    """A field or path that is ignored is neither reported nor kept from matching."""
    parents = [event("p"), event("q")]
    full = {
        "decision": "x",
        "reasoning": "r",
        "metadata": {"a": {"b": 1}},
        "parent_id": parents[0].id,
        "depends_on": (parents[0].id,),
    }
    other = {
        "decision": "yy",
        "reasoning": "ss",
        "metadata": {"a": {"b": 2}},
        "parent_id": parents[1].id,
        "depends_on": (parents[1].id,),
    }
    base = msgspec.structs.replace(event("x", "a"), **full)
    top = name.partition(".")[0]
    changed = msgspec.structs.replace(base, **{top: other[top]})
    a, b = chain_of(*parents, base), chain_of(*parents, changed)
    for way in ("id", "content", "position"):
        assert not diff(a, b, DiffOptions(match_by=way)).is_empty
        assert diff(a, b, DiffOptions(match_by=way, ignore=(name,))).is_empty


def test_reworded_decisions_are_paired(chain_of: Maker) -> None:
    """A decision in other words is changed, not removed and added; one about something else is not paired."""
    a = chain_of(("a", "first"), ("decision_made", "keep the checkpoint at step 80"), ("b", "last"))
    b = chain_of(("a", "first"), ("decision_made", "keep the checkpoint at step 60"), ("b", "last"))
    (changed,) = diff(a, b).changed
    assert changed.reworded
    assert 0.9 < changed.similarity < 1
    found = diff(a, chain_of(("a", "first"), Event.new("decision_made", "QQQQQQQQ", "zzz"), ("b", "last")))
    assert (len(found.added), len(found.removed), len(found.changed)) == (1, 1, 0)


def test_the_same_type_is_preferred(chain_of: Maker) -> None:
    """Of two candidates for a rewording, one of the same type is taken, if the other is but a little nearer."""
    a = chain_of(("decision_made", "use a rank of 16 for it"))
    b = chain_of(("hypothesis_formed", "use a rank of 16 for it!"), ("decision_made", "use a rank of 8 for it"))
    (changed,) = diff(a, b).changed
    assert changed.b_place == 1


def test_reworded_past_a_neighbour(chain_of: Maker) -> None:
    """An event that was reworded and changed places with its neighbour is still the same one."""
    a = chain_of(("a", "one"), ("decision_made", "kept the checkpoint at step 80"), ("checkpoint_saved", "saved"))
    b = chain_of(("a", "one"), ("checkpoint_saved", "saved"), ("decision_made", "kept the checkpoint at step 60"))
    found = diff(a, b)
    assert not found.added
    assert len(found.changed) == 1


def test_moved_events_are_order_changes(chain_of: Maker) -> None:
    """The same event elsewhere is moved, not removed and added; as few as possible are."""
    words = [("t", word) for word in ("apples", "bananas", "cherries", "dates", "elderberries")]
    for way in ("content", "id"):
        a = chain_of(*words)
        events = list(a)
        b = chain_of(*events[1:4], events[0], events[4])
        found = diff(a, b, DiffOptions(match_by=way))
        assert [(each.a_place, each.b_place) for each in found.moved] == [(0, 3)]
        assert not found.added
        assert not found.removed
        assert 0.9 < found.similarity < 1


def test_losses_that_are_equal_by_chance_do_not_hold_the_chains_askew(chain_of: Maker) -> None:
    """Two trainings with other losses at every step pair step by step, whatever digits happen to recur elsewhere."""
    a = chain_of(*[("loss_computed", f"Loss: 0.{step * 37 % 100:02}") for step in range(100)])
    b = chain_of(*[("loss_computed", f"Loss: 0.{step * 61 % 100:02}") for step in range(100)])
    found = diff(a, b)
    assert not found.added
    assert not found.moved
    assert all(each.a_place == each.b_place for each in found.changed)


def test_links_are_compared_through_the_alignment(chain_of: Maker) -> None:
    """Links are equal if their ends are aligned, whatever the ids; a link to another event is a change of relation."""

    def build(dependency: int) -> Chain:
        p, q = event("plan"), event("question")
        return chain_of(p, q, event("answer", parent_id=p.id, depends_on=[(p, q)[dependency].id]))

    assert diff(build(0), build(0)).is_empty
    found = diff(build(0), build(1))
    (relation,) = found.relation_changes
    assert relation.relation == "depends_on"
    assert [end.decision for end in relation.removed] == ["plan"]
    assert [end.decision for end in relation.added] == ["question"]
    assert list(found.changed[0].fields) == ["depends_on"]


def test_links_to_nothing(chain_of: Maker) -> None:
    """A link to an event that no chain has is equal by its name, and differs from one that is there or has another."""
    a = chain_of(event("x", parent_id="gone"))
    assert diff(a, chain_of(event("x", parent_id="gone"))).is_empty
    (relation,) = diff(a, chain_of(event("x", parent_id="lost"))).relation_changes
    assert (relation.removed[0].place, relation.added[0].id) == (None, "lost")


def test_the_order_of_dependencies_means_nothing(chain_of: Maker) -> None:
    """What an event rests on is a set."""
    p, q = event("plan"), event("question")
    a, b = event("x", id="x", depends_on=[p.id, q.id]), event("x", id="x", depends_on=[q.id, p.id])
    assert diff(chain_of(p, q, a), chain_of(p, q, b)).is_empty


@pytest.mark.parametrize(
    ("old", "new", "delta"),
    [
        (0.1, 0.3, 0.2),
        (0.3, 0.1, -0.2),
        (None, 0.5, None),
        (0.5, None, None),
        (0.5, math.nan, None),
        (0.5, 10**400, None),
    ],
)
def test_confidence_deltas(chain_of: Maker, old: Any, new: Any, delta: float | None) -> None:
    """Deltas are rounded to six decimals; a confidence nobody stated, or no number, has none but is listed."""
    a, b = (msgspec.structs.replace(event("x"), confidence=value) for value in (old, new))
    found = diff(chain_of(a), chain_of(b))
    (each,) = found.confidence_deltas
    assert each.delta == delta
    assert found.changed[0].confidence_delta == delta


def test_ids_are_used_where_most_are_shared(chain_of: Maker) -> None:
    """More than half of the shorter chain's ids, of events of the same type, make it a match by id."""
    a = chain_of(event("one", id="1"), event("two", id="2"), event("three", id="3"))
    b = chain_of(event("entirely", id="1"), event("different", id="2"), event("words", id="9"))
    assert diff(a, b).matched_by == "id"
    assert [each.a_place for each in diff(a, b).changed] == [0, 1]
    other = chain_of(*[msgspec.structs.replace(each, type="hypothesis_formed") for each in b])
    assert diff(a, other).matched_by == "content"


def test_repeated_ids(chain_of: Maker) -> None:
    """The n-th bearer of an id is matched with the n-th, and a note says so."""
    a = chain_of(event("x", id="1"), event("y", id="1"))
    found = diff(a, chain_of(event("x", id="1"), event("z", id="1")))
    assert found.matched_by == "id"
    assert [(each.a_place, each.b_place) for each in found.changed] == [(1, 1)]
    assert "repeated" in found.notes[0]


def test_the_chains_themselves(chain_of: Maker) -> None:
    """Name, description and metadata of the chains are compared; they lower the similarity a little."""
    a = chain_of(("a", "x"), name="one", metadata={"seed": 1})
    b = chain_of(("a", "x"), name="two", metadata={"seed": 1, "host": {"os": "linux"}}, description="D")
    found = diff(a, b)
    assert found.chain_changes == {
        "chain.name": ("one", "two"),
        "chain.description": (None, "D"),
        "chain.metadata.host.os": (UNSET, "linux"),
    }
    assert not found.is_empty
    assert found.first_divergence is None
    assert 0.95 <= found.similarity < 1
    assert diff(a, b, DiffOptions(ignore=("chain.name", "chain.description", "chain.metadata.host"))).is_empty


def test_empty_chains(chain_of: Maker) -> None:
    """Two empty chains are equal; an empty and a full one have nothing in common."""
    assert diff(chain_of(), chain_of()).similarity == 1
    found = diff(chain_of(), chain_of(("a", "x")))
    assert found.similarity == 0
    assert found.first_divergence is not None
    assert found.first_divergence.a_event is None


def test_too_much_work_is_bounded_and_said(chain_of: Maker) -> None:
    """Past the bound, events are compared with those nearby only, and a note says so; neighbours still pair."""
    a = chain_of(*[("decision_made", f"use the adapter number {n} of rank {n}") for n in range(60)])
    b = chain_of(*[("decision_made", f"use an adapter numbered {n} with rank {n}") for n in range(60)])
    found = diff(a, b, DiffOptions(max_comparisons=100, min_similarity=0.5))
    assert len(found.changed) == 60
    wild = chain_of(*[("decision_made", "#" * (n + 40)) for n in range(60)])
    assert "max_comparisons" in diff(a, wild, DiffOptions(max_comparisons=100)).notes[0]


def test_metadata_that_holds_itself(chain_of: Maker) -> None:
    """Metadata that contains itself, or is nested a thousand deep, is compared without end or error."""
    loop: dict[str, Any] = {"a": 1}
    loop["list"] = [loop]
    deep: dict[str, Any] = {}
    lists: list[Any] = []
    for _ in range(5000):
        deep, lists = {"d": deep}, [lists]
    a = chain_of(event("x", metadata=loop), event("y", metadata={"deep": deep, "lists": lists}))
    assert diff(a, chain_of(event("x", metadata=loop), event("y", metadata={"deep": deep, "lists": lists}))).is_empty
    found = diff(a, chain_of(event("x", metadata={"a": 1}), event("y")))
    assert len(found.changed) == 2
    assert found.to_text()
    assert found.to_dict()
    assert found.to_html()
