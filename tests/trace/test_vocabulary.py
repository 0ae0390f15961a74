"""The open registry of event types."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from crucible.errors import SpecError
from crucible.trace import canonical_type, event_type, event_types, look_of, register_event_type, title_of

PREDECESSOR = {
    "reasoning": "hypothesis_formed alternative_rejected constraint_evaluated pattern_applied ambiguity_flagged "
    "confidence_updated",
    "training": "training_started training_completed epoch_started epoch_completed batch_processed",
    "metrics": "loss_computed metric_recorded gradient_computed",
    "checkpoint": "checkpoint_saved checkpoint_loaded early_stopped",
    "deployment": "deployment_started model_loaded inference_completed deployment_completed",
    "feedback": "reward_received policy_updated experience_sampled",
    "stage": "stage_started stage_completed",
}


@pytest.mark.parametrize(("category", "names"), PREDECESSOR.items())
def test_types_of_the_predecessor(category: str, names: str) -> None:
    """All 26 types of the predecessor are registered, each in its category."""
    known = [entry.name for entry in event_types(category)]
    assert set(names.split()) <= set(known)


def test_types_that_the_predecessor_lacked() -> None:
    """Failures and plain decisions have types, and every type says what it means."""
    for name in ("stage_failed", "training_failed", "deployment_failed", "drift_detected", "decision_made"):
        assert event_type(name) is not None
    assert all(entry.meaning.endswith(".") for entry in event_types())


def _luminance(color: str) -> float:
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_looks() -> None:
    """Every type, an unknown one, too, has a code of its own and colours that can be read (WCAG AA, 4.5 to 1)."""
    looks = [*event_types(), look_of("nobody_knows_it")]
    assert len({look.code for look in looks}) == len(looks)
    for look in looks:
        for surface in (look.fill, "#ffffff"):
            assert (_luminance(surface) + 0.05) / (_luminance(look.color) + 0.05) >= 4.5, look.name
    assert looks[-1].category == "other"
    assert title_of("hypothesis_formed") == "Hypothesis formed"
    assert title_of("") == ""


def test_codes_are_made() -> None:
    """A type without a code gets one that is free; a code, or a colour, that is given is kept."""
    first = register_event_type("loses_track", category="mine", meaning="M.")
    second = register_event_type("losing_it", category="mine", meaning="M.", color="#112233", fill="#ffffff")
    assert (first.code, second.code) == ("LT", "LI")
    assert register_event_type("loses_track", category="mine", meaning="M.") is first
    assert [register_event_type(f"los{end}", category="mine", meaning="M.").code for end in "abc"] == [
        "LX",
        "LOS2",
        "LOS3",
    ]
    assert (second.color, second.fill) == ("#112233", "#ffffff")
    assert register_event_type("z", category="mine", meaning="M.", code="ZED").code == "ZED"
    assert event_type("zed") is None


def test_aliases() -> None:
    """The spellings of the predecessor's framework mean the registered types; other words mean themselves."""
    assert canonical_type("stage_start") == "stage_started"
    assert event_type("stage_complete") == event_type("stage_completed")
    assert canonical_type("anything") == "anything"
    assert event_type("anything") is None


def test_register() -> None:
    """A new type is known by name and alias, and registering the same again changes nothing."""
    entry = register_event_type("shadow_started", category="deployment", meaning="It began.", aliases=("shadow",))
    again = register_event_type("shadow_started", category="deployment", meaning="It began.", aliases=["shadow"])
    assert again == entry == event_type("shadow")
    assert event_types("deployment")[-1] == entry


@pytest.mark.parametrize(
    ("name", "aliases", "code"),
    [
        ("loss_computed", (), "duplicate"),
        ("mine", ("stage_start",), "duplicate"),
        ("stage_start", (), "duplicate"),
        ("Has Spaces", (), "name"),
        ("trailing_newline\n", (), "name"),
        ("mine", ("no-dash",), "name"),
    ],
)
def test_register_refuses(name: str, aliases: tuple[str, ...], code: str) -> None:
    """A malformed name, or one that stands for something else, is refused and nothing is registered."""
    before = event_types()
    with pytest.raises(SpecError) as caught:
        register_event_type(name, category="mine", meaning="Something else.", aliases=aliases)
    assert caught.value.code == code
    assert event_types() == before


@pytest.mark.parametrize(
    ("look", "code"),
    [
        ({"code": "hyp"}, "code"),
        ({"code": "HYP"}, "duplicate"),
        ({"color": "red"}, "color"),
        ({"fill": "#FFFFFF"}, "color"),
    ],
)
def test_register_refuses_looks(look: dict[str, str], code: str) -> None:
    """A code that is malformed or taken, or a colour that CSS might not read, is refused."""
    with pytest.raises(SpecError) as caught:
        register_event_type("mine", category="mine", meaning="Mine.", **look)
    assert caught.value.code == code
    assert event_type("mine") is None


def test_what_crucible_says_is_registered() -> None:
    """Every type that the package itself gives to a decision is in the registry."""
    source = Path(__file__).parents[2] / "src" / "crucible"
    calls = [
        call
        for file in source.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "decision"
    ]
    words = [key.value.value for call in calls for key in call.keywords if key.arg == "type"]  # type: ignore[attr-defined]
    assert len(words) >= 5
    assert [word for word in words if event_type(word) is None] == []


def test_aliases_that_are_one_word_are_refused() -> None:
    """A string is no list of aliases, and registers none of its letters."""
    with pytest.raises(SpecError, match=r"\['qvw'\]") as caught:
        register_event_type("mine_too", category="mine", meaning="Mine.", aliases="qvw")
    assert caught.value.code == "type"
    assert event_type("q") is None
    assert event_type("mine_too") is None
