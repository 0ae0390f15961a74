"""The main job: one document from data to report, on the small base model."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import crucible
from crucible import data, events, train
from crucible.store import open_store

if TYPE_CHECKING:
    from tests.e2e.conftest import Place

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CRUCIBLE_DATA", ROOT.parent / "shared" / "data"))


def test_one_experiment_end_to_end(place: "Place") -> None:
    """Training, both evaluations, the test, report, trace and store are all there, and the numbers agree."""
    place.write(steps=40)
    out, _ = place.crucible("run", "e.yaml")
    for words in ("✓ data_load", "✓ supervised_train", "synthetic", "Is it real?", "report.html", "trace.json"):
        assert words in out
    (run,) = place.runs()
    shown = place.show(run["run_id"])
    metrics = shown["metrics"]
    assert metrics["train.tuned"]["final_loss"] < metrics["train.tuned"]["initial_loss"]
    tuned = metrics["evaluate.tuned"]["exact_match"]
    assert tuned["attempted"] == tuned["scored"] + tuned["failed"] == 8
    first, same = metrics["bench"]["contrasts"]
    assert first["difference"] == pytest.approx(tuned["mean"] - metrics["evaluate.base"]["exact_match"]["mean"])
    assert same["verdict"] == "no_difference_found"
    assert same["p"] == 1.0
    workspace = Path(shown["workspace"])
    page = (workspace / "report" / "report.html").read_text()
    assert "SYNTHETIC" in page
    assert "crucible run e.yaml" in page
    assert "<svg" in page
    assert not re.search(r'(src|href)="https?://', page)
    trace = place.crucible("trace", "show", run["run_id"])[0]
    assert "kept the checkpoint at step" in trace
    assert "lowest validation loss" in trace


def test_every_event_of_a_run_is_in_the_registry_with_its_measurements(place: "Place") -> None:
    """What a whole run emits is registered, each measurement with its unit, by the room that the registry names."""
    place.write(steps=10)
    place.crucible("run", "e.yaml")
    emitted: dict[str, set[str]] = {}
    with open_store(place.folder / ".crucible", create=False) as store:
        for event in store.telemetry.events(store.runs.list()[0].run_id):
            emitted.setdefault(event.name, set()).update(event.measurements)
    assert len(emitted) > 12
    for name, measurements in emitted.items():
        info = events.registry.event_info(name)
        assert info is not None, f"{name} is not registered"
        assert measurements <= set(info.measurements), f"{name}: {measurements - set(info.measurements)} has no unit"


@pytest.mark.slow
def test_same_seed_gives_the_same_numbers(place: "Place") -> None:
    """The same document twice gives the same losses and scores; another seed gives others."""
    place.write(steps=12)
    place.crucible("run", "e.yaml")
    place.crucible("run", "e.yaml")
    place.crucible("run", "e.yaml", "--set", "training_config.seed=4")
    other, second, first = (place.show(run["run_id"])["metrics"] for run in place.runs())
    assert first["train.tuned"] == second["train.tuned"]
    assert first["evaluate.tuned"] == second["evaluate.tuned"]
    assert first["train.tuned"]["final_loss"] != other["train.tuned"]["final_loss"]


@pytest.mark.skipif(not (DATA / "scifact").is_dir(), reason=f"no SciFact in {DATA}; set CRUCIBLE_DATA")
def test_the_programming_interface_as_the_readme_shows_it(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainer on real claims, save, sample: the block that the design promises, as written."""
    monkeypatch.chdir(tmp_path)
    config = train.LoraConfig(base_model=str(base), rank=16, max_steps=10)
    trainer = train.Trainer.start(config)
    dataset = data.load("scifact", split="train", path=str(DATA / "scifact"))
    result = trainer.train(dataset)
    assert result.final_loss < result.initial_loss
    saved = trainer.save("test-run")
    assert saved.local_path.exists()
    outputs = trainer.create_sampler().sample(["Test prompt"])
    assert isinstance(outputs[0].text, str)
    trainer.close()


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no data in {DATA}; set CRUCIBLE_DATA")
@pytest.mark.parametrize(("example", "scorer"), [("scifact", "exact_match"), ("gsm8k", "number_match")])
def test_examples_on_real_data(place: "Place", example: str, scorer: str) -> None:
    """The SciFact and GSM8K examples run end to end on the real files; loss falls, accuracy has an interval."""
    place.environment["CRUCIBLE_DATA"] = str(DATA)
    short = ("pipeline[2].options.max_steps=12", "dataset.options.limit=60", "dataset.options.test_limit=6")
    settings = [part for text in short for part in ("--set", text)]
    settings += ["--set", f"training_config.model_ref.id={place.base}"]
    settings += ["--set", "pipeline[3].options.max_tokens=16", "--set", "pipeline[4].options.max_tokens=16"]
    settings += ["--set", "pipeline[2].options.on_overflow=truncate"]
    place.crucible("run", str(ROOT / "examples" / f"{example}.yaml"), *settings)
    metrics = place.show(place.runs()[0]["run_id"])["metrics"]
    assert metrics["train.tuned"]["final_loss"] < metrics["train.tuned"]["initial_loss"]
    assert metrics["evaluate.tuned"][scorer]["interval"]["method"] == "Wilson score"
    assert metrics["data"]["synthetic"] is False


def test_every_example_is_valid() -> None:
    """Each document under examples/ loads with the installed stages."""
    documents = sorted((ROOT / "examples").glob("*.yaml"))
    assert len(documents) >= 3
    for document in documents:
        assert crucible.load(document).id == document.stem


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_quickstart_finds_the_tuned_model_better(place: "Place", seed: int) -> None:
    """The quickstart as shipped, on five seeds: tuned beats base, and base against itself finds no difference."""
    place.crucible("run", str(ROOT / "examples" / "quickstart.yaml"), "--set", f"training_config.seed={seed}")
    metrics = place.show(place.runs()[0]["run_id"])["metrics"]
    tuned, _, itself = metrics["bench"]["contrasts"]
    assert tuned["verdict"] == "difference"
    assert tuned["p_adjusted"] < 0.05
    assert itself["verdict"] == "no_difference_found"
