"""The names of events."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import crucible
from crucible.events import registry

EMITTED = re.compile(r"""events\.(emit|span)\(\s*["']([a-z0-9_.]+)["']""")


def test_what_the_source_emits_is_registered() -> None:
    """Every name that is written out in the source where something is emitted is registered, under its own name."""
    found: set[str] = set()
    for path in Path(crucible.__file__).parent.rglob("*.py"):
        for kind, name in EMITTED.findall(path.read_text(encoding="utf-8")):
            found |= {name} if kind == "emit" else {f"{name}.start", f"{name}.stop", f"{name}.exception"}
    assert "crucible_trace.event.created" in found
    assert "crucible_framework.stage.stop" in found
    assert found <= set(registry.standard_events())


def test_aliases_are_found_but_not_listed() -> None:
    """An alias finds the event that it stands for, and is no event of its own."""
    info = registry.event_info("causal_trace.event.created")
    assert info is not None
    assert info.name == "crucible_trace.event.created"
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
    info = registry.event_info(name)
    assert info is not None
    assert info.emitted_by == "planned"
    assert info.category == name.split(".", 1)[0]
    if not name.endswith(".start"):
        assert info.measurements["duration_ns"] == "ns"
