"""Alert rules: read from a document, watched live, replayed."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import SpecErrors
from crucible.store import StoredEvent, decode, encode
from crucible.telemetry.alerts import Alert, AlertRules
from crucible.telemetry.anomalies import Point

_SECOND = 1_000_000_000


def rules(*given: dict[str, Any]) -> AlertRules:
    """Return rules named r0, r1 …"""
    return AlertRules.from_dict({"rules": [{"name": f"r{place}", **rule} for place, rule in enumerate(given)]})


def series(*values: float, name: str = "loss", start: int = 0) -> list[Point]:
    """Return points of a series, one a second and a step."""
    return [Point(name, value, start + place, (start + place) * _SECOND) for place, value in enumerate(values)]


def steps(alerts: list[Alert]) -> list[int | None]:
    """Return at which steps it fired."""
    return [alert.step for alert in alerts]


# --- documents ---

DOCUMENT = """
rules:
  - name: loss explodes
    metric: crucible_train.batch.stop:loss
    condition: {increases_by_frac: 0.5, over: 100}
    for: 3
    severity: critical
    message: "{rule}: {metric} is {value} at {step}"
  - {name: slow, metric: latency_ms, event: req_llm.*, where: {model: a}, condition: {above: 10}, cooldown_s: 5}
  - {name: silent, event: train.step, condition: {absent_for_s: 60}}
  - {name: errors, condition: {error_rate_above: .05, over: {last_n: 200}}}
  - {name: odd, metric: loss, condition: {anomaly: mad}}
"""


def test_rules_read_the_same_from_every_form(tmp_path: Path) -> None:
    """YAML, JSON, plain data and files; and what is written reads back."""
    from_yaml = AlertRules.from_yaml(DOCUMENT)
    plain = from_yaml.model_dump(mode="json")
    assert plain["rules"][0]["for"] == 3
    assert AlertRules.from_dict(plain) == from_yaml
    assert AlertRules.from_json(json.dumps(plain)) == from_yaml
    (tmp_path / "alerts.yaml").write_text(DOCUMENT)
    assert AlertRules.load(tmp_path / "alerts.yaml") == from_yaml
    assert [rule.condition.kind for rule in from_yaml.rules] == [
        "increases_by_frac",
        "above",
        "absent_for_s",
        "error_rate_above",
        "anomaly",
    ]


def test_all_problems_of_a_document_come_at_once() -> None:
    """Each with its path, and a guess at what was meant."""
    wrong = """
rules:
  - {name: a, metric: x, condition: {abve: 1}}
  - {name: b, metric: x, condition: {above: 1, below: 2}, for: 0}
  - {metric: x, condition: {increases_by_frac: .5}}
  - {name: c, metric: x, condition: {anomaly: maad}}
  - {name: d, metric: x, condition: {above: 1, over: 3}, severity: loud, colldown: 1}
  - {name: e, metric: x, condition: {error_rate_above: .5, over: 3}}
  - {name: f, metric: x, condition: {non_finite: false}}
  - {name: g, metric: x, condition: {anomaly: seasonal}}
"""
    with pytest.raises(SpecErrors) as caught:
        AlertRules.from_yaml(wrong)
    assert [error.path for error in caught.value.errors] == [
        "rules[0].condition.abve",
        "rules[1].condition",
        "rules[1].for",
        "rules[2].name",
        "rules[2].condition",
        "rules[3].condition.anomaly",
        "rules[4].condition",
        "rules[4].severity",
        "rules[4].colldown",
        "rules[5].condition",
        "rules[6].condition",
        "rules[7].condition",
    ]
    text = str(caught.value)
    for said in (
        'did you mean "above"',
        "exactly one of",
        "got above and below",
        "over: 100",
        "over means nothing to above",
        "over: {last_n: 200}",
        "can only be true",
        "options.seasonal_naive.period",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"condition": {"above": 1}}, "metric is required for above"),
        ({"condition": {"absent_for_s": 1}}, "a metric or an event"),
        ({"metric": "x", "condition": {"absent_for_s": 1}, "for": 2}, "more seconds instead"),
    ],
)
def test_a_rule_must_make_sense_as_a_whole(rule: dict[str, Any], said: str) -> None:
    """A condition without what it is about is refused, with what to do."""
    with pytest.raises(SpecErrors) as caught:
        rules(rule)
    assert said in str(caught.value)


def test_names_are_unique_and_there_is_a_rule() -> None:
    """Two rules of one name could not be told apart."""
    one = {"name": "same", "metric": "x", "condition": {"above": 1}}
    for wrong, said in (([one, one], "given twice: same"), ([], "at least one")):
        with pytest.raises(SpecErrors) as caught:
            AlertRules.from_dict({"rules": wrong})
        assert said in str(caught.value)


# --- conditions ---


def test_above_and_below_are_strict_and_fire_once_until_they_end() -> None:
    """NaN neither fulfils nor ends them; an infinity does as any number."""
    found = rules({"metric": "loss", "condition": {"above": 2}}, {"metric": "loss", "condition": {"below": 1}}).replay(
        series(2, 3, math.nan, 3, 1, math.inf, 0.5, math.nan, 0.5, -math.inf)
    )
    assert [(alert.rule, alert.step, alert.value) for alert in found] == [
        ("r0", 1, 3.0),
        ("r0", 5, math.inf),
        ("r1", 6, 0.5),
    ]


def test_it_fires_when_the_condition_has_held_so_many_times_in_a_row() -> None:
    """One that ends before counts from the start again."""
    rule = {"metric": "loss", "condition": {"above": 2}, "for": 3}
    assert steps(rules(rule).replay(series(3, 3, 1, 3, 3, 3, 3, 1, 3, 3, 3))) == [5, 10]


def test_a_cooldown_holds_back_what_flaps() -> None:
    """What still holds when it is over fires then."""
    rule = {"metric": "loss", "condition": {"above": 2}, "cooldown_s": 5}
    assert steps(rules(rule).replay(series(3, 1, 3, 1, 3, 3, 3, 3, 1))) == [0, 5]
    timeless = [Point("loss", value) for value in (3.0, 1.0, 3.0)]
    assert len(rules(rule).replay(timeless)) == 2


def test_growth_is_measured_from_so_many_steps_ago() -> None:
    """By steps, not by places; a fall is its mirror image; nothing is judged before there is something to compare."""
    up, down = {"increases_by_frac": 0.5, "over": 10}, {"decreases_by_frac": 0.5, "over": 10}
    points = [
        Point("loss", value, step) for value, step in ((100, 0), (200, 5), (140, 10), (301, 15), (50, 20), (50, 40))
    ]
    found = rules({"metric": "loss", "condition": up}, {"metric": "loss", "condition": down}).replay(points)
    assert [(alert.rule, alert.step) for alert in found] == [("r0", 15), ("r1", 20)]
    places = [Point("loss", value) for value in (1.0, 1.0, 2.0)]
    assert len(rules({"metric": "loss", "condition": {"increases_by_frac": 0.5, "over": 2}}).replay(places)) == 1


def test_growth_of_a_negative_value_or_of_nothing() -> None:
    """The share is of the size of what it was; anything is more than nothing."""
    rule = rules({"metric": "loss", "condition": {"increases_by_frac": 0.5, "over": 1}})
    assert steps(rule.replay(series(-10, -6, -2))) == [2]
    assert steps(rule.replay(series(0, 0, 1e-9))) == [2]


def test_growth_survives_a_resume_from_a_checkpoint() -> None:
    """Steps that come again replace what they were, and memory holds one value a step."""
    rule = rules({"metric": "loss", "condition": {"increases_by_frac": 0.5, "over": 2}})
    points = [*series(1, 1, 1, 9), *[Point("loss", 1.0, step) for step in (1, 2, 3, 4)]]
    assert steps(rule.replay(points)) == [3]


def test_what_is_no_number_is_its_own_condition() -> None:
    """NaN and both infinities."""
    rule = rules({"metric": "loss", "condition": {"non_finite": True}, "severity": "critical"})
    found = rule.replay(series(1, math.nan, 2, math.inf, -math.inf))
    assert steps(found) == [1, 3]
    assert {alert.severity for alert in found} == {"critical"}
    assert found[0].message == "loss is nan at step 1; the rule waits for: not a finite number"


def test_an_anomaly_can_be_waited_for() -> None:
    """By any method, with its options, judged by what came before."""
    rng = random.Random(1)
    values = [rng.gauss(1, 0.1) for _ in range(100)]
    values[80] = 50.0
    condition = {"anomaly": "mad", "options": {"mad": {"threshold": 20}}}
    assert steps(rules({"metric": "loss", "condition": condition}).replay(series(*values, math.nan))) == [80]


def test_the_error_rate_is_of_the_last_outcomes() -> None:
    """Once there are so many; events without an outcome do not count, nor do those of another kind."""
    rule = rules({"event": "req.*", "condition": {"error_rate_above": 0.25, "over": {"last_n": 4}}})
    outcomes = [False, None, True, True, True, False, False, True, True, True, True, False, False]
    items = [StoredEvent("req.stop", place, success=good, event_id=f"e{place}") for place, good in enumerate(outcomes)]
    other = [StoredEvent("other", place, success=False) for place in range(10)]
    found = rule.replay([*other, Point("loss", 1.0), *items])
    assert [(alert.event_id, alert.value, alert.metric) for alert in found] == [
        ("e6", 0.5, "error_rate"),
        ("e12", 0.5, "error_rate"),
    ]


def test_silence_is_noticed_by_the_time_of_the_events() -> None:
    """Other events let the time pass; it fires once, at the moment that it was due, and again after a value came."""
    rule = rules({"event": "beat", "condition": {"absent_for_s": 10}})
    items = [StoredEvent(name, at * _SECOND) for name, at in (("x", 0), ("beat", 5), ("x", 15), ("x", 16), ("x", 90))]
    items += [StoredEvent(name, at * _SECOND) for name, at in (("beat", 91), ("beat", 101), ("x", 120))]
    found = rule.replay(items)
    assert [(alert.timestamp_ns, alert.value, alert.metric) for alert in found] == [
        (15 * _SECOND, None, "beat"),
        (111 * _SECOND, None, "beat"),
    ]
    assert found[0].message == "beat is absent; the rule waits for: absent for 10 s"


def test_what_never_comes_is_absent_from_the_first_event_on() -> None:
    """And at the end of the recording, where that is given; within a cooldown it waits for its end."""
    rule = rules({"metric": "loss", "condition": {"absent_for_s": 10}, "cooldown_s": 100})
    assert rule.replay(series(1, name="other")) == []
    found = rule.replay([*series(1, name="other"), *series(1, start=20), *series(1, name="other", start=300)])
    assert [alert.timestamp_ns for alert in found] == [10 * _SECOND, 110 * _SECOND]
    assert [each.timestamp_ns for each in rule.replay(series(1, 1), until_ns=12 * _SECOND)] == [11 * _SECOND]
    assert rule.replay(series(1, 1), until_ns=11 * _SECOND) == []
    assert rule.stream().tick(10**18) == []  # nothing has begun


# --- which values ---


def test_event_and_fields_choose_the_values() -> None:
    """A prefix, an exact name, a field, metadata or a measurement; a mistyped key, or another type, matches nothing."""
    events = [
        StoredEvent("req.stop", 1, latency_ms=20.0, fields={"model": "a"}, event_id="1"),
        StoredEvent("req.stop", 2, latency_ms=20.0, metadata={"model": "b"}, measurements={"n": 1}, event_id="2"),
        StoredEvent("other", 3, latency_ms=20.0, metadata={"model": "a", "n": True}, event_id="3"),
    ]

    def found(**chosen: Any) -> list[str | None]:
        rule = {"metric": "latency_ms", "condition": {"above": 10}, **chosen}
        return [alert.event_id for alert in rules(rule).replay([*events, Point("latency_ms", 1.0)])]

    assert found() == ["1", "2", "3"]
    assert found(event="req.stop") == ["1", "2"]
    assert found(event="o*") == ["3"]
    assert found(where={"model": "a"}) == ["1", "3"]
    assert found(where={"n": 1}) == ["2"]
    assert found(where={"n": True}) == ["3"]
    assert found(where={"modle": "a"}) == []


def test_what_cannot_be_compared_is_not_equal() -> None:
    """A value that raises when it is compared does not stop the stream."""

    class Hostile:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = None  # type: ignore[assignment]

    event = StoredEvent("a", 1, latency_ms=20.0, fields={"model": Hostile()})
    assert rules({"metric": "latency_ms", "where": {"model": "a"}, "condition": {"above": 1}}).replay([event]) == []


def test_models_are_judged_on_their_own() -> None:
    """Three in a row means three of one model."""
    rule = rules({"metric": "t.stop:loss", "condition": {"above": 1}, "for": 3})
    items = [
        StoredEvent("t.stop", place, measurements={"loss": 2.0, "step": place}, metadata={"model": "ab"[place % 2]})
        for place in range(6)
    ]
    assert [(alert.step, alert.metric) for alert in rule.replay(items)] == [
        (4, "t.stop:loss[model=a]"),
        (5, "t.stop:loss[model=b]"),
    ]


def test_a_message_holds_what_it_names() -> None:
    """Other braces stay as they are."""
    rule = {
        "metric": "loss",
        "condition": {"above": 1},
        "message": "{rule} {metric} {value} {step} {other} {value.real}",
    }
    (alert,) = rules(rule).replay(series(2.5))
    assert alert.message == "r0 loss 2.5 0 {other} {value.real}"
    assert alert.to_dict()["condition"] == "above 1"
    (slow,) = rules({"metric": "latency_ms", "condition": {"above": 1}}).replay([StoredEvent("a", 1, latency_ms=2.0)])
    assert slow.message == "latency_ms (a) is 2; the rule waits for: above 1"


def test_conditions_say_themselves_in_words() -> None:
    """Every kind."""
    words = [rule.condition.text() for rule in AlertRules.from_yaml(DOCUMENT).rules]
    assert words == [
        "up by more than 0.5 of what it was 100 steps ago",
        "above 10",
        "absent for 60 s",
        "error rate of the last 200 above 0.05",
        "out of the ordinary (modified_z)",
    ]


def test_streams_are_bounded_in_number() -> None:
    """A field that is different in every event does not fill the memory; the stream silent longest is forgotten."""
    rule = rules({"metric": "x", "condition": {"above": 1}, "for": 2})
    stream = rule.stream()
    for place in range(1_500):
        stream.update(StoredEvent(f"e{place}", place, measurements={"x": 2.0}))
    assert len(stream._watches[0]._streams) == 1_000  # type: ignore[attr-defined]


# --- live and replayed ---


def test_handlers_are_told_and_one_that_raises_is_counted() -> None:
    """It stays, and the others are told too."""
    told: list[Alert] = []

    def broken(_: Alert) -> None:
        raise RuntimeError("no")

    stream = rules({"metric": "loss", "condition": {"above": 1}}).stream(handlers=[broken, told.append])
    alerts = [alert for point in series(2, 0, 2) for alert in stream.update(point)]
    assert told == alerts
    assert (len(alerts), stream.handler_errors) == (2, 2)


_ALL = rules(
    {"metric": "latency_ms", "condition": {"above": 5}, "for": 2, "cooldown_s": 3},
    {"metric": "latency_ms", "event": "a", "condition": {"absent_for_s": 2.5}},
    {"metric": "loss", "condition": {"absent_for_s": 4}, "cooldown_s": 7},
    {"metric": "loss", "condition": {"increases_by_frac": 0.5, "over": 3}},
    {"metric": "loss", "condition": {"non_finite": True}},
    {"condition": {"error_rate_above": 0.3, "over": {"last_n": 5}}, "where": {"model": "m"}},
    {"metric": "loss", "condition": {"anomaly": "iqr", "options": {"iqr": {"min_samples": 5}}}},
)

_item = st.one_of(
    st.builds(
        lambda gap, name, latency, good, model: (
            gap,
            lambda at: StoredEvent(name, at, latency_ms=latency, success=good, fields={"model": model}),
        ),
        st.integers(0, 5 * _SECOND),
        st.sampled_from("ab"),
        st.one_of(st.none(), st.floats(0, 10)),
        st.sampled_from([True, False, None]),
        st.sampled_from("mn"),
    ),
    st.builds(
        lambda gap, value, step: (gap, lambda at: Point("loss", value, step, at)),
        st.integers(0, 5 * _SECOND),
        st.one_of(st.floats(-5, 5), st.sampled_from([math.nan, math.inf])),
        st.one_of(st.none(), st.integers(0, 20)),
    ),
)


@given(made=st.lists(_item, max_size=60), ticks=st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1)), max_size=10))
@settings(deadline=None)
def test_a_replay_gives_exactly_what_the_stream_gave(made: list[Any], ticks: list[tuple[int, float]]) -> None:
    """Whatever came, whenever the clock ticked in between, and after a round trip of every event through the codec."""
    now, items = 0, []
    for gap, make in made:
        now += gap
        items.append(make(now))
    pauses = dict(ticks)
    stream = _ALL.stream()
    live: list[Alert] = []
    for place, item in enumerate(items):
        live += stream.update(item)
        if place in pauses and place + 1 < len(items):
            until = items[place + 1].timestamp_ns
            live += stream.tick(item.timestamp_ns + int((until - item.timestamp_ns) * pauses[place]))
    live += stream.tick(now + 3 * _SECOND)
    kept = [
        StoredEvent(
            item.name,
            item.timestamp_ns,
            latency_ms=item.latency_ms,
            success=item.success,
            fields=decode(encode(item.fields)),
        )
        if isinstance(item, StoredEvent)
        else item
        for item in items
    ]
    replayed = _ALL.replay(kept, until_ns=now + 3 * _SECOND)
    assert [repr(alert) for alert in replayed] == [repr(alert) for alert in live]
