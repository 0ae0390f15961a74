"""The pages on telemetry and events are true: examples run and print what they say, and tables are whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from crucible.events import registry
from crucible.telemetry import RecorderOptions
from crucible.telemetry.anomalies import METHODS
from crucible.telemetry.enriching.categories import MEASURED, TOLD
from crucible.telemetry.sampling import configuration

DOCS = Path(__file__).parents[2] / "docs"

BLOCKS = {
    "telemetry.md": 9,
    "telemetry-experiments.md": 10,
    "events.md": 13,
    "telemetry-asking.md": 12,
    "telemetry-keeping.md": 8,
}
ELSEWHERE = {"telemetry-bridges.md", "telemetry-cli.md"}  # have tests of their own
OF_NO_KEY = {"status", "mean_exact_match"}  # fields of categories that are worked out, not looked up


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


def event_tables() -> Iterator[str]:
    """Yield the lines of a table for each category of the registry, for `docs/events.md`."""
    for category, names in registry.events_by_category().items():
        yield from (
            f"**{category}**",
            "",
            "| event | what happened | measurements | from |",
            "| --- | --- | --- | --- |",
        )
        for name in names:
            info = registry.event_info(name)
            assert info is not None
            units = ", ".join(f"`{key}` {unit}" for key, unit in info.measurements.items())
            yield f"| `{name}` | {info.description.removesuffix('.')} | {units} | {info.emitted_by} |"
        yield ""


@pytest.fixture
def standard_events() -> Iterator[None]:
    """Leave the registry as it was: a page registers an event."""
    before = set(registry.standard_events())
    yield
    for name in set(registry.standard_events()) - before:
        registry.unregister(name)


@pytest.mark.usefixtures("standard_events")
@pytest.mark.parametrize("name", BLOCKS)
def test_examples(name: str, follow_guide: Callable[..., int]) -> None:
    """Each Python block runs after the ones before it, and prints what the text block below it shows."""
    assert follow_guide(name) == BLOCKS[name]


def test_every_page_is_run_and_listed() -> None:
    """A page on telemetry that no test runs, or that the front page does not list, is an oversight."""
    assert {path.name for path in DOCS.glob("telemetry*.md")} | {"events.md"} <= BLOCKS.keys() | ELSEWHERE
    listed = page("index.md").splitlines()
    assert [name for name in BLOCKS if name.removesuffix(".md") not in listed] == []


def test_the_page_lists_every_event() -> None:
    """Where it does not: write what `event_tables()` yields below the heading "All events"."""
    assert page("events.md").endswith("\n".join(event_tables()))


def test_fields_of_categories_are_all_named() -> None:
    """The table of fields by category has what enrichment looks for, and nothing else."""
    common = {*TOLD[""].words.values()}
    shown = {category: set(words(cell)) for category, cell in rows(page("events.md"), "category")}
    assert shown.keys() == MEASURED.keys() - {""}
    for category, fields in shown.items():
        looked_for = {*MEASURED[category].numbers.values(), *TOLD[category].numbers.values()}
        looked_for |= {*TOLD[category].words.values()} - common
        assert fields - OF_NO_KEY == looked_for, category


def test_policies_samplers_and_methods_are_all_named() -> None:
    """The tables of what becomes of one event too many, of samplers and of detectors are whole."""
    policies = [word for cell, _ in rows(page("telemetry.md"), "`when_full`") for word in words(cell)]
    assert policies == list(get_args(get_type_hints(RecorderOptions)["when_full"]))
    samplers = [words(cell)[0].partition("(")[0] for cell, _ in rows(page("telemetry-experiments.md"), "sampler")]
    assert sorted(samplers) == sorted(kind.__name__ for _, kind in configuration._KINDS.values())
    methods = [words(cell)[0] for cell, *_ in rows(page("telemetry-asking.md"), "method")]
    assert sorted(methods) == sorted(METHODS)
