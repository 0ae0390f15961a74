"""What is in the text of a diagram; what Mermaid makes of it stands in `test_rendering`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from crucible.errors import SpecError
from crucible.trace import Chain, Event, event_types, register_event_type
from crucible.trace.diagrams import MERMAID_KINDS, MermaidOptions, to_mermaid

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def chain_of(*events: Event, name: str = "chain") -> Chain:
    """Return a chain as a file would give it: repeated ids are fine."""
    return Chain.from_dict({"name": name, "events": [event.to_dict() for event in events]})


def event(kind: str = "decision_made", decision: str = "d", *, after_s: float = 0, **fields: object) -> Event:
    """Return an event so many seconds after the start."""
    return Event.new(kind, decision, "because", timestamp=START + timedelta(seconds=after_s), **fields)  # type: ignore[arg-type]


def test_flowchart_has_the_events_in_order() -> None:
    """Nodes by place, edges from each to the next, decision points as hexagons, the title above."""
    text = to_mermaid(
        chain_of(event(), event("epoch_completed", "Epoch 1"), event("loss_computed", alternatives=["x"]))
    )
    assert text.startswith('---\ntitle: "chain"\n---\nflowchart TD\n')
    assert '  E0{{"d"}}:::decision_made\n' in text
    assert '  E1["Epoch 1"]:::epoch_completed\n' in text
    assert '  E2{{"d"}}:::loss_computed\n' in text
    assert re.findall(r"E\d --> E\d", text) == ["E0 --> E1", "E1 --> E2"]


def test_alternatives_are_dashed_nodes_beside_the_decision() -> None:
    """Each alternative is a node of its own on a dashed line; past eight, one says how many more."""
    text = to_mermaid(chain_of(event(alternatives=["left", "right"])))
    assert '  A0_0(["left"]):::not_taken\n' in text
    assert "  E0 -.- A0_1\n" in text
    assert "stroke-dasharray" in text
    many = to_mermaid(chain_of(event(alternatives=[f"option {number}" for number in range(20)])))
    assert "12 more alternatives" in many
    assert "option 7" in many
    assert "option 8" not in many
    assert "left" not in to_mermaid(
        chain_of(event(alternatives=["left"])), options=MermaidOptions(show_alternatives=False)
    )


def test_confidence_is_written_where_it_was_stated() -> None:
    """An integer confidence is fine, an unsaid one leaves nothing, and the option takes all away."""
    chain = chain_of(
        event(confidence=1, decision="sure"), event(confidence=0.854, decision="so so"), event(decision="unsaid")
    )
    text = to_mermaid(chain)
    assert '"sure (1.00)"' in text
    assert '"so so (0.85)"' in text
    assert '"unsaid"' in text
    assert "(1.00)" not in to_mermaid(chain, options=MermaidOptions(include_confidence=False))
    assert "confidence 0.85" in to_mermaid(chain, "sequence")
    assert "confidence" not in to_mermaid(chain, "sequence", MermaidOptions(include_confidence=False))


@pytest.mark.parametrize("kind", ["flowchart", "graph"])
def test_every_registered_type_has_its_colours(kind: str) -> None:
    """No type is left without a class, whatever the registry holds at the time of the call."""
    register_event_type("diagram_drawn", category="drawing", meaning="A test drew.", color="#123456", fill="#fedcba")
    text = to_mermaid(chain_of(*(event(known.name) for known in event_types())), kind)
    for known in event_types():
        assert f":::{known.name}\n" in text
        assert f"  classDef {known.name} fill:{known.fill},stroke:{known.color}," in text


def test_unknown_types_get_safe_classes() -> None:
    """Names that Mermaid would misread never reach it; equal types share a class, an alias has its name's."""
    words = ["default", "end", "x y", "a;b", "", "no_such_type", "no_such_type", "stage_start"]
    text = to_mermaid(chain_of(*(event(word or "?") for word in words)))
    assert re.findall(r":::(\w+)", text) == [f"other_{n}" for n in (0, 1, 2, 3, 4, 5, 5)] + ["stage_started"]
    assert text.count("classDef") == 7


@pytest.mark.parametrize("kind", MERMAID_KINDS)
def test_without_colours_there_are_no_classes(kind: str) -> None:
    """Neither a definition nor a use of a class is left."""
    chain = chain_of(event(alternatives=["x"], parent_id="gone"), event("?"), event())
    text = to_mermaid(chain, kind, MermaidOptions(color_by_type=False, max_events=2))
    assert "classDef" not in text
    assert ":::" not in text


def test_sequence_hands_on_from_stage_to_stage() -> None:
    """Lanes are stages, or categories; a parent's arrow is solid, a mere step dotted, a failure ends in a cross."""
    run = event("stage_started", "run")
    first = event("decision_made", "choose", parent_id=run.id, stage_id="data", alternatives=["a", "b"], confidence=0.5)
    text = to_mermaid(
        chain_of(
            run,
            first,
            event("training_started", "train", stage_id="train", depends_on=[first.id, run.id, "gone"]),
            event("training_failed", "broke", stage_id="train", parent_id="lost"),
            event("stage_failed", "run ended", parent_id=run.id),
        ),
        "sequence",
    )
    lines = [line.strip() for line in text.splitlines()]
    assert lines[:3] == ["sequenceDiagram", "title chain", "autonumber"]
    assert lines[3:6] == ["participant P0 as Stage", "participant P1 as data", "participant P2 as train"]
    assert lines[6:] == [
        "P0-->>P0: STS run",
        "P0->>P1: DEC choose",
        "Note over P1: confidence 0.50<br/>instead of a<br/>or b",
        "P1-->>P2: TRS train",
        "Note over P2: rests on 2, 1<br/>rests on 1 event not in the chain",
        "P2--xP2: TRF broke",
        "Note over P2: part of lost, not in the chain",
        "P0-xP0: STF run ended",
    ]


def test_timeline_uses_the_real_times() -> None:
    """By time, not by place; one moment is one period; runs of a stage are sections, and none is named twice."""
    text = to_mermaid(
        chain_of(
            event(decision="last", after_s=90_000),
            event(decision="first"),
            event(decision="same: moment", after_s=0.2),
            event(decision="staged", after_s=61, stage_id="train"),
            event(decision="between", after_s=62),
        ),
        "timeline",
    )
    assert [line.strip() for line in text.splitlines()] == [
        "timeline",
        "title chain",
        "section 2026-01-01",
        "09#58;00#58;00 : first",
        ": same#58; moment",
        "section train",
        "2026-01-01 09#58;01#58;01 : staged",
        "section 2026-01-01 (2)",
        "09#58;01#58;02 : between",
        "section 2026-01-02",
        "10#58;00#58;00 : last",
    ]
    assert "09#58;00#58;00.200 : b" in to_mermaid(chain_of(event(), event(decision="b", after_s=0.2)), "timeline")


def test_graph_has_the_real_links() -> None:
    """Parents solid, dependencies dotted and labelled, the missing as nodes, stages as groups; a cycle is drawn."""
    text = to_mermaid(
        chain_of(
            event(id="aaaaaaaa-1", decision="one", depends_on=["aaaaaaaa-2", "aaaaaaaa-2"], stage_id="s"),
            event(id="aaaaaaaa-2", decision="two", parent_id="aaaaaaaa-1", depends_on=["gone"]),
            event(id="aaaaaaaa-2", decision="again", parent_id="gone"),
        ),
        "graph",
    )
    assert '  subgraph S0["s"]\n    N0{{"one"}}:::decision_made\n  end\n' in text
    assert re.findall(r"^  (\w+ -.*-?> \w+)$", text, re.MULTILINE) == [
        'N1 -. "basis for" .-> N0',
        "N0 --> N1",
        'M0 -. "basis for" .-> N1',
        "M0 --> N2",
    ]
    assert 'M0["missing#58; gone"]' in text


def test_graph_of_a_hub_stays_drawable() -> None:
    """An event that rests on thousands shows some of them, and says how many more there are."""
    hub = event(depends_on=[f"e{number}" for number in range(5000)])
    text = to_mermaid(chain_of(event(decision="before"), hub, event(decision="after")), "graph")
    assert '"4976 more events"' in text
    assert '"after"' in text


@pytest.mark.parametrize("kind", MERMAID_KINDS)
def test_a_long_chain_is_cut_and_says_so(kind: str) -> None:
    """At most `max_events`, and never more than Mermaid takes; the count of what is left out is exact."""
    chain = chain_of(*(event(decision=f"decision number {number}", after_s=number) for number in range(1000)))
    text = to_mermaid(chain, kind, MermaidOptions(max_events=3))
    assert "997 more events" in text
    assert text.count("decision number") == 3
    assert "1 more event" in to_mermaid(chain_of(event(), event()), kind, MermaidOptions(max_events=1))
    wordy = chain_of(*(event(decision="#;" * 100, alternatives=["{}" * 50] * 20, after_s=n) for n in range(1000)))
    text = to_mermaid(wordy, kind)
    assert len(text) <= 50_000
    assert text.count(" --> ") + text.count(" -.- ") + text.count("-.-> ") <= 500
    left_out = int(re.findall(r"(\d+) more events", text)[-1])
    assert left_out > 600
    shown = text.count("DEC ") if kind == "sequence" else len(re.findall(r"[EN]\d+\{\{| : #35;#59;", text))
    assert shown + left_out == 1000
    assert "1 more event" in to_mermaid(
        chain_of(event(decision="#" * 500, alternatives=["#" * 500] * 9)),
        kind,
        MermaidOptions(max_label_length=500, max_text_length=1000),
    )


@pytest.mark.parametrize("kind", MERMAID_KINDS)
def test_an_empty_chain_is_a_diagram(kind: str) -> None:
    """It says that there are no events."""
    assert "No events" in to_mermaid(Chain("empty"), kind)


@pytest.mark.parametrize("kind", MERMAID_KINDS)
def test_title(kind: str) -> None:
    """The chain's name, or another, or none."""
    chain = chain_of(event(), name="the name")
    assert "the name" in to_mermaid(chain, kind)
    assert "title" not in to_mermaid(chain, kind, MermaidOptions(title=""))
    assert "another" in to_mermaid(chain, kind, MermaidOptions(title="another"))


def test_labels_are_cut_at_a_whole_character() -> None:
    """A label has at most the length asked for, ellipsis and all, and keeps letters with their accents."""
    long = MermaidOptions(max_label_length=8)
    assert '"abcdefgh"' in to_mermaid(chain_of(event(decision="abcdefgh")), options=long)
    assert '"abcdefg…"' in to_mermaid(chain_of(event(decision="abcdefghi")), options=long)
    assert '"abcdef…"' in to_mermaid(chain_of(event(decision="abcdefe\u0301xyz")), options=long)
    assert f'"{"x" * 59}…"' in to_mermaid(chain_of(event(decision="x" * 61)))
    assert f" {'x' * 39}…" in to_mermaid(chain_of(event(decision="x" * 61)), "timeline")


def test_an_unknown_kind_is_refused() -> None:
    """The message names the kinds, and the one that was likely meant."""
    with pytest.raises(
        SpecError, match='expected one of flowchart, sequence, timeline, graph; did you mean "flowchart"'
    ) as info:
        to_mermaid(Chain("x"), "flow_chart")
    assert (info.value.path, info.value.code) == ("kind", "unknown_kind")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_label_length", 7),
        ("max_label_length", 501),
        ("max_events", 0),
        ("max_events", True),
        ("max_edges", 0),
        ("max_text_length", 999),
    ],
)
def test_options_out_of_range_are_refused(name: str, value: int) -> None:
    """The message names the option and its range."""
    with pytest.raises(SpecError, match=f"{name}: {name} must be an integer"):
        MermaidOptions(**{name: value})


@pytest.mark.parametrize("kind", MERMAID_KINDS)
def test_odd_fields_are_drawn(kind: str) -> None:
    """What was recorded with a word for a confidence, or with no words at all, has its place in every kind."""
    chain = Chain("odd")
    chain.add(event(confidence="high"))
    chain.add(event(decision=None, alternatives=[None, 5]))  # type: ignore[arg-type]
    chain.add(event(decision={"a": 1}, confidence=10**400, stage_id=7))  # type: ignore[arg-type]
    chain.add(event(decision="east", confidence=float("nan")))
    chain._append(Event("e", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), "x", "d", "r"))
    text = to_mermaid(chain, kind)
    assert "(empty)" in text
    if kind != "sequence":
        assert "d (high)" in text
        assert "east (nan)" in text
    else:
        assert "confidence high" in text
