"""Making events, checking them, and their JSON."""

from __future__ import annotations

import math
import pickle
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from crucible.errors import SpecErrors
from crucible.trace import Event

FIELDS = ["id", "timestamp", "type", "decision", "reasoning", "alternatives", "confidence", "code_section"]
FIELDS += ["spec_reference", "metadata", "parent_id", "depends_on", "stage_id", "experiment_id"]


def test_fourteen_fields() -> None:
    """An event has the predecessor's 14 fields, and its dict the same 14 keys."""
    event = Event.new("decision_made", "D", "R")
    assert list(Event.__struct_fields__) == FIELDS
    assert list(event.to_dict()) == FIELDS


def test_new() -> None:
    """A new event has a random id of 32 hex digits, the time in UTC, and nothing that was not said."""
    before = datetime.now(UTC)
    event, other = (Event.new("decision_made", "D", "R") for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", event.id)
    assert event.id != other.id
    assert before <= event.timestamp <= datetime.now(UTC)
    assert event.timestamp.utcoffset() == timedelta(0)
    assert event.confidence is None
    assert (event.alternatives, event.depends_on, event.metadata) == ((), (), {})
    assert event.metadata is not other.metadata
    assert event.validate() == []


def test_new_takes_every_field() -> None:
    """Every field can be given; lists are kept as tuples, an integer confidence as a float, metadata as a copy."""
    metadata = {"a": 1}
    event = Event.new(
        "stage_start",
        "D",
        "R",
        id="e1",
        timestamp=datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        alternatives=["A"],
        confidence=1,
        code_section="c",
        spec_reference="s",
        metadata=metadata,
        parent_id="p",
        depends_on=(name for name in ("x", "y")),
        stage_id="st",
        experiment_id="ex",
    )
    metadata["a"] = 2
    assert event == Event(
        "e1",
        datetime(2026, 1, 1, 10, tzinfo=UTC),
        "stage_started",
        "D",
        "R",
        ("A",),
        1.0,
        "c",
        "s",
        {"a": 1},
        "p",
        ("x", "y"),
        "st",
        "ex",
    )
    assert isinstance(event.confidence, float)


def test_naive_time_is_utc() -> None:
    """A time without an offset counts as UTC, never as now."""
    assert Event.new("x", "D", "R", timestamp=datetime(2026, 1, 1)).timestamp == datetime(2026, 1, 1, tzinfo=UTC)


def test_new_refuses() -> None:
    """An unknown field, or a string where a list belongs, is a mistake of the caller's."""
    with pytest.raises(TypeError, match="colour"):
        Event.new("decision_made", "D", "R", colour="red")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="alternatives must be a list of strings, got the string 'AB'"):
        Event.new("decision_made", "D", "R", alternatives="AB")


def test_frozen_and_picklable() -> None:
    """Events do not change, and travel between processes."""
    event = Event.new("decision_made", "D", "R", alternatives=["A"])
    with pytest.raises(AttributeError):
        event.parent_id = "x"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(event)) == event


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"type": "hypothesis_form"}, "unknown event type 'hypothesis_form'; did you mean \"hypothesis_formed\"?"),
        ({"type": "zzz"}, "unknown event type 'zzz'; register it with register_event_type"),
        ({"confidence": 1.5}, "confidence must be a number from 0 to 1, or None, got 1.5"),
        ({"confidence": -0.1}, "confidence must be a number from 0 to 1, or None, got -0.1"),
        ({"confidence": math.nan}, "confidence must be a number from 0 to 1, or None, got nan"),
        ({"confidence": True}, "confidence must be a number from 0 to 1, or None, got True"),
        ({"confidence": "0.5"}, "confidence must be a number from 0 to 1, or None, got '0.5'"),
        ({"decision": " "}, "decision must be a non-empty string, got ' '"),
        ({"reasoning": None}, "reasoning must be a non-empty string, got None"),
        ({"id": ""}, "id must be a non-empty string, got ''"),
        ({"alternatives": ("A", 1)}, "alternatives must hold strings, got 1"),
        ({"depends_on": (None,)}, "depends_on must hold strings, got None"),
        ({"timestamp": datetime(2026, 1, 1)}, "timestamp must be aware (UTC), got the naive 2026-01-01T00:00:00"),
        ({"id": "e", "parent_id": "e"}, "an event cannot be its own parent or dependency"),
        ({"id": "e", "depends_on": ("d", "e")}, "an event cannot be its own parent or dependency"),
        ({"metadata": {"a": {1, 2}}}, "metadata.a is a set, expected a JSON value"),
    ],
)
def test_validate(fields: dict[str, Any], problem: str) -> None:
    """Each problem is named in one sentence."""
    event = msgspec.structs.replace(Event.new("decision_made", "D", "R"), **fields)
    assert event.validate() == [problem]


def test_validate_reports_all() -> None:
    """All problems come together, not the first."""
    event = Event.new("zzz", "", "", confidence=2)
    assert len(event.validate()) == 4


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 1.0, 0.5, None])
def test_validate_accepts_confidence(confidence: float | None) -> None:
    """Integers are fine as a confidence (the predecessor refused 0 and 1), and so is none at all."""
    event = msgspec.structs.replace(Event.new("decision_made", "D", "R"), confidence=confidence)
    assert event.validate() == []


def test_aliases_are_valid() -> None:
    """An alias that a file holds is a known type."""
    assert msgspec.structs.replace(Event.new("x", "D", "R"), type="stage_start").validate() == []


MINIMUM = {"id": "e1", "timestamp": "2026-01-01T00:00:00Z", "type": "loss_computed", "decision": "D", "reasoning": "R"}


def test_from_dict_fills_in_what_the_predecessor_left_out() -> None:
    """Keys that older versions did not write load with their defaults; a missing confidence was 1.0 there."""
    event = Event.from_dict(MINIMUM)
    assert event == Event.new("loss_computed", "D", "R", id="e1", timestamp=datetime(2026, 1, 1), confidence=1.0)
    assert len(Event.from_dict({**MINIMUM, "id": None}).id) == 32


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (1, 1.0),
        (0.85, 0.85),
        ("0.85", 0.85),
        ("0.85abc", 0.85),
        ("85%", 0.85),
        (" 1e-2 ", 0.01),
        ("high", None),
        (True, None),
        (1.5, 1.5),
        (10**400, None),
        (math.inf, None),
        ([], None),
    ],
)
def test_from_dict_confidence(value: Any, expected: float | None) -> None:
    """A confidence that cannot be read is unknown, never 1.0; one out of range is kept for `validate`."""
    assert Event.from_dict({**MINIMUM, "confidence": value}).confidence == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-25T10:00:01.500000Z", datetime(2025, 11, 25, 10, 0, 1, 500000, tzinfo=UTC)),
        ("2025-11-25T10:00:01+02:00", datetime(2025, 11, 25, 8, 0, 1, tzinfo=UTC)),
        ("2025-11-25T10:00:01.5", datetime(2025, 11, 25, 10, 0, 1, 500000, tzinfo=UTC)),
        ("2025-11-25 10:00:01", datetime(2025, 11, 25, 10, 0, 1, tzinfo=UTC)),
        (datetime(2025, 11, 25), datetime(2025, 11, 25, tzinfo=UTC)),
    ],
)
def test_from_dict_timestamp(text: Any, expected: datetime) -> None:
    """Times with and without an offset load; naive ones are UTC (the predecessor made them now)."""
    assert Event.from_dict({**MINIMUM, "timestamp": text}).timestamp == expected


def test_from_dict_takes_odd_scalars() -> None:
    """What the predecessor wrote without checking loads for what it says."""
    odd = {"decision": 3, "reasoning": None, "stage_id": True, "alternatives": "A", "depends_on": [1, "x", False]}
    event = Event.from_dict({**MINIMUM, **odd})
    assert (event.decision, event.reasoning, event.stage_id) == ("3", "", "true")
    assert (event.alternatives, event.depends_on) == (("A",), ("1", "x", "false"))


def test_unknown_type_loads() -> None:
    """A type that nobody registered is kept as written; only `validate` remarks on it."""
    event = Event.from_dict({**MINIMUM, "type": "stage_warp"})
    assert event.type == "stage_warp"
    assert len(event.validate()) == 1


def test_unknown_keys_come_back() -> None:
    """Keys of a later version, or of somebody's own, survive loading and saving."""
    event = Event.from_dict({**MINIMUM, "colour": "red", "later": {"a": 1}})
    assert event.to_dict() == {
        **Event.from_dict(MINIMUM).to_dict(),
        "colour": "red",
        "later": {"a": 1},
    }
    assert Event.from_dict(event.to_dict()) == event
    assert pickle.loads(pickle.dumps(event)) == event


def test_from_dict_reports_all() -> None:
    """Every problem is reported with its key."""
    bad = {
        "timestamp": "yesterday",
        "type": "",
        "decision": ["D"],
        "alternatives": ["A", None],
        "depends_on": 5,
        "metadata": [],
        "code_section": {},
    }
    with pytest.raises(SpecErrors) as caught:
        Event.from_dict(bad)
    assert [str(error) for error in caught.value.errors] == [
        "timestamp: expected an ISO-8601 time, got 'yesterday'",
        "type: expected text, got an empty string",
        "decision: expected text, got a list",
        "alternatives[1]: expected text, got nothing",
        "code_section: expected text, got an object",
        "metadata: expected an object, got a list",
        "depends_on: expected a list of text, got a number",
    ]


@pytest.mark.parametrize("timestamp", [None, 5, "", "0001-01-01T00:00:00+14:00"])
def test_a_time_is_never_invented(timestamp: Any) -> None:
    """A time that is missing or out of the calendar is a problem, not now."""
    with pytest.raises(SpecErrors) as caught:
        Event.from_dict({**MINIMUM, "timestamp": timestamp})
    assert [error.path for error in caught.value.errors] == ["timestamp"]


@pytest.mark.parametrize(
    "value",
    [10**400, pytest.param(10**5000, id="huge"), "high", True, math.nan, Fraction(10**400), Decimal("0.5"), [1]],
)
def test_recording_checks_no_confidence(value: Any) -> None:
    """Whatever is given as a confidence is recorded; `validate` says in one sentence that it is none."""
    [problem] = Event.new("decision_made", "D", "R", confidence=value).validate()
    assert problem.startswith("confidence must be a number from 0 to 1, or None, got ")


def test_any_real_number_is_a_confidence() -> None:
    """A fraction or a NumPy number becomes a float."""
    assert Event.new("decision_made", "D", "R", confidence=Fraction(1, 4)).confidence == 0.25  # type: ignore[arg-type]
    numpy = pytest.importorskip("numpy")
    event = Event.new("decision_made", "D", "R", confidence=numpy.float32(0.25))
    assert event.confidence == 0.25
    assert type(event.confidence) is float
    assert event.validate() == []


def test_numbers_in_lists_become_text() -> None:
    """Learning rates are natural alternatives; other odd entries are kept, and remarked on."""
    event = Event.new("decision_made", "D", "R", alternatives=[0.1, 0.01, 3, True], depends_on=["a", 7])  # type: ignore[list-item]
    assert (event.alternatives, event.depends_on) == (("0.1", "0.01", "3", "true"), ("a", "7"))
    assert event.validate() == []
    odd = Event.new("decision_made", "D", "R", depends_on=[None])  # type: ignore[list-item]
    assert odd.depends_on == (None,)
    assert odd.validate() == ["depends_on must hold strings, got None"]
