"""The pages on traces are true: their examples run and print what they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.cli.trace_files import FORMATS
from crucible.trace import MERMAID_KINDS, training, vocabulary
from crucible.trace.parsing.issue import KINDS
from crucible.trace.parsing.values import read_confidence
from crucible.trace.queries.fields import OPERATORS, read_field

DOCS = Path(__file__).parents[2] / "docs"

BLOCKS = {
    "trace.md": 5,
    "trace-recording.md": 8,
    "trace-keeping.md": 6,
    "trace-asking.md": 7,
    "trace-comparing.md": 3,
    "trace-integrity.md": 5,
    "trace-showing.md": 10,
    "trace-llm.md": 5,
}


def page(name: str) -> str:
    """Return a page's text."""
    return (DOCS / name).read_text(encoding="utf-8")


def rows(text: str, first_column: str) -> list[list[str]]:
    """Return the cells of the table whose head begins with a word."""
    table = text.split(f"\n| {first_column} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in row.strip("|").split(" |")] for row in table.splitlines()[2:]]


def words(cell: str) -> list[str]:
    """Return what a cell has between backticks."""
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("name", BLOCKS)
def test_examples(name: str, monkeypatch: pytest.MonkeyPatch, follow_guide: Callable[..., int]) -> None:
    """Each Python block runs after the ones before it, and prints what the text block below it shows."""
    for name_of_registry in ("_types", "_canonical"):  # put back afterwards: pages register types
        monkeypatch.setattr(vocabulary, name_of_registry, vars(vocabulary)[name_of_registry])
    assert follow_guide(name) == BLOCKS[name]


def test_every_page_is_run_and_listed() -> None:
    """A page on traces that no test runs, or that the front page does not list, is an oversight."""
    assert {path.name for path in DOCS.glob("trace*.md")} == set(BLOCKS)
    listed = page("index.md").splitlines()
    assert [name for name in BLOCKS if name.removesuffix(".md") not in listed] == []


def test_operators_are_those_of_the_language() -> None:
    """The table of fields gives each the operators that a condition takes."""
    for names, _, _, operators in rows(page("trace-asking.md"), "field"):
        for name in words(names):
            if name in ("since", "until"):
                continue
            kind = read_field(name).kind
            known = set(OPERATORS[kind])
            same_as = {"as `type`": "type", "as `confidence`": "confidence"}.get(operators)
            if same_as is not None:
                assert known == set(OPERATORS[read_field(same_as).kind]), name
            elif operators == "all":
                assert known == {each for kinds in OPERATORS.values() for each in kinds}, name
            else:
                assert set(words(operators)[0].split()) == known, name


def test_factories_are_all_named() -> None:
    """The table of factories has every one, and nothing else."""
    named = [name for _, factories in rows(page("trace-recording.md"), "of") for name in words(factories)]
    assert sorted([*named, "from_training_metrics"]) == sorted(training.__all__)


def test_issues_are_all_named() -> None:
    """The table of issues has every kind under its severity."""
    [errors, warnings] = rows(page("trace-llm.md"), "an error")[0]
    for severity, cell in (("error", errors), ("warning", warnings)):
        assert words(cell) == [name for name, (kind, _) in KINDS.items() if kind == severity]


def test_confidences_are_read_as_the_table_says() -> None:
    """What the page says is 0.85 is, and what it says is unsaid is None."""
    for written, read, *_ in rows(page("trace-llm.md"), "written"):
        if read in ("0.85", "`None`, and an issue"):
            wanted = 0.85 if read == "0.85" else None
            assert {word: read_confidence(word) for word in words(written)} == dict.fromkeys(words(written), wanted)


def test_formats_and_kinds_are_all_named() -> None:
    """The page on showing names every format of the command and every kind of diagram."""
    text = page("trace-showing.md")
    assert [kind for (cell, _) in rows(text, "kind") for kind in words(cell)] == list(MERMAID_KINDS)
    [listed] = [line for line in text.split("\n\n") if line.startswith("The formats:")]
    assert {*words(listed), *MERMAID_KINDS} == set(FORMATS)
