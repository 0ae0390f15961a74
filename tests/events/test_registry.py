"""The names of events: what is known of them, and what may be added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crucible import events
from crucible.errors import SpecError
from crucible.events import registry
from crucible.events.registry import EventInfo


def info(**changes: Any) -> EventInfo:
    """Return an entry; arguments replace its values."""
    values: dict[str, Any] = {
        "name": "my_lab.probe.read",
        "category": "lab",
        "description": "A probe was read.",
        "emitted_by": "external",
        "measurements": {"duration_ns": "ns", "value": "1"},
        "aliases": ("old_lab.probe.read",),
        "metadata": {"probe": "which one"},
    }
    return EventInfo(**{**values, **changes})


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = set(registry.standard_events())
    yield
    for name in set(registry.standard_events()) - before:
        registry.unregister(name)


def test_aliases_are_found_but_not_listed() -> None:
    """An alias finds the event that it stands for, and is no event of its own."""
    found = registry.event_info("causal_trace.event.created")
    assert found is not None
    assert found.name == "crucible_trace.event.created"
    assert not [name for name in registry.standard_events() if name.startswith("causal_trace.")]
    assert registry.canonical_name("no.such") == "no.such"


@pytest.mark.parametrize(
    "name",
    [
        *(f"ensemble.prediction.{end}" for end in ("start", "stop", "exception")),
        "ensemble.vote.completed",
        *(f"hedging.request.{end}" for end in ("start", "stop", "exception")),
        "hedging.request.duplicated",
    ],
)
def test_planned_rooms_have_their_names(name: str) -> None:
    """What ensembles and hedging will emit is registered as planned, with durations in nanoseconds."""
    found = registry.event_info(name)
    assert found is not None
    assert found.emitted_by == "planned"
    assert found.category == name.split(".", 1)[0]
    if not name.endswith(".start"):
        assert found.measurements["duration_ns"] == "ns"


def test_every_category_has_its_function() -> None:
    """The functions give the names of their category, and all of them together every name once."""
    by_category = registry.events_by_category()
    by_function = {
        "llm": registry.llm_events(),
        "ensemble": registry.ensemble_events(),
        "hedging": registry.hedging_events(),
        "training": registry.training_events(),
        "data": registry.data_events(),
        "deployment": registry.deployment_events(),
        "framework": registry.framework_events(),
        "trace": registry.trace_events(),
        "telemetry": registry.telemetry_events(),
        "tools": registry.tool_events(),
        "xai": registry.xai_events(),
        "adversary": registry.adversary_events(),
    }
    assert by_function == by_category
    assert sorted(name for names in by_function.values() for name in names) == sorted(registry.standard_events())
    assert registry.events_of("no_such") == ()


def test_an_event_of_ones_own() -> None:
    """It is found by name and alias, listed in its category, and may be registered again as it is."""
    registry.register(info())
    registry.register(info())
    assert registry.event_info("old_lab.probe.read") == info()
    assert registry.events_by_category()["lab"] == ("my_lab.probe.read",)
    assert registry.aliases()["old_lab.probe.read"] == "my_lab.probe.read"
    assert registry.unregister("my_lab.probe.read")
    assert not registry.unregister("my_lab.probe.read")
    assert registry.event_info("old_lab.probe.read") is None


def test_an_alias_that_comes_later_is_heard_by_those_who_listen_already() -> None:
    """Who attached under a name of old hears the event once the name is known, and no longer when it is not."""
    with events.collect("old_lab.*") as prefix, events.collect("old_lab.probe.read") as exact:
        events.emit("my_lab.probe.read")
        registry.register(info())
        events.emit("my_lab.probe.read")
        events.emit("old_lab.probe.read")
        registry.unregister("my_lab.probe.read")
        events.emit("my_lab.probe.read")
    assert prefix.names() == exact.names() == ["my_lab.probe.read"] * 2


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"name": "undotted"}, "name", "dotted name"),
        ({"name": "My.Lab"}, "name", "dotted name"),
        ({"name": "lab..x"}, "name", "dotted name"),
        ({"aliases": ("undotted",)}, "aliases", "dotted name"),
        ({"aliases": ("a.b", "a.b")}, "aliases", "twice"),
        ({"aliases": ("my_lab.probe.read",)}, "aliases", "twice"),
        ({"category": ""}, "category", "one word"),
        ({"category": "my lab"}, "category", "one word"),
        ({"description": " "}, "description", "a sentence"),
        ({"emitted_by": "somebody"}, "emitted_by", "external, planned or a room"),
        ({"measurements": {"value": "furlong"}}, "measurements.value", "one of the units 1, ns"),
        ({"measurements": {"duration_ns": "ms"}}, "measurements.duration_ns", "its name says ns"),
        ({"measurements": {"tokens_per_s": "s"}}, "measurements.tokens_per_s", "its name says 1/s"),
        ({"metadata": {"probe": "two\nlines"}}, "metadata.probe", "one line"),
        ({"name": "crucible_train.batch.stop"}, "name", "registered already, by train"),
        ({"name": "causal_trace.event.created"}, "name", "an alias of 'crucible_trace.event.created'"),
        ({"aliases": ("crucible_train.batch.stop",)}, "aliases", "an event of its own"),
        ({"aliases": ("causal_trace.event.created",)}, "aliases", "an alias of 'crucible_trace.event.created'"),
    ],
)
def test_what_is_not_well_formed_or_clashes_is_refused(changes: dict[str, Any], path: str, says: str) -> None:
    """The error names the field and what was expected, and nothing is registered, not even what came before it."""
    before = registry.standard_events()
    with pytest.raises(SpecError, match=says) as refused:
        registry.register(info(name="my_lab.sound.one", aliases=()), info(**changes))
    assert refused.value.path == path
    assert registry.standard_events() == before
