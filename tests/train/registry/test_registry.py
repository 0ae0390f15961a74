"""Registering from trainings and folders, asking for versions, their files and their lineage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.backends import ScriptedSampler
from crucible.backends.checkpoint import verify_checkpoint
from crucible.data import evaluate, load, make_tickets
from crucible.errors import CheckpointError, SpecError, StatsError, StoreError
from crucible.ir import Failed, LoraConfig, Scored, Skipped
from crucible.stats import condition_of_scores
from crucible.store import open_store
from crucible.train import Checkpoint, ModelRegistry, Trainer
from crucible.train.registry import read_scores

Make = Callable[..., Path]


def test_a_checkpoint_with_what_it_was_made_from(registry: ModelRegistry, checkpoint: Make, tmp_path: Path) -> None:
    """Its `training.json` tells base model, data and measurements; its files come back verified, as a checkpoint."""
    heard: list[events.Event] = []
    events.attach("models", "crucible_train.model.*", heard.append)
    saved = Checkpoint("adapter", 80, checkpoint(), {"accuracy": 0.25})
    made = registry.register("triage", saved, metrics={"exact_match": 0.75}, tags="fast", by="ann")
    events.detach("models")
    assert (made.reference, made.stage, made.tags, made.created_by) == ("triage@0.1.0", "development", ("fast",), "ann")
    assert made.metrics == {"validation_loss": 0.5, "accuracy": 0.25, "exact_match": 0.75}
    assert (made.origin["base_model"], made.origin["step"], made.is_synthetic) == ("crucible/tiny", 80, True)
    assert registry.get("triage") == made
    assert [file.path for file in registry.files("triage")] == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
        "optimizer.safetensors",
        "state.json",
        "training.json",
    ]
    verify_checkpoint(registry.fetch("triage@0.1.0", tmp_path / "out"))
    with registry.opened("triage") as folder:
        verify_checkpoint(folder)
    assert not folder.exists()
    with pytest.raises(StoreError, match="holds something other than the files of triage@0.1.0"):
        registry.fetch("triage", tmp_path / "saved")
    (event,) = heard
    assert (event.name, event.measurements["files"]) == ("crucible_train.model.registered", 6)


def test_damage_is_named_and_nothing_is_handed_out(registry: ModelRegistry, checkpoint: Make, tmp_path: Path) -> None:
    """A kept file that was altered or removed is named by `verify`, and `fetch` leaves no folder."""
    registry.register("triage", checkpoint())
    (file,) = [file for file in registry.files("triage") if file.path == "adapter_model.safetensors"]
    path = registry.store.models.objects.path(file.sha256)
    path.write_bytes(b"w3ights")
    assert list(registry.verify("triage")) == ["adapter_model.safetensors"]
    with pytest.raises(StoreError, match="is corrupt, the content of adapter_model.safetensors"):
        registry.fetch("triage", tmp_path / "out")
    path.unlink()
    with pytest.raises(StoreError, match="is missing, the content of adapter_model.safetensors"):
        registry.fetch("triage", tmp_path / "out")
    assert not [each for each in tmp_path.iterdir() if "out" in each.name]
    registry.register("triage", checkpoint("again"))
    assert registry.verify("triage@0.1.0") == {}, "the same content again mends it"


def test_sources_that_cannot_be_registered(registry: ModelRegistry, checkpoint: Make, tmp_path: Path) -> None:
    """No folder, a damaged checkpoint, a link, an empty folder, a training.json that is none: refused, nothing kept."""
    with pytest.raises(CheckpointError, match="there is no folder nowhere to register"):
        registry.register("triage", "nowhere")
    (checkpoint("torn") / "state.json").write_bytes(b"[]")
    with pytest.raises(CheckpointError, match=r"state.json is corrupt"):
        registry.register("triage", tmp_path / "saved" / "torn")
    plain = tmp_path / "plain"
    plain.mkdir()
    with pytest.raises(StoreError, match="holds no file"):
        registry.register("triage", plain)
    (plain / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match="passwd is a link, and a model consists of plain files"):
        registry.register("triage", plain)
    (plain / "passwd").unlink()
    (plain / "training.json").write_text("{")
    with pytest.raises(CheckpointError, match="training.json is corrupt"):
        registry.register("triage", plain)
    (plain / "training.json").write_text('{"metrics": {"loss": NaN, "steps": 3, "best": true}, "step": 3}')
    made = registry.register("triage", plain)
    assert (made.metrics, made.origin) == ({"steps": 3.0}, {"step": 3})
    with pytest.raises(TypeError, match=r"has no option 'metric'.*did you mean.*metrics"):
        registry.register("triage", plain, metric={})  # type: ignore[call-arg]


def test_a_version_without_files(registry: ModelRegistry) -> None:
    """What lies elsewhere is registered by its address, and says so where files are asked for."""
    registry.register("triage", artifact_uri="tinker://run/weights", version="1.0.0")
    with pytest.raises(StoreError, match="no files of triage@1.0.0 are kept here; they are at tinker://run/weights"):
        registry.fetch("triage", "out")


LOSSES = {"a": 0.5, "b": 0.1, "c": 0.9, "d": 0.3}


@pytest.fixture
def family(registry: ModelRegistry) -> ModelRegistry:
    """Four models with a loss and an accuracy that rank them the other way round, one archived, one unmeasured."""
    for name, loss in LOSSES.items():
        tags = ["keep", *(["fast"] if name in "ab" else [])]
        registry.register(name, metrics={"validation_loss": loss, "accuracy": 1 - loss, "oddity": loss}, tags=tags)
    registry.register("e", tags=["keep"])
    registry.register("f", metrics={"validation_loss": 0.0, "accuracy": 1.0}, tags=["keep"])
    registry.promote("f", "archived", why="old")
    return registry


def names(found: Any) -> list[str]:
    """Return the names of models, in order."""
    return [each.model for each in found]


def test_the_best_for_an_ensemble(family: ModelRegistry) -> None:
    """Of a loss the smallest first, of an accuracy the largest: never the worst; unmeasured and archived ones not."""
    assert names(family.find_for_ensemble("validation_loss")) == ["b", "d", "a", "c"]
    assert names(family.find_for_ensemble("accuracy")) == ["b", "d", "a", "c"]
    assert names(family.find_for_ensemble("validation_loss", 2, ["fast"])) == ["b", "a"]
    assert names(family.find_for_ensemble("accuracy", 2, direction="min")) == ["c", "a"]
    assert names(family.find_for_ensemble("accuracy", stage="archived")) == ["f"]
    assert names(family.find_for_ensemble("accuracy", name="a")) == ["a"]
    assert family.find_for_ensemble("bleu") == []
    with pytest.raises(SpecError, match="whether more or less of 'oddity' is better does not follow from its name"):
        family.find_for_ensemble("oddity")
    assert names(family.find_for_ensemble("oddity", 1, direction="max")) == ["c"]
    with pytest.raises(SpecError, match="direction must be min .* or max"):
        family.find_for_ensemble("accuracy", direction="up")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="top_n must be at least 1, got 0"):
        family.find_for_ensemble("accuracy", 0)


def test_asking_by_metric(family: ModelRegistry) -> None:
    """Conditions of the same small language as those on runs; all of them, and every tag, must hold."""
    assert names(family.query("validation_loss<0.5")) == ["b", "d", "f"]
    assert names(family.query("validation_loss<=0.5", "accuracy < 0.9", tags=["fast"])) == ["a"]
    assert names(family.query("accuracy!=1", sort_by="validation_loss")) == ["b", "d", "a", "c"]
    assert names(family.query(sort_by="accuracy")) == ["f", "b", "d", "a", "c", "e"]
    assert names(family.query(stage="archived")) == ["f"]
    assert family.query("bleu>0") == []
    with pytest.raises(SpecError, match="a condition on a metric must be"):
        family.query("accuracy is good")


def test_lineage_from_references(registry: ModelRegistry) -> None:
    """A parent is named by version, stage or alone, and stands for what that is when it is said."""
    registry.register("base")
    registry.register("teacher", version="1.0.0")
    made = registry.register("triage", parents={"fine_tuned_from": "base", "distilled_from": ["teacher@latest"]})
    registry.register("teacher", version="2.0.0")
    assert [(each.relation, each.model, each.version) for each in made.parents] == [
        ("distilled_from", "teacher", "1.0.0"),
        ("fine_tuned_from", "base", "0.1.0"),
    ]
    registry.link("base", "rl_trained_from", "teacher@2.0.0", why="forgotten")
    assert [(step.model, step.version, step.depth) for step in registry.ancestors("triage")] == [
        ("teacher", "1.0.0", 1),
        ("base", "0.1.0", 1),
        ("teacher", "2.0.0", 2),
    ]
    assert names(registry.descendants("teacher@2.0.0")) == ["base", "triage"]
    with pytest.raises(
        StoreError, match="a version cannot come of itself: teacher@2.0.0 dpo_trained_from triage@0.1.0 f"
    ):
        registry.link("teacher@2.0.0", "dpo_trained_from", "triage")
    with pytest.raises(SpecError, match="unknown relation 'tuned_from'"):
        registry.register("x", parents={"tuned_from": "base"})


def test_scores_from_wherever_they_are(registry: ModelRegistry, tmp_path: Path) -> None:
    """An evaluation, a side of a comparison, a file, a mapping; a failed item stays one, a skipped one is left out."""
    dataset = load(make_tickets(4, seed=1))
    sampler = ScriptedSampler({item.input: str(item.expected) for item in dataset})
    result = evaluate(sampler, dataset, ["exact_match"], record=tmp_path / "scores.jsonl")
    (from_result,) = read_scores(result)
    (from_file,) = read_scores(tmp_path / "scores.jsonl", ["exact_match"])
    assert from_result == from_file
    assert len(from_result.asked_sha256) == 64
    assert sorted(from_result.items) == sorted(item.id for item in dataset)
    outcomes = {"a": [Scored(1.0), Scored(0.0)], "b": [Scored(1.0), Failed("no")], "c": Skipped("late"), "d": 0.25}
    (found,) = read_scores(condition_of_scores("x", outcomes, metric="f1"))
    assert found.items == {"a": 0.5, "b": None, "d": 0.25}
    two = read_scores([{"f1": {"a": 1.0}}, {"acc": {"a": 0.0}, "f2": {"a": 0.0}}], ["acc", "f1"])
    assert [each.metric for each in two] == ["acc", "f1"]
    for wrong, said in (
        ({"f1": [1.0]}, "must be a mapping by item id"),
        ([{"f1": {"a": 1.0}}, {"f1": {"a": 1.0}}], "are given twice"),
        ({"f1": {}}, "are of no item"),
    ):
        with pytest.raises(SpecError, match=said):
            read_scores(wrong)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="there are no scores by bleu; there are: none"):
        read_scores({"f1": {"a": 1.0}}, ["bleu"])
    with pytest.raises(StatsError, match='no metric "bleu"'):
        read_scores(tmp_path / "scores.jsonl", ["bleu"])
    version = registry.register("triage", scores={"f1": {"a": 1.0}})
    assert registry.record_scores("triage", {"acc": {"a": 1.0}}).scored == ("acc", "f1")
    assert version.scored == ("f1",)


@pytest.mark.slow  # builds a base model, trains
def test_a_training_and_a_sampler_of_its_version(
    registry: ModelRegistry, configure: Callable[..., LoraConfig], items: list[Any], tmp_path: Path
) -> None:
    """A real adapter: registered from how its training went, it answers as it did from the trainer."""
    with Trainer.start(configure(rank=4), workspace=tmp_path / "work") as trainer:
        result = trainer.train(items)
        answers = trainer.create_sampler().logprobs([items[0].input])
    made = registry.register("triage", result)
    assert made.metrics["final_loss"] == result.final_loss
    assert made.origin["base_digest"] == result.base_digest
    sampler = registry.create_sampler("triage")
    assert sampler.logprobs([items[0].input]) == answers
    other = registry.register("triage", result, origin={"base_digest": "0" * 64})
    with pytest.raises(CheckpointError, match="was trained on another base model"):
        registry.create_sampler(other.reference)
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "x").write_bytes(b"x")
    registry.register("other", plain)
    with pytest.raises(CheckpointError, match="are no checkpoint, so it cannot be asked"):
        registry.create_sampler("other")


def test_opening(tmp_path: Path) -> None:
    """A store that is open stays its owner's; one that is opened here is closed here; none may be made in silence."""
    with open_store(tmp_path / "s") as store:
        with ModelRegistry.open(store) as registry:
            registry.register("triage")
        assert ModelRegistry.open(store).next_version("triage", "major") == "1.0.0"
    with ModelRegistry.open(tmp_path / "s") as registry:
        assert names(registry.list()) == ["triage"]
    with pytest.raises(StoreError, match="there is no store at"):
        ModelRegistry.open(tmp_path / "t", create=False)
