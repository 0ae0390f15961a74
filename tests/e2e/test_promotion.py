"""The example of a promotion: valid as it is written, and it lets in what it says it lets in."""

from __future__ import annotations

from pathlib import Path

import pytest

import crucible
from crucible.train import ModelRegistry

EXAMPLE = Path(__file__).parents[2] / "examples" / "promotion.yaml"


def test_the_document_is_valid() -> None:
    """Every option of its stages is known, and can be carried out."""
    experiment = crucible.load(EXAMPLE)
    assert [stage.name for stage in experiment.pipeline].count("register_model") == 3


@pytest.mark.slow
def test_two_models_get_in_and_the_hasty_one_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real trainings: the first past a threshold, the longer one shown no worse, the hasty one refused with reasons."""
    monkeypatch.chdir(tmp_path)
    result = crucible.run(crucible.load(EXAMPLE))
    assert result.raise_for_status().status == "completed"
    with ModelRegistry.open() as registry:
        stages = [each.stage for each in registry.list("triage")]
        kinds = [line.kind for line in registry.history("triage")]
        assert registry.history("triage")[-1].evidence["gates"][1]["outcome"] == "failed"
    assert stages == ["archived", "production", "staging"]
    assert kinds == ["registered", "promoted", "registered", "archived", "promoted", "registered", "refused"]
    report = (result.context.workspace / "report" / "report.md").read_text()
    assert "not promoted to production" in report
    assert "SYNTHETIC" in report.upper()
