"""A run's context as the stages leave it: real scores, real tests, a training history drawn from a seeded curve."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crucible.data.summary import summarise
from crucible.ir import Experiment, Failed, Outcome, Scored, outcome_to_dict
from crucible.pipeline import Context
from crucible.stats.stages import BenchStage

ITEMS = 150
SHARE = {"base": 0.0, "rank2": 0.62, "rank16": 0.7}
DOCUMENT: dict[str, Any] = {
    "id": "quickstart",
    "description": "Does a LoRA adapter teach a small model to triage support tickets, and does its rank matter?",
    "backend": {"id": "local"},
    "dataset": {"name": "tickets", "options": {"train": 600, "test": ITEMS}},
    "pipeline": [
        {"name": "data_load"},
        {"name": "supervised_train", "options": {"model": "rank2", "rank": 2}},
        {"name": "supervised_train", "options": {"model": "rank16", "rank": 16}},
        {"name": "evaluate", "options": {"model": "base", "label": "base"}},
        {"name": "evaluate", "options": {"model": "rank2", "label": "rank2"}},
        {"name": "evaluate", "options": {"model": "rank16", "label": "rank16"}},
        {"name": "bench"},
        {"name": "report"},
    ],
    "training_config": {
        "id": "quick",
        "model_ref": {"id": "crucible/tiny"},
        "dataset_ref": {"name": "tickets"},
        "seed": 0,
    },
    "outputs": [{"name": "report", "formats": ["markdown", "html", "json"]}],
}
CONTRASTS = [
    {"baseline": "base", "treatment": "rank16"},
    {"baseline": "rank2", "treatment": "rank16", "name": "does rank matter?"},
    {"baseline": "base", "treatment": "base"},
]


def start(workspace: Path, **changes: Any) -> Context:
    """Return the context of a run that did nothing yet."""
    return Context(run_id="20260412-093005-7f3a", experiment=Experiment.read(DOCUMENT | changes), workspace=workspace)


def with_training(context: Context, model: str, rank: int, steps: int = 200) -> Context:
    """Add what a training leaves: facts, resolved configuration, history."""
    rng = random.Random(f"{model} {steps}")
    history: list[dict[str, float]] = []
    for step in range(1, steps + 1):
        level = 0.24 / rank**0.25 + 3.1 * math.exp(-step / (28 - rank))
        entry = {"step": step, "loss": level * rng.lognormvariate(0, 0.22)}
        if step % 20 == 0:
            entry["validation_loss"] = level * 1.06 + 0.02
        history.append(entry)
    path = context.workspace / "train" / model / "history.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(history))
    facts = {
        "dataset": "tickets",
        "dataset_role": "train",
        "items": 600,
        "initial_loss": history[0]["loss"],
        "final_loss": history[-1]["loss"],
        "steps": steps,
        "kept_step": steps - 20,
        "kept_validation_loss": 0.2,
        "parameters_trained": 5_632 * rank,
        "truncated": 0,
        "refused": 0,
        "duration_ns": 10_412_345_678,
        "config": {"base_model": "crucible/tiny", "rank": rank, "alpha": 32.0, "dropout": 0.05, "target_modules": None,
                   "learning_rate": 0.003, "batch_size": 16, "max_steps": steps, "seed": 0, "keep": "best"},
    }  # fmt: skip
    return context.put_metric(f"train.{model}", facts).add_file(f"history.{model}", path)


def with_evaluation(context: Context, label: str, *, failed: int = 0) -> Context:
    """Add what an evaluation leaves: a file of answers and the summaries."""
    lines: list[dict[str, Any]] = []
    outcomes: dict[str, list[Outcome]] = {"exact_match": [], "field_f1": []}
    for index in range(ITEMS):
        luck = random.Random(f"{label} {index}").random()
        expected = json.dumps({"intent": "refund", "product": "router", "urgency": "high"})
        is_right = luck < SHARE[label]
        answer = expected if is_right else expected.replace("refund", "repair") if SHARE[label] else "the router hums"
        scores: dict[str, Outcome] = {
            "exact_match": Failed("the model's window is full") if index < failed else Scored(float(is_right)),
            "field_f1": Scored(1.0 if is_right else 2 / 3 if SHARE[label] else 0.0),
        }
        for name, outcome in scores.items():
            outcomes[name].append(outcome)
        text = f"hello, i want my money back for the wifi box, it dies every evning since tuesday (#{index})"
        line = {"id": f"ticket-{index:04d}", "input": text, "expected": expected, "output": answer}
        lines.append(line | {"scores": {name: outcome_to_dict(outcome) for name, outcome in scores.items()}})
    path = context.workspace / "evaluate" / f"{label}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    summaries = {name: summarise(found).to_dict() for name, found in outcomes.items()}
    generation = {
        "model": label,
        "dataset_role": "test",
        "items": ITEMS,
        "max_tokens": 48,
        "temperature": 0.0,
        "stop": [],
    }
    generation |= {"cut_answers": failed, "truncated_prompts": 0}
    context = context.merge_metrics({f"evaluate.{label}": summaries, f"generation.{label}": generation})
    return context.add_file(f"scores.{label}", path)


def with_bench(context: Context, contrasts: list[dict[str, str]] = CONTRASTS) -> Context:
    """Compare with the stage that does it in a run."""
    stage = BenchStage()
    return stage.run(context, stage.Options.model_validate_json(json.dumps({"contrasts": contrasts})))


def with_origin(context: Context, *, synthetic: bool = True) -> Context:
    """Add where data and run come from."""
    part = {"source": "crucible.tickets/1", "synthetic": synthetic, "revision": None,
            "notes": ["600 of 750 items, seed 0"]}  # fmt: skip
    data = {
        "name": "tickets",
        "seed": 0,
        "synthetic": synthetic,
        "test_from": "the task's own test split",
        "overlap": 0,
        "on_overlap": "keep",
        "train": part | {"split": "train", "items": 600, "sha256": "3f" * 32},
        "test": part | {"split": "test", "items": ITEMS, "sha256": "a9" * 32},
    }
    provenance = {
        "source": "examples/quickstart.yaml",
        "command": "crucible run examples/quickstart.yaml --set training_config.seed=0",
        "seed": 0,
        "versions": {"crucible": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "transformers": "5.23.0"},
        "experiment_hash": "c0ffee" * 10,
        "started_at": "2026-04-12T09:30:05+00:00",
        "store": ".crucible",
        "platform": "Linux-6.1-x86_64",
    }
    return context.put_metric("data", data).assign("provenance", provenance)


@pytest.fixture(scope="session")
def leave() -> SimpleNamespace:
    """Return what puts into a context what each stage leaves."""
    return SimpleNamespace(
        start=start, training=with_training, evaluation=with_evaluation, bench=with_bench, origin=with_origin
    )


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Return the context of a run that trained two adapters, evaluated three models and compared them."""
    context = with_origin(start(tmp_path_factory.mktemp("run")))
    for model, rank in (("rank2", 2), ("rank16", 16)):
        context = with_training(context, model, rank)
    for label in SHARE:
        context = with_evaluation(context, label, failed=2 if label == "rank16" else 0)
    return with_bench(context)


@pytest.fixture
def postgres_url(postgres: Any) -> Callable[[], str]:
    """A function that makes a database on a real PostgreSQL."""
    return postgres.database
