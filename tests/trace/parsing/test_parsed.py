"""Answers as chains, and what comments say of an answer."""

from __future__ import annotations

import pytest

from crucible.trace import Chain, Event
from crucible.trace.parsing import extract_metadata, parse, parse_to_chain, to_tags


def event(ident: str, inner: str = "") -> str:
    """Return an event that says its id."""
    return (
        f'<event type="decision_made" id="{ident}"><decision>{ident}</decision><reasoning>r</reasoning>{inner}</event>'
    )


def test_a_chain_holds_the_events_and_what_comments_say() -> None:
    """The caller's metadata comes before the comments'."""
    text = f"<!-- model: m --><!-- timestamp: 2026 -->{event('a')}{event('b', '<parent>a</parent>')}"
    chain = parse_to_chain(text, "round", description="of one", metadata={"timestamp": "now", "k": 1})
    assert (chain.name, chain.description) == ("round", "of one")
    assert chain.metadata == {"model": "m", "timestamp": "now", "k": 1}
    assert [each.decision for each in chain.children("a")] == ["b"]
    assert chain.validate_relationships() == []


def test_repeated_ids_are_replaced_in_a_chain() -> None:
    """Every event is there; the first keeps the id, inner events keep the parent around them, the issue is kept."""
    chain = parse_to_chain(event("a", event("in1")) + event("a", event("in2")), "x")
    assert [each.decision for each in chain] == ["a", "in1", "a", "in2"]
    assert [each.parent_id for each in chain] == [None, "a", None, chain[2].id]
    assert chain[0].id == "a" != chain[2].id
    assert [issue["kind"] for issue in chain.metadata["parse_issues"]] == ["duplicate_id"]


def test_rounds_merge() -> None:
    """Each round counts its ids anew; links stay in their round, else they lead back to earlier ones."""
    first = event("e1") + event("old")
    second = event("e1") + event("e2", "<depends_on>e1, old</depends_on>")
    chain = parse_to_chain([first, second], "two rounds")
    assert [each.decision for each in chain] == ["e1", "old", "e1", "e2"]
    assert chain[3].depends_on == (chain[2].id, "old")
    assert chain.validate_relationships() == []


def test_issues_in_a_chain_are_counted_and_not_endless() -> None:
    """The first hundred are listed."""
    chain = parse_to_chain("<event type='x'/>" * 100, "x")
    assert len(chain.metadata["parse_issues"]) == 100
    assert chain.metadata["parse_issue_count"] == 300
    assert chain.metadata["parse_issues"][0].keys() == {"kind", "message", "answer", "line", "column"}
    assert Chain.from_dict(chain.to_dict()) == chain


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        ("<!-- model: gpt -->", {"model": "gpt"}),
        ("<!--MODEL:gpt:4--> <!-- model: other -->", {"model": "gpt:4"}),
        ("<!--\nmodel: a\nprompt-version: 3\n-->", {"model": "a", "prompt_version": "3"}),
        ("<!-- todo: x --><!-- model: -->", {}),
        (f"{event('a')}<!-- temperature: 0 --></event>", {"temperature": "0"}),
        ("```python\n<!-- model: a -->\n```<code><!-- model: b --></code>", {}),
        ("<!-- model: a", {}),
    ],
)
def test_comments_give_metadata(text: str, metadata: dict[str, str]) -> None:
    """Known keys in any case, the first of each; not from code, not from a comment that is cut off."""
    if text.startswith("```"):
        text = text.replace("```<", "```\n<")
    assert extract_metadata(text) == parse(text).metadata == metadata


def test_tags_are_readable() -> None:
    """One field a line, only what is set, escaped."""
    made = Event.new(
        "decision_made", "a < b", "so & so", id="e1", alternatives=["x, y"], confidence=0.5, metadata={"k": 1}
    )
    lines = to_tags([made]).splitlines()
    assert lines[0].startswith('<event type="decision_made" id="e1" timestamp="')
    assert lines[1:] == [
        "  <decision>a &lt; b</decision>",
        "  <alternatives>",
        "    <alternative>x, y</alternative>",
        "  </alternatives>",
        "  <reasoning>so &amp; so</reasoning>",
        "  <confidence>0.5</confidence>",
        '  <metadata>{"k": 1}</metadata>',
        "</event>",
    ]
    assert to_tags([]) == ""


def test_what_a_file_cannot_hold_becomes_words() -> None:
    """Metadata that is no JSON is written as the nearest JSON; a confidence that is none comes back as None."""
    odd = Event.new("decision_made", "d", "r", metadata={"n": float("nan"), "o": {1}}, confidence=7)
    (back,) = parse(to_tags([odd])).events
    assert (back.metadata, back.confidence) == ({"n": "nan", "o": [1]}, None)
