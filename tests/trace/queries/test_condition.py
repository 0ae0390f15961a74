"""The query language: what each test means, what is refused, and how deep it goes."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import SpecErrors
from crucible.trace import Chain, Event, event_types, register_event_type
from crucible.trace.queries import Check, Condition, Gate, query

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Event(
    id="first",
    timestamp=START,
    type="loss_computed",
    decision="Loss: 0.5",
    reasoning="The Straße is long",
    alternatives=("Adam", "SGD"),
    confidence=0.8,
    code_section="train.py",
    spec_reference="3.1",
    metadata={
        "loss": 0.5,
        "epoch": 1,
        "best": True,
        "tags": ["a", 1],
        "a": {"b": [{"c": 7}]},
        "a.b": "dot",
        "none": None,
    },
    parent_id="root",
    depends_on=("x", "y"),
    stage_id="s1",
    experiment_id="e1",
)
SECOND = Event("second", START + timedelta(hours=1), "stage_failed", "Stop", "", metadata={"epoch": 2, "best": 1})
ALIASED = next(entry for entry in event_types() if entry.aliases)


def holds(condition: dict[str, Any]) -> tuple[bool, bool]:
    """Return whether the two events meet a condition, however it is asked."""
    chain = Chain("two")
    chain.extend([FIRST, SECOND])
    parsed = Condition.from_dict(condition)
    found = query(chain, condition)
    assert found == query(chain, parsed) == [event for event in (FIRST, SECOND) if parsed.matches(event)]
    assert Condition.from_dict(parsed.to_dict()) == parsed
    json.dumps(parsed.to_dict())
    return FIRST in found, SECOND in found


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, (True, True)),
        # each of the 14 fields
        ({"id": "first"}, (True, False)),
        ({"timestamp": "2026-01-01T01:00:00Z"}, (False, True)),
        ({"timestamp": {"gt": START}}, (False, True)),
        ({"type": "loss_computed"}, (True, False)),
        ({"type": ["loss_computed", "stage_failed"]}, (True, True)),
        ({"type": {"ne": "loss_computed"}}, (False, True)),
        ({"type": {"starts_with": "stage_"}}, (False, True)),
        ({"decision": "Loss: 0.5"}, (True, False)),
        ({"decision": "loss: 0.5"}, (False, False)),
        ({"decision": {"contains": "LOSS"}}, (True, False)),
        ({"decision": {"starts_with": "Lo"}}, (True, False)),
        ({"decision": {"starts_with": "lo"}}, (False, False)),
        ({"decision": {"matches": r"^\w+$"}}, (False, True)),
        ({"decision": {"gte": "M"}}, (False, True)),
        ({"reasoning": ""}, (False, True)),
        ({"reasoning": {"contains": "STRASSE"}}, (True, False)),
        ({"alternatives": "Adam"}, (True, False)),
        ({"alternatives": "adam"}, (False, False)),
        ({"alternatives": ["none", "SGD"]}, (True, False)),
        ({"alternatives": {"eq": ["Adam", "SGD"]}}, (True, False)),
        ({"alternatives": {"eq": ["SGD", "Adam"]}}, (False, False)),
        ({"alternatives": {"ne": ["Adam"]}}, (True, False)),
        ({"alternatives": {"starts_with": "S"}}, (True, False)),
        ({"alternatives": {"exists": False}}, (False, True)),
        ({"alternatives": None}, (False, True)),
        ({"confidence": 0.8}, (True, False)),
        ({"confidence": ["gte", 0.8]}, (True, False)),
        ({"confidence": ("lt", 0.8)}, (False, False)),
        ({"confidence": [0.7, 0.8]}, (True, False)),
        ({"confidence": {"gt": 0.7, "lte": 1}}, (True, False)),
        ({"confidence": {"ne": 0.7}}, (True, False)),
        ({"confidence": None}, (False, True)),
        ({"confidence": [None, 0.8]}, (True, True)),
        ({"not": {"confidence": {"gte": 0.9}}}, (True, True)),
        ({"code_section": {"exists": True}}, (True, False)),
        ({"spec_reference": {"exists": False}}, (False, True)),
        ({"metadata": {"exists": True}}, (True, True)),
        ({"metadata": {"eq": {"epoch": 2, "best": 1}}}, (False, True)),
        ({"metadata": {"eq": {"epoch": 2, "best": True}}}, (False, False)),
        ({"metadata": None}, (False, False)),
        ({"parent_id": None}, (False, True)),
        ({"depends_on": "y"}, (True, False)),
        ({"depends_on": {"in": ["y", None]}}, (True, True)),
        ({"stage_id": {"ne": "s2"}}, (True, False)),
        ({"stage_id": {"ne": None}}, (True, False)),
        ({"stage_id": {"in": ["s1", "s2"]}}, (True, False)),
        ({"experiment_id": "e1"}, (True, False)),
        # the fields that a query adds
        ({"content": "stra"}, (True, False)),
        ({"content": ["stra", "STOP"]}, (True, True)),
        ({"content": {"matches": "(?i)^loss|^stop"}}, (True, True)),
        ({"content": {"starts_with": "The"}}, (True, False)),
        ({"since": START + timedelta(minutes=1)}, (False, True)),
        ({"until": "2026-01-01"}, (True, False)),
        ({"since": START, "until": datetime(2026, 1, 1, 1)}, (True, True)),
        ({"category": "metrics"}, (True, False)),
        ({"category": {"ne": "metrics"}}, (False, True)),
        # metadata paths
        ({"metadata.loss": {"lt": 0.6}}, (True, False)),
        ({"metadata.epoch": 1.0}, (True, False)),
        ({"metadata.epoch": [2, "2"]}, (False, True)),
        ({"metadata.best": True}, (True, False)),
        ({"metadata.best": 1}, (False, True)),
        ({"metadata.best": {"gte": 0}}, (False, True)),
        ({"metadata.best": {"in": [1, 5]}}, (False, True)),
        ({"metadata.a.b[0].c": 7}, (True, False)),
        ({"metadata.a.b": {"eq": [{"c": 7.0}]}}, (True, False)),
        ({'metadata["a.b"]': {"contains": "OT"}}, (True, False)),
        ({"metadata.tags": {"contains": "a"}}, (True, False)),
        ({"metadata.tags": {"contains": True}}, (False, False)),
        ({"metadata.tags[-1]": 1}, (True, False)),
        ({"metadata.a": {"contains": "b"}}, (True, False)),
        ({"metadata.none": {"exists": False}}, (True, True)),
        ({"metadata.none": None}, (True, True)),
        ({"metadata.loss": {"contains": "0"}}, (False, False)),
        ({"metadata.loss": {"gte": "0"}}, (False, False)),
        ({"metadata.absent": {"ne": 1}}, (False, False)),
        ({"not": {"metadata.absent": 1}}, (True, True)),
        # gates
        ({"and": [{"id": "first"}, {"stage_id": "s1"}]}, (True, False)),
        ({"or": [{"id": "first"}, {"id": "second"}]}, (True, True)),
        ({"or": [{"not": {"or": [{"id": "first"}]}}]}, (False, True)),
        ({"stage_id": "s1", "not": {"id": "first"}}, (False, False)),
        (
            {"type": "loss_computed", "or": [{"id": "second"}, {"and": [{"id": "first"}, {"confidence": 0.8}]}]},
            (True, False),
        ),
    ],
)
def test_meaning(condition: dict[str, Any], expected: tuple[bool, bool]) -> None:
    """Each test means what the language says; what is missing fails every comparison, and True is not 1."""
    assert holds(condition) == expected


def test_aliases_both_ways() -> None:
    """A type is met by its name or an alias, whichever the event carries, also when it is negated."""
    words = [ALIASED.name, *ALIASED.aliases]
    for carried in words:
        event = Event("x", START, carried, "d", "r")
        for asked in words:
            assert Condition.from_dict({"type": asked}).matches(event)
            assert Condition.from_dict({"type": ["other", asked]}).matches(event)
            assert not Condition.from_dict({"type": {"ne": asked}}).matches(event)


def test_types_registered_later_are_known() -> None:
    """A query reads the registry when it is asked: a type that was registered since counts."""
    chain = Chain("later")
    chain.add(Event("x", START, "queries_test_type", "d", "r"))
    condition = Condition.from_dict({"category": "training"})
    assert query(chain, condition) == []
    register_event_type("queries_test_type", category="training", meaning="Only in this test.")
    assert query(chain, condition) == list(chain)


@pytest.mark.parametrize(
    ("condition", "path", "said"),
    [
        ({"confidnce": 1}, "confidnce", 'did you mean "confidence"?'),
        ({"zzz": 1}, "zzz", "known are id"),
        ({"and": [{"id": "a"}, {"confidnce": 1}]}, "and[1].confidnce", "unknown field"),
        ({"not": {"or": [{"x": 1}]}}, "not.or[0].x", "unknown field"),
        ({"confidence": {"gtee": 1}}, "confidence.gtee", 'did you mean "gte"?'),
        ({"confidence": {"contains": "1"}}, "confidence.contains", "confidence has eq"),
        ({"confidence": {}}, "confidence", "no operator is given"),
        ({"confidence": True}, "confidence", "expected a number, got the boolean true"),
        ({"confidence": "0.8"}, "confidence", "expected a number"),
        ({"confidence": float("nan")}, "confidence", "finite"),
        ({"confidence": 10**400}, "confidence", "finite"),
        ({"confidence": ["gte", "x"]}, "confidence[1]", "expected a number"),
        ({"confidence": ["gtee", 1]}, "confidence[0]", "expected a number"),
        ({"type": 1}, "type", "expected text"),
        ({"type": []}, "type", "an empty list would match nothing"),
        ({"type": {"gte": "a"}}, "type.gte", "unknown operator"),
        ({"type": ["a", 1]}, "type[1]", "expected text"),
        ({"stage_id": {"in": "s1"}}, "stage_id.in", "expected a list"),
        ({"stage_id": {"exists": 1}}, "stage_id.exists", "true or false"),
        ({"stage_id": {"gte": None}}, "stage_id.gte", "expected text, got null"),
        ({"timestamp": "yesterday"}, "timestamp", "expected a time"),
        ({"since": None}, "since", "expected a time"),
        ({"until": {"lte": START}}, "until", "expected a time"),
        ({"category": "trainng"}, "category", 'did you mean "training"?'),
        ({"content": 5}, "content", "expected text"),
        ({"content": None}, "content", "expected text"),
        ({"content": {"eq": "a"}}, "content.eq", "unknown operator"),
        ({"content": []}, "content", "empty list"),
        ({"alternatives": {"eq": "a"}}, "alternatives.eq", "use `contains`"),
        ({"metadata": {"loss": 1}}, "metadata.loss", "write metadata.KEY"),
        ({"metadata": 5}, "metadata", "write metadata.KEY"),
        ({"metadata": [{}]}, "metadata", "write metadata.KEY"),
        ({"metadata.x": {"y": 1}}, "metadata.x.y", "write {eq"),
        ({"metadata.x": {"eq": {1, 2}}}, "metadata.x.eq", "expected a JSON value"),
        ({"metadata.x": {"gt": True}}, "metadata.x.gt", "expected a number or text"),
        ({"metadata.x": float("inf")}, "metadata.x", "JSON cannot carry"),
        ({"metadata.": 1}, "metadata.", "cannot be read"),
        ({"decision": {"matches": "("}}, "decision.matches", "cannot be used"),
        ({"decision": {"matches": r"(.)\1"}}, "decision.matches", "backreferences"),
        ({"or": []}, "or", "would match nothing"),
        ({"and": []}, "and", "would match everything"),
        ({"or": [{}]}, "or[0]", "would match everything"),
        ({"not": {}}, "not", "would match everything"),
        ({"not": [{"id": "a"}]}, "not", "expected a condition"),
        ({"and": {"id": "a"}}, "and", "expected a list of conditions"),
        ({"or": [5]}, "or[0]", "expected a condition"),
        ({1: 2}, "", "keys of a condition are text"),
        ("type", "", "expected a condition"),
    ],
)
def test_refused(condition: Any, path: str, said: str) -> None:
    """What is unknown or of a wrong kind is refused with its path, never taken for true."""
    with pytest.raises(SpecErrors) as caught:
        query(Chain("empty"), condition)
    [problem] = caught.value.errors
    assert problem.path == path
    assert said in problem.message


def test_every_problem_at_once() -> None:
    """All problems of a query are reported together, in its order."""
    with pytest.raises(SpecErrors) as caught:
        Condition.from_dict(
            {"a": 1, "and": [{"b": 1, "type": 5}, 6], "confidence": {"gtx": 1, "lt": "a"}, "not": {"c": 1}}
        )
    paths = [problem.path for problem in caught.value.errors]
    assert paths == ["a", "and[0].b", "and[0].type", "and[1]", "confidence.gtx", "confidence.lt", "not.c"]


def test_a_condition_that_contains_itself() -> None:
    """A mapping that contains itself is refused; one that stands in several places is not."""
    looped: dict[str, Any] = {"id": "a"}
    looped["not"] = looped
    with pytest.raises(SpecErrors) as caught:
        Condition.from_dict(looped)
    assert "not: the condition contains itself" in str(caught.value)
    shared = {"id": "first"}
    assert holds({"or": [shared, {"not": shared}]}) == (True, True)


def test_exploding_condition() -> None:
    """A small condition that stands for very many is refused by a stated limit."""
    bomb: dict[str, Any] = {"id": "a"}
    for _ in range(40):
        bomb = {"or": [bomb, bomb]}
    with pytest.raises(SpecErrors) as caught:
        Condition.from_dict(bomb)
    assert "more than 100,000 conditions" in str(caught.value)


def test_hostile_words_are_shortened() -> None:
    """An error about a huge key or value stays readable."""
    wide = {"x" * 10**6: 1, "type": {"y" * 10**6: 1}, "metadata." + "]" * 10**5: 1, "id": {"in": 10**5000}}
    with pytest.raises(SpecErrors) as caught:
        Condition.from_dict(wide)
    assert len(caught.value.errors) == 4
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize("depth", [10, 10_000])
def test_deep_nesting(depth: int) -> None:
    """Nesting has no limit: a deep condition is read, asked, compared, copied and written without recursion."""
    deep: dict[str, Any] = {"id": "first"}
    for level in range(depth):
        deep = [{"not": deep}, {"or": [deep, {"id": "no"}]}, {"and": [{"id": {"exists": True}}, deep]}][level % 3]
    condition = Condition.from_dict(deep)
    negations = sum(level % 3 == 0 for level in range(depth))
    assert condition.matches(FIRST) is (negations % 2 == 0)
    assert Condition.from_dict(condition.to_dict()) == condition == pickle.loads(pickle.dumps(condition))
    assert hash(condition) == hash(copy.deepcopy(condition))
    assert len(repr(condition)) > depth


def test_deep_problem() -> None:
    """A problem far inside has a path of readable length."""
    deep: dict[str, Any] = {"typo": 1}
    for _ in range(10_000):
        deep = {"not": deep}
    with pytest.raises(SpecErrors) as caught:
        Condition.from_dict(deep)
    [problem] = caught.value.errors
    assert problem.path.endswith(".not.typo")
    assert len(problem.path) < 300


def test_what_it_is_made_of() -> None:
    """A condition is its tree in postfix order; it cannot be changed, and equal ones are equal."""
    condition = Condition.from_dict({"type": "a", "not": {"since": START}})
    since = Check("timestamp", "gte", "2026-01-01T00:00:00.000000Z")
    assert condition.steps == (Check("type", "eq", "a"), since, Gate("not", 1), Gate("and", 2))
    assert condition.to_dict() == {"and": [{"type": {"eq": "a"}}, {"not": {"timestamp": {"gte": since.value}}}]}
    assert Condition.from_dict({"id": {"gte": "a", "lt": "b"}, "stage_id": "s"}).to_dict() == {
        "id": {"gte": "a", "lt": "b"},
        "stage_id": {"eq": "s"},
    }
    with pytest.raises(AttributeError):
        condition.steps = ()  # type: ignore[misc]


def test_the_callers_values_are_copied() -> None:
    """Changing what was passed in does not change the condition."""
    wanted = {"eq": {"a": [1]}}
    condition = Condition.from_dict({"metadata.x": wanted})
    wanted["eq"]["a"].append(2)
    assert condition.matches(Event("x", START, "t", "d", "r", metadata={"x": {"a": [1]}}))


def test_odd_events() -> None:
    """Events that hold what they should not are no reason to fail: they do not compare."""
    odd: Any = {"confidence": "high", "metadata": {"x": object(), "y": float("nan")}, "stage_id": 5, "decision": None}
    event = Event(**{"id": "o", "timestamp": datetime(2026, 1, 1), "type": "t", "reasoning": "r", **odd})
    tests: list[dict[str, Any]] = [{"confidence": {"gte": 0}}, {"metadata.x": 1}, {"metadata.y": {"gte": 0}}]
    tests += [{"stage_id": "5"}, {"stage_id": {"starts_with": "5"}}, {"decision": {"contains": ""}}]
    for test in tests:
        assert not Condition.from_dict(test).matches(event)
    assert Condition.from_dict({"since": START, "until": START}).matches(event)


@given(st.dictionaries(st.text(), st.none() | st.text() | st.integers() | st.lists(st.text()), min_size=1))
def test_unknown_keys_are_always_refused(condition: dict[str, Any]) -> None:
    """No mapping with a key that is no field is read, whatever else it holds."""
    unknown = {f"no field {key}": value for key, value in condition.items()}
    for wrapped in (unknown, {"id": "a", **unknown}, {"not": unknown}, {"or": [{"id": "a"}, unknown]}):
        with pytest.raises(SpecErrors) as caught:
            Condition.from_dict(wrapped)
        assert len(caught.value.errors) == len(unknown)


@pytest.mark.parametrize(
    "data",
    [
        {"metadata.a": {"eq": {"b": 1}}},
        {"metadata.a": {"in": [{"b": [1, {"c": 2}]}, [1]]}},
        {"metadata": {"eq": {"a": {"b": [1]}}}},
    ],
)
def test_conditions_with_objects_hash(data: dict[str, Any]) -> None:
    """Equal conditions have equal hashes, also where they compare with objects."""
    one, other = Condition.from_dict(data), Condition.from_dict(json.loads(json.dumps(data)))
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    "data",
    [
        {"content": ["a"] * 60_000},
        {"and": [{f"metadata.k{number}": 1 for number in range(60_000)}, {"metadata.k1": 2}]},
        {"or": [{"not": {"content": ["a", "b"]}}, {"content": ["c", "d"]}]},
    ],
)
@pytest.mark.slow
def test_what_was_read_is_read_again(data: dict[str, Any]) -> None:
    """The limit of conditions counts the same in what `to_dict` writes."""
    parsed = Condition.from_dict(data)
    assert Condition.from_dict(parsed.to_dict()) == parsed


@pytest.mark.slow
def test_too_many_conditions_are_refused() -> None:
    """Tests and gates are counted; what shares its parts with itself does not explode."""
    shared: dict[str, Any] = {"id": "a"}
    for _ in range(60):
        shared = {"or": [shared, shared]}
    empty: dict[str, Any] = {"and": []}
    for _ in range(60):
        empty = {"and": [empty, empty]}
    for data in ({"or": [{"id": "a"}] * 100_001}, shared, empty):
        with pytest.raises(SpecErrors) as caught:
            Condition.from_dict(data)
        assert caught.value.errors[-1].code == "too_many"


def test_any_of_many_values() -> None:
    """Thousands of numbers, lists, objects, words and times are looked up, not gone through; true is not 1."""
    many: list[Any] = list(range(3_000))

    def found(data: dict[str, Any]) -> bool:
        return Condition.from_dict(data).matches(FIRST)

    assert found({"metadata.epoch": [float(number) for number in many]})
    assert not found({"metadata.best": many})
    assert not found({"metadata.epoch": [True, *many[2:]]})
    assert found({"metadata.epoch": [True, *many]})
    assert found({"metadata.tags": {"in": [*many, ["a", 1.0]]}})
    assert not found({"metadata.tags": {"in": [*many, ["a", True]]}})
    assert found({"metadata.a": {"in": [*many, {"b": [{"c": 7}]}]}})
    assert found({"metadata.none": [*many, None]})
    assert found({"confidence": {"in": [*many, 0.8]}})
    assert found({"depends_on": {"in": [*map(str, many), "y"]}})
    assert not found({"depends_on": {"in": [*map(str, many), None]}})
    assert found({"timestamp": {"in": [START + timedelta(days=number) for number in many]}})


def test_nan_is_none_of_the_values() -> None:
    """NaN equals nothing, not even inside of lists."""
    nan = float("nan")
    chain = Chain("c")
    chain.add(Event("e", START, "t", "d", "r", confidence=nan, metadata={"a": nan, "b": [nan]}))
    for data in ({"metadata.a": [0, "nan"]}, {"metadata.b": {"in": [[0], ["nan"]]}}, {"confidence": {"in": [0, 1]}}):
        assert query(chain, data) == []
