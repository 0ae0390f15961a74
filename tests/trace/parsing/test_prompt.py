"""The prompt teaches what the parser reads."""

from __future__ import annotations

import pytest

from crucible.errors import SpecError
from crucible.trace import event_types, register_event_type
from crucible.trace.parsing import build_causal_prompt, extract_code, parse


def test_the_task_comes_first_and_as_it_is() -> None:
    """Then the instruction, the code section and the five subjects."""
    prompt = build_causal_prompt("Write a parser.\n\n  Be quick. {braces} <event>")
    assert prompt.startswith(
        "Write a parser.\n\n  Be quick. {braces} <event>\n\nIMPORTANT: For each significant decision"
    )
    for subject in ("Architecture", "Data structures and algorithms", "API design", "Error handling", "Performance"):
        assert f". {subject}" in prompt
    assert "Ensure that you emit events for" in prompt
    assert "Leave it out if you do not know" in prompt


def test_the_whole_vocabulary_is_taught() -> None:
    """Every registered type with its meaning, one that was registered a moment ago included."""
    register_event_type("prompt_tested", category="prompt testing", meaning="A test\nof the prompt.")
    prompt = build_causal_prompt("")
    for entry in event_types():
        assert f"- `{entry.name}`: {' '.join(entry.meaning.split())}\n" in prompt
    assert "### Prompt testing" in prompt


@pytest.mark.parametrize("types", [None, ["reasoning"], ["training", "decision_made"], ["stage_start"]])
def test_the_worked_example_is_read_without_an_issue(types: list[str] | None) -> None:
    """It is all that the prompt itself says in tags, and uses only types that are taught."""
    prompt = build_causal_prompt("Write a cache.", types=types)
    parsed = parse(prompt)
    assert parsed.issues == []
    assert [event.id for event in parsed.events] == ["e1", "e2"]
    assert all(f"- `{event.type}`: " in prompt for event in parsed.events)
    assert (parsed.events[0].confidence, parsed.events[1].confidence) == (None, 0.8)
    assert parsed.events[1].depends_on == ("e1",)
    compile(extract_code(prompt), "example", "exec")


def test_types_may_be_chosen() -> None:
    """By name, alias or category; without an example nothing is in tags."""
    prompt = build_causal_prompt("x", types=["reasoning", "stage_start"], examples=False)
    assert "`hypothesis_formed`" in prompt
    assert "`stage_started`" in prompt
    assert "`loss_computed`" not in prompt
    assert parse(prompt).events == []


def test_unknown_types_are_refused() -> None:
    """With what may have been meant, and the categories."""
    with pytest.raises(SpecError, match="hypothesis_formed.*reasoning"):
        build_causal_prompt("x", types=["hypothesis_form"])
    with pytest.raises(SpecError, match="empty"):
        build_causal_prompt("x", types=[])
