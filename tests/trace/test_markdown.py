"""Chains as Markdown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from crucible.trace import Chain, Event, to_markdown

DATA = Path(__file__).parent / "data"


def test_a_chain() -> None:
    """A chain reads as the predecessor's export, with links, stage and metadata."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    chain = Chain("tickets", id="c1", description="Why?", created_at=moment)
    chain.add(Event.new("stage_started", "Stage train started", "1 of 2", id="s", timestamp=moment))
    chain.add(
        Event.new(
            "decision_made",
            "kept step 80",
            "lowest loss",
            id="d",
            timestamp=moment,
            alternatives=["step 60", "step 100"],
            confidence=0.9,
            code_section="loop.py",
            spec_reference="S 1",
            metadata={"step": 80},
            parent_id="s",
            depends_on=["s", "gone"],
            stage_id="train",
            experiment_id="x",
        )
    )
    assert to_markdown(chain, level=2) == (
        "## tickets\n\nWhy?\n\n"
        "- **Chain ID:** `c1`\n"
        "- **Created:** 2026-01-01T00:00:00.000000Z\n"
        "- **Updated:** 2026-01-01T00:00:00.000000Z\n"
        "- **Total Events:** 2\n"
        "- **Average Confidence:** 0.90 (over 1 of 2 events)\n"
        "- **Duration:** 0 µs\n\n"
        "### Events\n\n"
        "#### 1. Stage Started\n\n"
        "**Decision:** Stage train started\n\n"
        "**Reasoning:** 1 of 2\n\n"
        "**Confidence:** not stated\\\n**Timestamp:** 2026-01-01T00:00:00.000000Z\n\n"
        "#### 2. Decision Made\n\n"
        "**Decision:** kept step 80\n\n"
        "**Reasoning:** lowest loss\n\n"
        "**Alternatives:**\n\n- step 60\n- step 100\n\n"
        "**Confidence:** 0.90\\\n"
        "**Code Section:** loop.py\\\n"
        "**Spec Reference:** S 1\\\n"
        "**Stage:** train\\\n"
        "**Experiment:** x\\\n"
        "**Part of:** Stage train started\\\n"
        "**Rests on:** Stage train started; `gone` (not in this chain)\\\n"
        "**Timestamp:** 2026-01-01T00:00:00.000000Z\n\n"
        '```json\n{\n  "step": 80\n}\n```\n'
    )


def test_empty() -> None:
    """An empty chain can be exported (the predecessor crashed)."""
    text = to_markdown(Chain(""))
    assert text.startswith("# (no name)\n")
    assert text.endswith("## Events\n\nNo events.\n")


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_files_of_the_predecessor(path: Path) -> None:
    """Every event of an old chain has its heading, and they stay in order."""
    chain = Chain.load(path)
    headings = [line for line in to_markdown(chain).splitlines() if line.startswith("### ")]
    assert headings == [f"### {n}. {entry.type.replace('_', ' ').title()}" for n, entry in enumerate(chain, 1)]


HOSTILE = [
    "<script>alert(1)</script>",
    "# no heading",
    "- no list",
    "1. no list",
    "**not bold** _nor_ `code`",
    "[no](javascript:link) ![no](image)",
    "a | b",
    "```\nno fence",
    "&lt;b&gt;",
    "two\n\nparagraphs\x1b[31m",
    "$x$ ~~gone~~ \\",
    "===",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text: str) -> None:
    """Markdown and HTML inside events read as they were written, and make no markup."""
    chain = Chain(text, description=text)
    chain.add(
        Event.new("decision_made", text, text, alternatives=[text], code_section=text, metadata={"text": text, text: 1})
    )
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough").parse(to_markdown(chain))
    kinds = {token.type for token in tokens} | {inner.type for token in tokens for inner in token.children or ()}
    assert kinds <= {
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "fence", "text", "hardbreak"),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close", "strong_open", "strong_close"),
        *("code_inline", "softbreak", "text_special"),
    }
    assert sum(token.type == "heading_open" for token in tokens) == 3
    (fence,) = [token for token in tokens if token.type == "fence"]
    assert json.loads(fence.content) == {"text": text, text: 1}
    shown = ["".join(inner.content for inner in token.children or ()) for token in tokens if token.type == "inline"]
    plain = " ".join(text.split()).replace("\x1b", "\\x1b")
    assert shown[0] == shown[1] == plain
