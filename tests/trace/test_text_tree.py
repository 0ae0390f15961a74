"""Chains as a tree of text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace import Chain, Event, to_text
from crucible.trace.display import width

DATA = Path(__file__).parent / "data"
START = datetime(2026, 1, 1, 10, tzinfo=UTC)


def event(name: str, decision: str = "D", after_s: float = 0, **fields: object) -> Event:
    """Return an event with a readable id."""
    kind = str(fields.pop("type", "loss_computed"))
    moment = START + timedelta(seconds=after_s)
    fields = {"reasoning": "", **fields}
    return Event.new(kind, decision, id=name, timestamp=moment, **fields)  # type: ignore[arg-type]


def chain_of(*events: Event) -> Chain:
    """Return a chain of these events."""
    chain = Chain("tickets")
    chain.extend(events)
    return chain


def test_a_run() -> None:
    """A run reads as a tree: time, duration, type, decision, and below it why, over what and how sure."""
    chain = chain_of(
        event("p", "Pipeline started", type="stage_started", reasoning="2 stages to run"),
        event("s", "Stage train started", 0.01, type="stage_started", parent_id="p"),
        event(
            "d",
            "kept the checkpoint at step 80",
            8.1,
            type="decision_made",
            parent_id="s",
            reasoning="lowest validation loss (0.41) of the checkpoints that were saved",
            alternatives=["step 60", "step 100"],
            confidence=0.9,
        ),
        event(
            "f", "Stage train failed", 9, type="stage_failed", parent_id="s", metadata={"duration_ns": 8_990_000_000}
        ),
        event("e", "Pipeline failed", 9, type="stage_failed", parent_id="p", depends_on=["f"]),
    )
    assert to_text(chain) == (
        "tickets · 5 events, 1 decision, 9.00 s from 2026-01-01 10:00:00 UTC\n"
        "\n"
        "+0.00 s          stage_started  Pipeline started · 2 stages to run\n"
        "+0.01 s          stage_started  │ Stage train started\n"
        "+8.10 s          decision_made  │ │ kept the checkpoint at step 80\n"
        "                                │ │   why         lowest validation loss (0.41) of the checkpoints\n"
        "                                │ │               that were saved\n"
        "                                │ │   instead of  step 60 | step 100\n"
        "                                │ │   confidence  0.90\n"
        "+9.00 s  8.99 s  stage_failed   │ Stage train failed\n"
        "+9.00 s          stage_failed   Pipeline failed\n"
        "                                  rests on    Stage train failed\n"
    )


def test_code_and_spec_and_dependencies() -> None:
    """What an event rests on and refers to is shown, a dependency that is missing as such."""
    text = to_text(
        chain_of(event("a", "first"), event("b", depends_on=["a", "gone"], code_section="f.py", spec_reference="S 1"))
    )
    assert "rests on    first" in text
    assert "rests on    event gone, which is not in this chain" in text
    assert "code        f.py" in text
    assert "spec        S 1" in text


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_files_of_the_predecessor(path: Path) -> None:
    """Old chains read well, within 100 columns, every event once."""
    chain = Chain.load(path)
    text = to_text(chain)
    assert all(width(line) <= 100 for line in text.splitlines())
    assert all(entry.decision in text for entry in chain)


def test_empty() -> None:
    """An empty chain says so."""
    assert to_text(Chain("nothing", description="at all")) == ("nothing · 0 events, 0 decisions\nat all\nNo events.\n")


def test_nameless() -> None:
    """What has no name and no decision still reads."""
    chain = Chain("")
    chain.add(event("a", ""))
    assert to_text(chain).startswith("(no name) · 1 event, 0 decisions, 0 µs from")
    assert "loss_computed  (no decision)" in to_text(chain)


def test_hostile_strings_stay_text() -> None:
    """Nothing inside an event can move the cursor, break a line or reverse the page."""
    bad = "x\x1b[2J\r\n\u202e\x00"
    chain = Chain(bad, description=bad)
    fields = {"reasoning": bad, "alternatives": [bad], "code_section": bad, "parent_id": bad, "depends_on": [bad]}
    chain.add(event("a", bad, type=bad, **fields))
    text = to_text(chain)
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\\x1b[2J" in text


def test_durations_of_the_predecessor() -> None:
    """Microseconds, as the predecessor's stages wrote them, are durations, too; nonsense is none."""
    chain = chain_of(
        event("a", metadata={"duration_us": 1500}),
        event("b", metadata={"duration_ns": True}),
        event("c", metadata={"duration_ns": -1}),
        event("d", metadata={"duration_ns": "soon"}),
    )
    assert to_text(chain).count("ms  loss_computed") == 1
    assert "2 ms" in to_text(chain)


def test_late_and_early_events() -> None:
    """Events out of order have no negative offset."""
    assert "-" not in to_text(chain_of(event("a", after_s=5), event("b"))).splitlines()[2]


def test_wrong_links_are_shown() -> None:
    """What hangs on a missing parent, on a cycle or on a repeated id is shown once, and says so."""
    data = [
        event("orphan", "lost", parent_id="gone"),
        event("a", "chicken", parent_id="b"),
        event("b", "egg", parent_id="a"),
        event("twin", "one"),
        event("child", "of one", parent_id="twin"),
        event("twin", "two"),
    ]
    chain = Chain.from_dict({"name": "c", "events": [entry.to_dict() for entry in data]})
    text = to_text(chain)
    assert "note        its parent gone is not in this chain" in text
    assert "note        its parents form a cycle" in text
    for entry in data:
        assert sum(f"  {entry.decision}" in line or f"│ {entry.decision}" in line for line in text.splitlines()) == 1


def test_deep_chains() -> None:
    """A chain of 3,000 levels is shown; past 12 levels the indentation stays."""
    chain = chain_of(*(event(str(n), f"n{n}", parent_id=str(n - 1) if n else None) for n in range(3_000)))
    lines = to_text(chain).splitlines()
    assert len(lines) == 2 + 3_000
    assert lines[-1].endswith("│ " * 12 + "n2999")


def test_long_types_have_their_own_line() -> None:
    """A stranger's type as long as a sentence does not push the text off the page."""
    text = to_text(chain_of(event("a", "decided", type="t" * 150, metadata={"duration_ns": 5})), columns=80)
    assert all(width(line) <= 80 for line in text.splitlines())
    assert "decided" in text


def test_narrow() -> None:
    """Fewer than 60 columns are not promised."""
    chain = Chain.load(DATA / "v0.3_session_service_design.json")
    assert to_text(chain, columns=10) == to_text(chain, columns=60)
    assert max(map(width, to_text(chain, columns=60).splitlines())) <= 60


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.sampled_from(["decision_made", "loss_computed", "x" * 40]))))
def test_any_text(entries: list[tuple[str, str, str]]) -> None:
    """Whatever the strings are, lines stay within the columns and printable."""
    chain = Chain("any")
    parent = None
    for decision, reasoning, kind in entries:
        parent = chain.add(
            Event.new(kind, decision, reasoning, alternatives=[decision], parent_id=parent.id if parent else None)
        )
    for line in to_text(chain).split("\n"):
        assert width(line) <= 100
        assert all(char.isprintable() or char in "\u200c\u200d" for char in line)
