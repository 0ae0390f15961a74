"""What must not be lost: events behind unclosed marks, attributes of field tags, values that are given twice."""

from __future__ import annotations

import pytest

from crucible.trace import Event, register_event_type, vocabulary
from crucible.trace.parsing import extract_code, parse, parse_to_chain, to_tags
from crucible.trace.parsing.code import code_blocks

TAG = '<event type="decision_made" id="{}"><decision>d</decision><reasoning>r</reasoning>{}</event>'


def whole(ident: object, inner: str = "") -> str:
    """Return a well-formed event."""
    return TAG.format(ident, inner)


def ids(text: str) -> list[str]:
    """Return the ids of a text's events."""
    return [event.id for event in parse(text).events]


def kinds(text: str) -> list[str]:
    """Return the kinds of a text's issues."""
    return [issue.kind for issue in parse(text).issues]


OPEN_SECTION = whole(1, "<code_section>Foo")
FIVE = "\n".join(whole(place) for place in range(2, 7))


@pytest.mark.parametrize(
    "text",
    [
        f"{OPEN_SECTION}\n{FIVE}\nEach `</code_section>` is closed.",
        f"{OPEN_SECTION}\n{FIVE}\nEach </code_section> is closed.",
        f"{OPEN_SECTION}\n{FIVE.removesuffix('</event>')}Foo</code_section></event>",
        f"{OPEN_SECTION.removesuffix('</event>')}\n{FIVE}\nThen </code_section> is closed.",
    ],
)
def test_an_open_code_section_swallows_no_event(text: str) -> None:
    """It ends with its event, whatever stands further on; a closing tag between backticks closes nothing."""
    assert ids(text) == ["1", "2", "3", "4", "5", "6"]
    assert "unclosed_tag" in kinds(text)


def test_a_code_section_that_writes_events_is_code() -> None:
    """Its tags belong together or stand in quotes; what it hides is reported, tag by tag."""
    for code in (f"f'{whole(2)}'\n{whole(3)}", "print('<event>'); print(\"<event type='x'>\")"):
        parsed = parse(whole(1, f"<code_section>{code}</code_section>"))
        assert [event.code_section for event in parsed.events] == [code]
        assert [issue.kind for issue in parsed.issues] == ["hidden_event"] * 2


@pytest.mark.parametrize("mark", ["- ", "* ", "1. ", "> ", "> - ", "**", "  2) ", ""])
def test_events_in_a_fence_that_is_cut_off_are_found(mark: str) -> None:
    """List marks and quotation marks belong to the beginning of a line."""
    text = f'```python\nx=1\n\n{mark}<event type="decision_made" id="1" decision="d" reasoning="r"/>\n'
    assert (ids(text), kinds(text)) == (["1"], [])


def test_a_tag_in_the_code_of_a_fence_that_is_cut_off_is_reported() -> None:
    """It is a part of the program, and nothing is left out silently."""
    text = '```python\nprint(\'<event type="decision_made" decision="d"/>\')\n'
    assert (ids(text), kinds(text)) == ([], ["hidden_event"])


def test_attributes_of_field_tags_say_what_an_empty_tag_does_not() -> None:
    """`id`, `ref`, `value` or `name`; of metadata, all; with `>` between quotes."""
    text = whole("e0") + whole("e1")
    text += whole(
        "e2",
        '<alternative name="a > b"/><confidence value="0.9"/><depends_on ref="e1"/><parent id="e0"></parent>'
        '<metadata loss="0.3" final/>',
    )
    event = parse(text).events[2]
    assert (event.alternatives, event.confidence, event.depends_on) == (("a > b",), 0.9, ("e1",))
    assert (event.parent_id, event.metadata) == ("e0", {"loss": "0.3", "final": True})
    assert kinds(text) == []


def test_other_attributes_of_field_tags_are_kept_and_reported() -> None:
    """In the metadata, under the tag's name; an alternative's name comes before its text."""
    text = whole(
        1,
        '<alternative name="Redis" why="slow"/><alternative name="X">too slow</alternative>'
        '<alternatives><option name="Y" rejected="y">late</option><li id="Z"/></alternatives>'
        '<reasoning source="s">r</reasoning><risk level="2">high</risk><metadata><k unit="s">1</k></metadata>',
    )
    (event,) = parse(text).events
    assert event.alternatives == ("Y: late", "Z", "Redis", "X: too slow")
    assert event.metadata == {
        "alternative.why": "slow",
        "alternatives.rejected": "y",
        "reasoning.source": "s",
        "risk": "high",
        "risk.level": "2",
        "k": "1",
        "k.unit": "s",
    }
    assert kinds(text) == ["unknown_field"] * 5


def test_attributes_of_wrappers_are_kept_and_reported() -> None:
    """Tags of unknown name around fields are no fields, but what they say is not left out."""
    text = '<event type="decision_made"><why level="1"><decision>d</decision><reasoning>r</reasoning></why></event>'
    assert parse(text).events[0].metadata == {"why.level": "1"}
    assert "unknown_field" in kinds(text)


def test_an_empty_confidence_is_remarked_on() -> None:
    """It counts as unsaid; `n/a` says so itself."""
    text = whole(1, "<confidence> </confidence>")
    assert (parse(text).events[0].confidence, kinds(text)) == (None, ["bad_confidence"])
    assert kinds(whole(1, "<confidence>N/A</confidence>")) == []


@pytest.mark.parametrize(("mark", "end"), [("<!--", "-->"), ("<![CDATA[", "]]>")])
def test_a_mark_that_is_text_swallows_no_event(mark: str, end: str) -> None:
    """An end that stands behind the event is not its own."""
    text = f'<event type="decision_made" id="1"><decision>emit {mark} x</decision><reasoning>r</reasoning></event>'
    text += f'<event type="decision_made" id="2"><decision>d</decision><reasoning>a {end} b</reasoning></event>'
    parsed = parse(f"{text}{whole(3)}")
    assert [event.decision for event in parsed.events] == [f"emit {mark} x", "d", "d"]
    assert parsed.issues == []
    loose = f'<event type="decision_made" id="1">{mark} x<decision>d</decision></event>{whole(2)} {end}'
    assert ids(loose) == ["1", "2"]


def test_what_cdata_and_comments_in_an_event_hide_is_reported() -> None:
    """They are what they are where the field goes on, and where the events in a comment belong together."""
    cdata = f'<event type="x"><decision><![CDATA[{whole(1)}]]></decision><reasoning>r</reasoning></event>'
    assert [event.decision for event in parse(cdata).events] == [whole(1)]
    assert kinds(cdata) == ["unknown_type", "hidden_event"]
    within = '<event type="decision_made"><decision>use <![CDATA[<event>]]> so</decision></event>'
    assert parse(within).events[0].decision == "use <event> so"
    assert "hidden_event" in kinds(within)
    comment = whole(1, f"<!-- {whole(2)} -->")
    assert (ids(comment), kinds(comment)) == (["1"], ["hidden_event"])


def test_what_is_given_twice_is_kept_twice() -> None:
    """Unknown tags, keys of metadata in every way of writing it, and both together become lists."""
    text = whole(1, "<note>one</note><note>two</note>")
    assert parse(text).events[0].metadata == {"note": ["one", "two"]}
    for twice in ("<k>1</k><k>2</k>", "k: 1\nk: 2", '{"k": "1", "k": "2"}'):
        assert parse(whole(1, f"<metadata>{twice}</metadata>")).events[0].metadata == {"k": ["1", "2"]}
    text = whole(1, '<metadata>{"a": 1, "note": "x"}</metadata><note>y</note><metadata>{"b": 2}</metadata>')
    assert parse(text).events[0].metadata == {"a": 1, "b": 2, "note": ["x", "y"]}
    assert kinds(text) == ["unknown_field"]


def test_a_time_that_cannot_be_read_is_kept_beside_one_in_the_metadata() -> None:
    """The message says that it is kept in the metadata, so it is."""
    text = whole(1, '<timestamp>yesterday</timestamp><metadata>{"timestamp": "x"}</metadata>')
    assert parse(text).events[0].metadata == {"timestamp": ["x", "yesterday"]}


@pytest.mark.parametrize(
    "language", ["causal_trace", "xml-trace", "text/xml", "plain_text", "svg", "json", "whatever", "xml"]
)
def test_fences_of_events_are_no_programs(language: str) -> None:
    """A word that names no programming language hides no events where there is nothing else."""
    text = f"```{language}\n<events>\n- {whole(1)}\n{whole(2)}\n</events>\n```\n```python\nx=1\n```"
    assert (ids(text), kinds(text)) == (["1", "2"], [])
    assert [block.text for block in code_blocks(text)] == ["x=1"]


@pytest.mark.parametrize("language", ["python", "c++", "jsx", "whatever"])
def test_programs_hide_events_and_each_is_reported(language: str) -> None:
    """Also in a language that is not known, if there is more than events."""
    text = f"```{language}\nx = '''{whole(1)}\n{whole(2)}'''\n```"
    assert (ids(text), kinds(text)) == ([], ["hidden_event"] * 2)
    assert extract_code(text).startswith("x = ")


def test_a_fence_ends_at_most_three_columns_deeper() -> None:
    """A docstring may hold a fence of its own."""
    program = 'def f():\n    """\n    ```\n    ex\n    ```\n    """\n    return 1'
    assert extract_code(f"```python\n{program}\n```\n") == program
    assert extract_code("    ```python\n    x\n       ```\ny") == "x"
    assert extract_code("```python\nx\n   ```\ny") == "x"


def test_of_types_that_look_alike_the_exact_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever was registered first."""
    for table in ("_types", "_canonical"):  # so that other tests do not meet these types
        monkeypatch.setattr(vocabulary, table, dict(getattr(vocabulary, table)))
    for name in ("re_parse", "reparse"):
        register_event_type(name, category="reasoning", meaning="A test.")
    for name in ("re_parse", "reparse"):
        assert parse(f"<event type='{name}'/>").events[0].type == name
    for name, kind in {"Re Parse": "re_parse", "Reparse": "reparse", "RE-PARSE": "re_parse"}.items():
        assert parse(f"<event type='{name}'/>").events[0].type == kind


def test_links_to_earlier_rounds_do_not_dangle() -> None:
    """Only what leads nowhere is an issue."""
    second = whole("e2", "<depends_on>e1 old</depends_on><parent_id>e9</parent_id>")
    chain = parse_to_chain([whole("e1") + whole("old"), second], "rounds")
    assert chain[2].depends_on == ("e1", "old")
    assert [issue["message"][:20] for issue in chain.metadata["parse_issues"]] == ["parent_id names 'e9'"]


@pytest.mark.parametrize(("said", "value"), [("1,000", None), ("1,000%", None), ("8/1,000", None), ("0,125", 0.125)])
def test_a_comma_before_three_digits_is_no_decimal_comma(said: str, value: float | None) -> None:
    """What may be a thousand is not read as one; "0," begins no thousand."""
    text = whole(1, f"<confidence>{said}</confidence>")
    assert parse(text).events[0].confidence == value
    assert kinds(text) == ([] if value else ["bad_confidence"])


@pytest.mark.parametrize("word", ["null", "None", " N/A "])
def test_a_word_for_nothing_is_no_value(word: str) -> None:
    """Of optional fields, the parent and dependencies; what `to_tags` writes is read as it was."""
    names = ("stage_id", "experiment_id", "spec_reference", "code_section", "parent_id")
    fields = "".join(f"<{name}>{word}</{name}>" for name in names)
    text = whole(1, f"{fields}<depends_on><id>{word}</id></depends_on><depends_on>{word}</depends_on>")
    (event,) = parse(text).events
    assert {getattr(event, name) for name in names} == {None}
    assert (event.depends_on, kinds(text)) == ((), [])
    made = Event.new("decision_made", "d", "r", id=word, stage_id=word, parent_id=word, depends_on=[word])
    assert parse(to_tags([made])).events == [made]


@pytest.mark.parametrize("tag", ['< event type="decision_made">', '<trace:event type="decision_made">'])
def test_tags_that_are_meant_for_events_are_reported(tag: str) -> None:
    """White space before the name and a prefix make another tag of it."""
    assert kinds(f"{tag}<decision>d</decision>")[0] == "hidden_event"
    assert kinds(f"`{tag}` and a < event loop") == []
