"""Whatever the text: the parser returns, loses no well-formed event, and its issues lie in the text."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crucible.trace import Chain, Event
from crucible.trace.parsing import (
    code_blocks,
    extract_code,
    extract_metadata,
    parse,
    parse_to_chain,
    split_events_and_code,
    to_tags,
    validate_events,
)

QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

FRAGMENTS = st.sampled_from(
    [
        *(
            "<event",
            '<event type="decision_made">',
            "<event type='x' id=e1",
            "<EVENT TYPE=x>",
            "</event>",
            "</ event",
            "/>",
        ),
        *(
            "<events>",
            "<event/>",
            "<event loop>",
            ' type="',
            " id='e1'",
            " parent=e1",
            ' depends_on="e1, e2"',
            ">",
            "<",
        ),
        *("<decision>", "</decision>", "<reasoning>", "</reasoning>", "<alternatives>", "</alternatives>"),
        *(
            "<alternative>",
            "</alternative>",
            "<confidence>85%",
            "</confidence>",
            "<metadata>",
            "</metadata>",
            '{"a": 1}',
        ),
        *("<code_section>", "</code_section>", "<code>", "</code>", "<k>", "</k>", "<thoughts>", "</thoughts>"),
        *("<!--", "-->", "<!-- model: m -->", "<![CDATA[", "]]>", "&lt;", "&#0;", "&#xD800;", "&#99999999;", "&"),
        *(
            "```",
            "\n```python\n",
            "\n```\n",
            "\n~~~~\n",
            "`",
            '"',
            "'",
            "“",
            "\\",
            "=",
            "\n",
            " ",
            ",",
            ";",
            "- ",
            "1. ",
        ),
        *(
            "text",
            "e1",
            "\x00",
            "\ud800",
            "\u2028",
            "\r\n",
            "<depends_on>",
            "</depends_on>",
            "<timestamp>",
            "2026-01-01",
        ),
    ]
)
SOUP = st.lists(FRAGMENTS, max_size=60).map("".join)
SURROGATES = st.text(st.characters(), max_size=40)
ANY = SOUP | st.text(max_size=200) | SURROGATES

WORDS = st.text(max_size=30) | SOUP.map(lambda text: text.replace("\ud800", ""))
SAID = WORDS.filter(str.strip)
ENTRIES = st.lists(SAID, max_size=4).map(tuple)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["decision_made", "hypothesis_formed", "stage_failed", "of my own", '<odd> & "odder"'])
EVENTS = st.builds(
    Event,
    id=SAID,
    timestamp=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    type=TYPES,
    decision=WORDS,
    reasoning=WORDS,
    alternatives=ENTRIES,
    confidence=st.none() | st.floats(0, 1),
    code_section=st.none() | SAID,
    spec_reference=st.none() | SAID,
    metadata=st.dictionaries(WORDS, VALUES, max_size=3),
    parent_id=st.none() | SAID,
    depends_on=ENTRIES,
    stage_id=st.none() | SAID,
    experiment_id=st.none() | SAID,
)
CHAINS = st.lists(EVENTS, max_size=4, unique_by=lambda event: event.id)

JUNK = st.lists(
    st.sampled_from(
        [
            *(
                "Here is why.\n",
                "a < b, c > d & e",
                "<p>",
                "</p>",
                "<br/>",
                "<events>",
                "</events>",
                "<thinking>so</thinking>",
            ),
            *(
                "<decision>",
                "</decision>",
                "</reasoning>",
                "<alternatives>",
                "</event>",
                "the <event loop>",
                '"',
                "'",
                "`x`",
            ),
            *('use `<event type="x">` and `</event>`', "in `<code>`", "<!-- a comment with <event> -->", "-->", "]]>"),
            *(
                "\n```python\nx = '<event type=\"x\">'\n```\n",
                "\n```xml\n",
                "\n```\n",
                "\n~~~\n~~~\n",
                "- item\n",
                "&amp; &lt;",
            ),
            *(
                "<code>print('<event>')</code>",
                "</code>",
                "<eventual>",
                "<event-list>",
                "1. ",
                "\n\n",
                "**bold**",
                "= \\",
            ),
            *("<![CDATA[", "<!- ", "<event", "<events type='x'>", "\x00", "é", "\u2028"),
        ]
    )
    | st.text(st.characters(exclude_characters="<`~", exclude_categories=["Cs"]), max_size=30),
    max_size=8,
).map(lambda parts: "".join(parts) + "\n")


@QUICK
@given(ANY)
@example("<event type='a'><decision><event><code></decision>")
@example("<code>\n```\n</code>")
def test_no_text_makes_anything_raise(text: str) -> None:
    """Every function takes every string, lone surrogates and control characters included."""
    parse(text)
    extract_code(text)
    code_blocks(text)
    split_events_and_code(text)
    extract_metadata(text)
    chain = parse_to_chain([text, text], "soup")
    assert len({event.id for event in chain}) == len(chain) == 2 * len(parse(text).events)
    assert Chain.from_dict(chain.to_dict()) == chain


@QUICK
@given(ANY)
def test_issues_lie_in_the_text(text: str) -> None:
    """Offset, line and column name one character of the text, in rising order; the event named is there."""
    parsed = parse(text)
    lines = text.split("\n")
    for issue in parsed.issues:
        assert 0 <= issue.offset < len(text)
        assert lines[issue.line - 1][: issue.column - 1].endswith(text[: issue.offset].rsplit("\n", maxsplit=1)[-1])
        assert len("\n".join(lines[: issue.line - 1])) + (issue.line > 1) + issue.column - 1 == issue.offset
        assert issue.event_index is None or issue.event_index < len(parsed.events)
    assert [issue.offset for issue in parsed.issues] == sorted(issue.offset for issue in parsed.issues)


@QUICK
@given(ANY)
def test_the_same_text_gives_the_same_events_and_issues(text: str) -> None:
    """Only fresh ids and the time of parsing differ from one reading to the next."""
    first, second = parse(text), parse(text)
    assert first.issues == validate_events(text) == second.issues
    assert [_said(event, first.events) for event in first.events] == [
        _said(event, second.events) for event in second.events
    ]


def _said(event: Event, events: list[Event]) -> dict[str, object]:
    fields = event.to_dict()
    ids = [each.id for each in events]
    return {**fields, "id": None, "timestamp": None, "parent_id": event.parent_id in ids and ids.index(event.parent_id)}


@QUICK
@given(CHAINS)
@example([Event("e`", datetime(2026, 1, 1, tzinfo=UTC), "x", "`", "```python\n<event", ("`<event>`",))])
@example([Event(" e\t", datetime(2026, 1, 1, tzinfo=UTC), "x\ny", "&amp;lt;", "]]>", (" a\n", "\x85"), 1e-300)])
def test_tags_give_the_same_events_back(events: list[Event]) -> None:
    """`parse(to_tags(events))` has every field as it was, whatever text stands in them."""
    parsed = parse(to_tags(events))
    assert parsed.events == events
    doubtful = {"missing_decision", "missing_reasoning", "unknown_type", "dangling_reference"}
    assert {issue.kind for issue in parsed.issues} <= doubtful


@QUICK
@given(CHAINS, st.data())
def test_no_well_formed_event_is_lost_among_junk(events: list[Event], data: st.DataObject) -> None:
    """Prose, stray tags, closed code, closed comments and mentions around events take none away and change none."""
    text = data.draw(JUNK)
    for event in events:
        text += to_tags([event]) + data.draw(JUNK)
    found = [
        event
        for event in parse(text).events
        if event.timestamp.year < 2201 and event.id in {each.id for each in events}
    ]
    assert found == events


CUT = st.lists(
    st.sampled_from(
        [
            *(
                '<event type="x">',
                "<event type='x' id='cut",
                "<event type=x><decision>cut",
                "<event type=x><decision>a</decision>",
            ),
            *("<event>", "<event type=x><reasoning>\n- so", "<event type=x><alternatives><alternative>a", "<event"),
            *(
                "<event type=x><metadata><a>",
                "<event type=x><code_section>f(",
                "<event type=x><thoughts>hm",
                "\nprose\n",
            ),
            *("```\n", "<p>", "`", '"', "'", "</decision>", "</event>", "<event type=x><decision>cut <!-- "),
        ]
    ),
    max_size=5,
).map(lambda parts: "".join(parts) + "\n")


@QUICK
@given(CHAINS, st.data())
def test_events_that_are_cut_off_swallow_no_other(events: list[Event], data: st.DataObject) -> None:
    """Between unclosed events, fields and quotation marks, every whole event is found with its own fields."""
    text = ""
    for event in events:
        text += data.draw(CUT) + to_tags([event])
    parsed = {event.id: event for event in parse(text + data.draw(CUT)).events}
    for event in events:
        found = parsed[event.id]
        assert msgspec.structs.replace(found, parent_id=event.parent_id) == event
        assert event.parent_id is None or found.parent_id == event.parent_id
