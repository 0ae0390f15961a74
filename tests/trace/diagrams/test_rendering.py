"""Hostile chains in the real Mermaid, in a real browser: each is drawn, and says what it should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crucible.trace import Chain, Event
from crucible.trace.diagrams import MERMAID_KINDS, MermaidOptions, to_mermaid
from crucible.trace.diagrams.label import shortened

from .conftest import Mermaid
from .nasty import NASTY

pytestmark = pytest.mark.browser

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
MERMAID_NAMES = {"flowchart": "flowchart-v2", "graph": "flowchart-v2", "sequence": "sequence", "timeline": "timeline"}


def chain_of(name: str, events: list[Event]) -> Chain:
    """Return a chain with whatever a file may hold: `add` would refuse a repeated id."""
    chain = Chain(name, created_at=START)
    for event in events:
        chain._append(event)
    return chain


def bare(text: str) -> str:
    """Return what is left when lines are broken: SVG drops the spaces there."""
    return "".join(text.split())


def check(drawn: dict[str, Any], kind: str, text: str, words: list[str]) -> None:
    """Fail where Mermaid complained, drew something active, or lost a word."""
    assert drawn["error"] is None, f"{drawn['error']}\n{text}"
    assert drawn["kind"] == MERMAID_NAMES[kind]
    assert drawn["strange"] == 0
    seen = bare(drawn["all"])
    for word in words:
        assert bare(word) in seen, f"{word!r} is not in {drawn['words']}\n{text}"


def nasty_chain(word: str) -> Chain:
    """Return a chain that has one text wherever a chain can have one."""
    return chain_of(
        word,
        [
            Event(word, START, word, word, word, (word, word), 0.5, None, None, {}, None, (word,), word, word),
            Event("b", START, "decision_made", word, word, (), None, None, None, {}, word, (), None, None),
            Event(
                "c",
                START,
                word,
                "c",
                word,
                (word,),
                None,
                None,
                None,
                {},
                f"gone b {word}",
                (f"gone c {word}",),
                word,
                None,
            ),
        ],
    )


SLOW_TO_DRAW = ("flowchart", "graph")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW_TO_DRAW else kind for kind in MERMAID_KINDS]
)
def test_nasty_texts_are_drawn_as_they_are(mermaid: Mermaid, kind: str) -> None:
    """As decision, stage, type, alternative, id and chain name: nothing breaks, and the text is in the picture."""
    texts = [to_mermaid(nasty_chain(word), kind) for word in NASTY]
    for word, text, drawn in zip(NASTY, texts, mermaid.draw(texts), strict=True):
        line = shortened(word, 40 if kind == "timeline" else 60)
        expected = [line, {"sequence": f"DEC {line}", "flowchart": f"{line} (0.50)"}.get(kind, line)]
        check(drawn, kind, text, expected)
        # in every place where it must be: title, decisions, alternatives, stage, missing
        least = {"flowchart": 2 + 3, "sequence": 2 + 3 + 1, "timeline": 2 + 2, "graph": 2 + 1}[kind]
        assert bare(drawn["all"]).count(bare(line)) >= least, f"{word!r}: {drawn['words']}\n{text}"
        if kind == "flowchart":
            assert drawn["nodes"] == 3 + 3
        if kind == "graph":
            assert drawn["nodes"] == 3 + 2


WORDS = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=80),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=80),
    st.lists(st.sampled_from([*'"#;:%`{}[]()<>|&@\\-=.~$*_ \n', "end", "style", "-->", "%%", "1. "]), max_size=20).map(
        "".join
    ),
    st.text(alphabet=st.characters(exclude_categories=[]), max_size=20),  # lone surrogates, too
)


@st.composite
def hostile_chains(draw: st.DrawFn) -> Chain:
    """Chains with repeated ids, dangling links, cycles, unknown types and any text anywhere."""
    ids = st.one_of(st.sampled_from(["a", "b", "c"]), WORDS)
    event = st.builds(
        Event,
        ids,
        st.integers(0, 10**11).map(lambda us: START + timedelta(microseconds=us)),
        st.one_of(st.sampled_from(["decision_made", "training_failed", "default", "end"]), WORDS),
        WORDS,
        WORDS,
        st.lists(WORDS, max_size=3).map(tuple),
        st.one_of(st.none(), st.floats(0, 1), st.floats()),
        st.none(),
        st.none(),
        st.just({}),
        st.one_of(st.none(), ids),
        st.lists(ids, max_size=3).map(tuple),
        st.one_of(st.none(), WORDS),
        st.none(),
    )
    return chain_of(draw(WORDS), draw(st.lists(event, max_size=6)))


@pytest.mark.slow
@given(chains=st.lists(hostile_chains(), min_size=4, max_size=4))
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink in a browser takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_chain_is_drawn(mermaid: Mermaid, chains: list[Chain]) -> None:
    """All four kinds of chains that hypothesis makes up: no complaint, and every decision is in the picture."""
    asked = [(kind, chain, to_mermaid(chain, kind)) for chain in chains for kind in MERMAID_KINDS]
    for (kind, chain, text), drawn in zip(asked, mermaid.draw([text for *_, text in asked]), strict=True):
        decisions = [shortened(event.decision, 40 if kind == "timeline" else 60) for event in chain]
        check(drawn, kind, text, decisions or ["No events"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", MERMAID_KINDS)
def test_a_long_chain_fits_what_mermaid_takes(mermaid: Mermaid, kind: str) -> None:
    """A chain of thousands is drawn, up to Mermaid's own limits, and the picture says how much is missing."""
    events = [
        Event.new(
            "hypothesis_formed",
            f"choice {number}: {{a}} #1;",
            "because",
            id=f"e{number}",
            alternatives=["one", "two"],
            parent_id=f"e{number // 2}" if number else None,
            depends_on=[f"e{number - 1}"],
            timestamp=START + timedelta(seconds=number),
        )
        for number in range(3000)
    ]
    options = MermaidOptions(max_events=120 if kind == "graph" else 3000)  # laying out a graph takes longest
    text = to_mermaid(chain_of("long", events), kind, options)
    (drawn,) = mermaid.draw([text])
    check(drawn, kind, text, ["more events", "choice 0: {a} #1;"])


def test_dashed_and_hexagonal_nodes(mermaid: Mermaid) -> None:
    """A decision point has another shape than the rest, an alternative is dashed, a type's colour is used."""
    events = [
        Event.new("decision_made", "choose", "because", alternatives=["other"]),
        Event.new("training_failed", "broke", "because"),
    ]
    mermaid.draw([to_mermaid(chain_of("x", events))])
    page = mermaid.page
    assert page.locator("g.node polygon").count() == 1
    assert (
        page.locator("g.node.training_failed rect.label-container").evaluate("node => getComputedStyle(node).fill")
        == "rgb(255, 235, 238)"
    )
    dashes = page.locator("g.node.not_taken .label-container").evaluate_all(
        "all => all.map(one => [one, ...one.querySelectorAll('path')].map(it => getComputedStyle(it).strokeDasharray))"
    )
    assert any("4px, 3px" in dash for dash in dashes[0])
