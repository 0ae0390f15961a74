"""The open registry of event types."""

from __future__ import annotations

import pytest

from crucible.errors import SpecError
from crucible.trace import canonical_type, event_type, event_types, register_event_type, vocabulary

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


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_types", vocabulary._types)
    monkeypatch.setattr(vocabulary, "_canonical", vocabulary._canonical)


@pytest.mark.parametrize(("category", "names"), PREDECESSOR.items())
def test_types_of_the_predecessor(category: str, names: str) -> None:
    """All 26 types of the predecessor are registered, each in its category."""
    known = [entry.name for entry in event_types(category)]
    assert set(names.split()) <= set(known)


def test_types_that_the_predecessor_lacked() -> None:
    """Failures and plain decisions have types, and every type says what it means."""
    for name in ("stage_failed", "training_failed", "decision_made"):
        assert event_type(name) is not None
    assert len(event_types()) == 30
    assert all(entry.meaning.endswith(".") for entry in event_types())


def test_aliases() -> None:
    """The spellings of the predecessor's framework mean the registered types; other words mean themselves."""
    assert canonical_type("stage_start") == "stage_started"
    assert event_type("stage_complete") == event_type("stage_completed")
    assert canonical_type("anything") == "anything"
    assert event_type("anything") is None


def test_register() -> None:
    """A new type is known by name and alias, and registering the same again changes nothing."""
    entry = register_event_type(
        "canary_promoted", category="deployment", meaning="A canary took over.", aliases=("canary",)
    )
    again = register_event_type(
        "canary_promoted", category="deployment", meaning="A canary took over.", aliases=["canary"]
    )
    assert again == entry == event_type("canary")
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
