"""Events out of LLM answers: what is tolerated, what becomes of it, and what is remarked on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crucible.trace import Event, event_types, register_event_type
from crucible.trace.parsing import Parsed, ParseIssue, parse, validate_events
from crucible.trace.parsing.issue import KINDS

DATA = Path(__file__).parent / "data"
WHOLE = "<decision>d</decision><reasoning>r</reasoning>"


def answer(name: str) -> str:
    """Return a sample answer."""
    return (DATA / f"{name}.md").read_text(encoding="utf-8")


def only(text: str) -> Event:
    """Return the one event of a text."""
    (event,) = parse(text).events
    return event


def kinds(text: str) -> list[str]:
    """Return the kinds of a text's issues."""
    return [issue.kind for issue in parse(text).issues]


def event(inner: str, head: str = 'type="decision_made"') -> str:
    """Return an event's tag with more in it."""
    return f"<event {head}>{WHOLE}{inner}</event>"


def found(parsed: Parsed) -> list[tuple[str, str]]:
    """Return types and decisions."""
    return [(each.type, each.decision) for each in parsed.events]


# What the predecessor's regex did with the same text, see the reference of crucible_trace 0.3.0.


@pytest.mark.parametrize(
    "tag",
    [
        "<event type='hypothesis_formed'>",
        '<event type = "hypothesis_formed">',
        '<EVENT type="hypothesis_formed">',
        "<event type=hypothesis_formed>",
        '<event\n  id="e1"\n  type="hypothesis_formed"\n>',
        '<event data-type="z" type="hypothesis_formed">',
        '<event type="hypothesis_formed" data-type="z">',
        "<event type=“hypothesis_formed”>",
        '<event type=\\"hypothesis_formed\\">',
        '<event type="hypothesis_formed>',
        '<event Type=" Hypothesis Formed ">',
        '<event type="hypothesis-formed">',
        '<event type="HypothesisFormed">',
        "<event hypothesis_formed>",
        "<event><type>hypothesis_formed</type>",
        "<event event_type='hypothesis_formed'>",
    ],
)
def test_the_type_is_found_however_the_tag_is_written(tag: str) -> None:
    """Quotes, spaces, case, order and attributes that only look like `type` make no difference."""
    read = only(f"{tag}{WHOLE}</event>")
    assert (read.type, read.decision, read.reasoning) == ("hypothesis_formed", "d", "r")


def test_a_tag_that_begins_with_event_is_none() -> None:
    """`<events type="x">` is no event, though the predecessor took it for one."""
    assert parse('<events type="decision_made"><decision>d</decision></events><event-log type="x"/>').events == []


def test_an_unclosed_event_does_not_swallow_the_next() -> None:
    """Both are kept with their own fields; the predecessor made one of them."""
    parsed = parse(f'<event type="hypothesis_formed"><decision>one <event type="decision_made">{WHOLE}</event>')
    assert found(parsed) == [("hypothesis_formed", "one"), ("decision_made", "d")]
    assert parsed.events[1].parent_id is None
    assert [issue.kind for issue in parsed.issues] == ["unclosed_tag", "missing_reasoning"]


def test_an_unknown_type_is_kept_as_written() -> None:
    """It never becomes a hypothesis; the issue says which type may have been meant."""
    parsed = parse(f'<event type="Hypothesis formd">{WHOLE}</event><event type="my_own">{WHOLE}</event>')
    assert [each.type for each in parsed.events] == ["Hypothesis formd", "my_own"]
    assert [(issue.kind, issue.severity) for issue in parsed.issues] == [("unknown_type", "warning")] * 2
    assert "hypothesis_formed" in parse(f'<event type="hypothesis_formd">{WHOLE}</event>').issues[0].message


def test_a_missing_type_is_untyped() -> None:
    """An event that names no type is kept under a type that the registry does not know."""
    text = f"<event id='e'>{WHOLE}</event>"
    assert only(text).type == "untyped"
    assert kinds(text) == ["missing_type"]


def test_every_type_and_alias_is_known() -> None:
    """The registry is read when parsing, so a type that was registered a moment ago is known."""
    register_event_type("parser_tested", category="reasoning", meaning="A test.", aliases=["parser_test"])
    for entry in event_types():
        for word in (entry.name, *entry.aliases, entry.name.replace("_", " ").title()):
            assert only(f'<event type="{word}">{WHOLE}</event>').type == entry.name


def test_missing_fields_are_none_or_empty_and_reported() -> None:
    """An event without decision and reasoning is returned; optional fields are None, not ""."""
    read = only('<event type="decision_made"><code_section></code_section></event>')
    assert (read.decision, read.reasoning, read.code_section, read.spec_reference) == ("", "", None, None)
    assert kinds('<event type="decision_made"><decision> </decision></event>') == [
        "missing_reasoning",
        "missing_decision",
    ]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        *(("0.85", 0.85), ("85%", 0.85), ("85 %", 0.85), ("8/10", 0.8), (".9", 0.9), ("0,85", 0.85), ("1", 1.0)),
        *(("0", 0.0), ("1.0", 1.0), ("100%", 1.0), ("8 out of 10", 0.8), ("~0.7", 0.7), ("0.85 (fairly sure)", 0.85)),
        *(("8.5e-1", 0.85), ("85 percent", 0.85), ("4 / 5", 0.8), ("none", None)),
    ],
)
def test_a_confidence_is_read(said: str, value: float | None) -> None:
    """Decimals with point or comma, percentages and fractions; nothing said is None without a remark."""
    text = event(f"<confidence> {said} </confidence>")
    assert only(text).confidence == (None if value is None else pytest.approx(value))
    assert kinds(text) == []


@pytest.mark.parametrize(
    "said",
    [
        *(
            "high",
            "unknown",
            "1.5",
            "-0.1",
            "150%",
            "85",
            "0.7-0.9",
            "0.85abc",
            "nan",
            "inf",
            "8/0",
            "12/10",
            "1" * 500,
            "\u0660.\u0665",
        )
    ],
)
def test_a_confidence_that_is_not_understood_is_none_with_a_warning(said: str) -> None:
    """Neither 1.0 nor clamped."""
    text = event(f"<confidence>{said}</confidence>")
    assert only(text).confidence is None
    (issue,) = parse(text).issues
    assert (issue.kind, issue.severity, issue.event_index) == ("bad_confidence", "warning", 0)
    assert text[issue.offset :].startswith("<confidence>")


@pytest.mark.parametrize(
    ("said", "entries"),
    [
        ("A, B; C,", ["A", "B", "C"]),
        ("SQL (fast, plain), NoSQL", ["SQL (fast, plain)", "NoSQL"]),
        ('"a, b", c', ['"a, b"', "c"]),
        ("a ), b", ["a )", "b"]),
        ("- A, with comma\n- B\n  goes on\n", ["A, with comma", "B\ngoes on"]),
        ("1. A, x\n2) B", ["A, x", "B"]),
        ("A\nB", ["A", "B"]),
        ('["A, x", "B"]', ["A, x", "B"]),
        ("<alternative>A, x</alternative><Alternative>B &amp; C</Alternative>", ["A, x", "B & C"]),
        ("<alternative>A<alternative>B</alternative>", ["A", "B"]),
        ("<ul><li>A, x</li><li>B</li></ul>", ["A, x", "B"]),
        ("None", []),
        ("Tom &amp; Jerry, B", ["Tom & Jerry", "B"]),
        ("use <b>A</b>, B", ["use <b>A</b>", "B"]),
    ],
)
def test_alternatives_are_read(said: str, entries: list[str]) -> None:
    """Commas and semicolons part them, unless tags, list items, JSON, brackets or quotes hold them together."""
    assert list(only(event(f"<alternatives>{said}</alternatives>")).alternatives) == entries


def test_alternatives_may_stand_alone() -> None:
    """`<alternative>` directly in an event is one of several."""
    assert only(event("<alternative>A, x</alternative><alternative>B</alternative>")).alternatives == ("A, x", "B")


def test_tags_and_attributes_give_all_fields() -> None:
    """Every field of an event can be said, in either way."""
    tags = {
        "id": "e2",
        "parent": "e1",
        "depends_on": "e1, e0",
        "stage": "s",
        "experiment_id": "x",
        "code_section": "f()",
        "spec-reference": "2.1",
        "timestamp": "2026-01-02T03:04:05+01:00",
        "confidence": "0.5",
    }
    before = event("", 'type="decision_made" id="e0"') + event("", 'type="decision_made" id="e1"')
    as_tags = parse(before + event("".join(f"<{name}>{value}</{name}>" for name, value in tags.items())))
    as_attributes = parse(
        before + event("", " ".join(["type=decision_made", *(f"{k}='{v}'" for k, v in tags.items())]))
    )
    assert as_tags.issues == as_attributes.issues == []
    read = as_tags.events[2]
    assert read == as_attributes.events[2]
    assert (read.id, read.parent_id, read.depends_on) == ("e2", "e1", ("e1", "e0"))
    assert (read.stage_id, read.experiment_id, read.code_section, read.spec_reference) == ("s", "x", "f()", "2.1")
    assert (read.timestamp, read.confidence) == (datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC), 0.5)


def test_metadata_is_json_tags_or_lines() -> None:
    """What is none of them is kept as text, with a warning."""
    assert only(event('<metadata>{"a": [1, "&lt;"]}</metadata>')).metadata == {"a": [1, "<"]}
    assert only(event("<metadata><a>1</a><id>x &amp; y</id></metadata>")).metadata == {"a": "1", "id": "x & y"}
    assert only(event("<metadata>a: 1\n- b: two</metadata>")).metadata == {"a": "1", "b": "two"}
    for odd in ("{'a': 1}", "so", '{"a": NaN}', '{"a":' * 10_000, '{"a": "\\ud800"}'):
        text = event(f"<metadata>{odd}</metadata>")
        assert only(text).metadata == {"text": odd}
        assert kinds(text) == ["bad_metadata"]


def test_what_is_no_field_goes_to_the_metadata() -> None:
    """Tags and attributes that an LLM made up are kept, and the remark says which field may have been meant."""
    parsed = parse(event("<risk>high</risk><reasonning>x</reasonning>", 'type="decision_made" data-type="z" urgent'))
    assert parsed.events[0].metadata == {"risk": "high", "reasonning": "x", "data-type": "z", "urgent": True}
    assert {issue.kind for issue in parsed.issues} == {"unknown_field"}
    assert any("did you mean reasoning?" in issue.message for issue in parsed.issues)


def test_a_tag_around_fields_is_a_wrapper() -> None:
    """An unknown tag does not hide the fields in it."""
    read = only(f'<event type="decision_made"><details>{WHOLE}<notes>n</notes></details></event>')
    assert (read.decision, read.reasoning, read.metadata) == ("d", "r", {"notes": "n"})


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a &lt; b &amp;&amp; c &gt; d &quot;&#39;&#x41;&nbsp;&mdash;", "a < b && c > d \"'A\xa0—"),
        ("&amp;lt;", "&lt;"),
        ("AT&T &unknown; &#xD800; &#99999999; &lt", "AT&T &unknown; &#xD800; &#99999999; &lt"),
        ("<![CDATA[ <decision>&lt;</event> ]]>", "<decision>&lt;</event>"),
        ("a<!-- not this -->b", "ab"),
        ("<b>bold</b> and <custom x='1'/>", "<b>bold</b> and <custom x='1'/>"),
        ("if a < b and c > d: a<b", "if a < b and c > d: a<b"),
        ('emit `<event type="x">` and `</event>`', 'emit `<event type="x">` and `</event>`'),
        ("print('<event type=\"x\">')", "print('<event type=\"x\">')"),
        ("the <reasoning> tag", "the <reasoning> tag"),
        ("uses <code>f(x)</code>", "uses <code>f(x)</code>"),
        (
            "\n```python\nx = '<event type=\"a\"></decision-x>'\n```\n",
            "```python\nx = '<event type=\"a\"></decision-x>'\n```",
        ),
    ],
)
def test_text_in_a_field_comes_back_as_meant(markup: str, text: str) -> None:
    """Character references, CDATA, comments, and tags that are text."""
    parsed = parse(f'<event type="decision_made"><decision>{markup}</decision><reasoning>r</reasoning></event>')
    assert [(each.decision, each.reasoning) for each in parsed.events] == [(text, "r")]


def test_code_in_an_event_is_its_section() -> None:
    """`<code_section>` and `<code>` hold whatever tags the code has."""
    code = "print(\"<event type='x'><decision>\", '</event>', a < b)"
    assert only(event(f"<code_section>{code}</code_section>")).code_section == code
    assert only(event("<code>f(<b>)</code>")).code_section == "f(<b>)"
    assert only(event("<code_section><![CDATA[&lt;]]></code_section>")).code_section == "&lt;"


@pytest.mark.parametrize(
    ("text", "decision", "reasoning"),
    [
        ("<decision>a<reasoning>b</reasoning></event>", "a", "b"),
        ("<decision>a</decision><reasoning>b</event>", "a", "b"),
        ("<decision>a</decision><reasoning>cut he", "a", "cut he"),
        ("<decision>a</decision><reasoning>cut</reas", "a", "cut"),
        ("<decision>a</decision></eve", "a", ""),
        ("<decision>a</decision><reas", "a", ""),
        ("<decision>a <!-- cut", "a <!-- cut", ""),
        ("<decision>a", "a", ""),
        ("", "", ""),
    ],
)
def test_what_is_cut_off_is_kept_with_what_it_has(text: str, decision: str, reasoning: str) -> None:
    """An event or field that is not closed is there, with an error that says so."""
    parsed = parse(f'<event type="decision_made">{text}')
    assert [(each.decision, each.reasoning) for each in parsed.events] == [(decision, reasoning)]
    assert {"truncated", "unclosed_tag"} & {issue.kind for issue in parsed.issues}


def test_a_cut_tag_keeps_its_attributes() -> None:
    """An event cut off inside its tag has what was there; one that says nothing yet is only reported."""
    assert only('<event id="e" type="decision_ma').type == "decision_ma"
    assert parse("so: <event").events == []
    assert kinds("so: <event") == ["truncated"]


def test_mentions_are_no_events() -> None:
    """Tags between backticks and prose such as "the <event loop>" are text."""
    parsed = parse('Use `<event type="x">`, `</event>`, `<event type="x">…</event>`; the <event loop> runs.')
    assert (parsed.events, parsed.issues) == ([], [])


def test_events_in_code_and_comments_are_reported_not_taken() -> None:
    """A program that prints tags makes no events; nothing is hidden silently."""
    hidden = event("")
    for text in (f"```python\n{hidden}\n```", f"<code>{hidden}</code>", f"<!-- {hidden} -->"):
        parsed = parse(text)
        assert parsed.events == []
        assert [issue.kind for issue in parsed.issues] == ["hidden_event"]
    for text in (f"```xml\n{hidden}\n```", f"```\n{hidden}\n```", f"```python\n{hidden}", f"<![CDATA[{hidden}]]>"):
        assert [each.decision for each in parse(text).events] == ["d"]


def test_text_without_tags_is_the_decision() -> None:
    """What stands in an event outside of its tags is taken where there is no decision, else remarked on."""
    assert only('<event type="decision_made">Use A.<reasoning>r</reasoning></event>').decision == "Use A."
    assert kinds(event("and so on")) == ["loose_text"]


def test_repeated_fields_keep_the_first() -> None:
    """Tags come before attributes; a different second value is remarked on."""
    text = event("<decision>e</decision>", 'type="decision_made" decision="f" type="x"')
    assert (only(text).type, only(text).decision) == ("decision_made", "d")
    assert kinds(text) == ["repeated_field", "repeated_field"]


def test_references_are_checked_and_kept() -> None:
    """Repeated ids, unknown ids and an event that names itself are errors; ids are kept as written."""
    text = event("<depends_on>e1 e9</depends_on>", 'type="decision_made" id="e1"') + event(
        "<parent_id>e8</parent_id><depends_on>e1</depends_on>", 'type="decision_made" id="e1"'
    )
    parsed = parse(text)
    assert [each.id for each in parsed.events] == ["e1", "e1"]
    assert [each.depends_on for each in parsed.events] == [("e1 e9",), ("e1",)]
    assert [issue.kind for issue in parsed.issues] == [
        *("dangling_reference", "duplicate_id", "dangling_reference", "dangling_reference")
    ]
    spaced = event("", "type=decision_made id=a") + event("", "type=decision_made id=b")
    assert parse(f"{spaced}{event('<depends_on>a b</depends_on>')}").events[2].depends_on == ("a", "b")


def test_times_that_cannot_be_read_are_kept() -> None:
    """They go to the metadata; the event has the time of parsing."""
    before = datetime.now(UTC)
    parsed = parse(event("<timestamp>yesterday</timestamp>"))
    assert parsed.events[0].metadata == {"timestamp": "yesterday"}
    assert before <= parsed.events[0].timestamp <= datetime.now(UTC)
    assert [issue.kind for issue in parsed.issues] == ["bad_timestamp"]


def test_issues_have_their_place() -> None:
    """Line and column count from 1, in characters; severity is the kind's."""
    text = "é\n  <event type='odd'>\n<decision>d</decision></event>\n</event>"
    assert validate_events(text) == [
        ParseIssue(
            *("missing_reasoning", "the event's reasoning is missing; expected <reasoning>…</reasoning>"),
            *(2, 3, 4, 0, "error"),
        ),
        ParseIssue(
            *("unknown_type", "unknown event type 'odd'; register it with register_event_type"),
            *(2, 10, 11, 0, "warning"),
        ),
        ParseIssue("stray_tag", "</event> closes no event", 4, 1, 54, None, "error"),
    ]
    assert all(issue.severity == KINDS[issue.kind][0] for issue in validate_events(text))


def test_deep_nesting_needs_no_stack() -> None:
    """Ten thousand events inside each other are read, each with the one around it as its parent."""
    depth = 10_000
    events = parse(f'<event type="decision_made">{WHOLE}' * depth + "</event>" * depth).events
    assert len(events) == depth
    assert [each.parent_id for each in events] == [None, *(each.id for each in events[:-1])]


FRAGMENTS = [
    '<event type="x">',
    "<event ",
    '<event a="',
    "<code>",
    "<decision>",
    "<!--",
    "<![CDATA[",
    "```python\n",
    "&lt;",
]
MORE = [
    '<event type="x"><decision>',
    "<event type=x><code_section>",
    "<code><event>",
    "<event>",
    "</event>",
    "`<event>`",
    "<event type=x><alternative a='",
    "<event type=x><metadata a='1'/>",
    "<event type=x><decision><!-- -->",
    "< event a=",
    "```x\n<event a='\n```\n",
]


@pytest.mark.parametrize("fragment", [*FRAGMENTS, *MORE])
@pytest.mark.slow
def test_repeated_openings_take_linear_work(fragment: str) -> None:
    """Twice the text is at most twice the lines run, and 200 KB finish at all: nothing is looked for twice."""
    parse(fragment * (200_000 // len(fragment)))
    small, large = (_lines_run(fragment * count) for count in (200, 400))
    assert large <= 2.1 * small


def _lines_run(text: str) -> int:
    import sys

    count = 0

    def trace(frame: object, what: str, argument: object) -> object:
        nonlocal count
        count += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # pyright: ignore[reportArgumentType]
    try:
        parse(text)
    finally:
        sys.settrace(before)
    return count


def test_a_claude_answer_in_prose_and_markdown() -> None:
    """Mentions, list items, a bare `<` in text, relationships and a percentage."""
    parsed = parse(answer("claude_markdown"))
    assert parsed.issues == []
    assert parsed.metadata == {"model": "claude-sonnet-4-5", "timestamp": "2026-03-01T10:00:00Z"}
    first, second = parsed.events
    assert first.alternatives == (
        "Fixed window, which lets bursts through at its edges",
        "Sliding log (exact, but memory grows)",
    )
    assert first.spec_reference == "Section 2.1 & 2.3"
    assert second.reasoning.endswith("if size < 100 bytes each, it fits.")
    assert (second.parent_id, second.depends_on, second.confidence) == ("e1", ("e1",), 0.85)


def test_a_gpt_answer_in_fences() -> None:
    """Events in an xml fence are found, those that the program prints are not; words for confidence count as unsaid."""
    parsed = parse(answer("gpt_fenced"))
    assert found(parsed) == [("pattern_applied", "Repository pattern"), ("ambiguity_flagged", "Assume soft deletes")]
    assert parsed.events[0].alternatives == ("Active Record", "raw SQL (fast, but scattered)")
    assert [each.confidence for each in parsed.events] == [0.8, None]
    assert parsed.events[1].parent_id == "A"
    assert parsed.events[1].metadata == {"impact": "high"}
    assert [issue.kind for issue in parsed.issues] == [
        "bad_confidence",
        "unknown_field",
        "hidden_event",
        "hidden_event",
    ]


def test_a_gemini_answer_in_attributes() -> None:
    """Self-closing events, typographic and escaped quotes, capitals, CDATA."""
    parsed = parse(answer("gemini_attributes"))
    assert parsed.issues == []
    assert [(each.type, each.decision, each.confidence) for each in parsed.events] == [
        ("decision_made", 'Use "asyncio"', 0.8),
        ("alternative_rejected", "threads", 0.75),
        ("hyperparameter_tuned", "lr = 3e-4", None),
    ]
    assert parsed.events[2].reasoning == "loss < 2 && stable"
    assert (parsed.events[1].stage_id, parsed.events[2].stage_id) == ("design", "tune")
    assert parsed.events[2].metadata == {"lr": 0.0003, "steps": 100}


def test_an_answer_cut_off_by_the_token_limit() -> None:
    """Three events, two of them unclosed, none swallowed."""
    parsed = parse(answer("truncated"))
    assert [(each.id, each.parent_id) for each in parsed.events] == [("e1", None), ("e2", None), ("e3", None)]
    assert parsed.events[1].alternatives == ("PEG, by hand", "yacc")
    assert parsed.events[2].reasoning == "Lines are needed only for mess"
    assert [(issue.kind, issue.event_index) for issue in parsed.issues] == [
        *(("unclosed_tag", 0), ("unclosed_tag", 1), ("truncated", 2))
    ]


def test_events_inside_events_are_children() -> None:
    """The event around is the parent, unless another is named; text goes on after an inner event."""
    parsed = parse(answer("nested"))
    plan, users, update, downtime = parsed.events
    assert (plan.parent_id, users.parent_id, update.parent_id) == (None, "plan", users.id)
    assert downtime.parent_id == "elsewhere"
    assert users.reasoning.startswith("Nothing depends on orders.")
    assert users.reasoning.endswith("So the order is clear.")
    assert users.confidence == 0.9
    assert [issue.kind for issue in parsed.issues] == ["dangling_reference"]
