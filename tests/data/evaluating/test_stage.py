"""The stage `evaluate` as the engine's user: its options, and a run that is ended in the middle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

import crucible
from crucible.backends.records import Sample, SamplingParams
from crucible.backends.scripted import ScriptedSampler
from crucible.errors import Cancelled
from crucible.ir import BackendRef, DatasetRef, Experiment, StageDef
from crucible.pipeline import Context, NoOptions, Registry, Runner, StageBase, pipeline_problems
from crucible.stats.bench.scores import read_items

ITEMS = 12


class Model(ScriptedSampler):
    """Answers with a number of tokens; stops the run after so many calls."""

    def __init__(self, stop_after: int | None = None, poisoned: Sequence[str] = ()) -> None:
        super().__init__(lambda prompt: "{}")
        self.prompts: list[str] = []
        self.calls = 0
        self.poisoned = set(poisoned)
        self.stop_after = stop_after

    async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
        """Answer, or stop."""
        if self.stop_after is not None and self.calls >= self.stop_after:
            raise Cancelled("somebody asked")
        self.calls += 1
        self.prompts += prompts
        if self.poisoned & set(prompts):
            raise RuntimeError("no power")
        return [Sample("{}", (1,), "stop", None, 2, truncated_prompt=False) for _ in prompts]


def provide(model: Model) -> Any:
    """Return a stage that provides a model."""

    class Provide(StageBase):
        """Provide a model."""

        name: ClassVar[str] = "provide"
        Options: ClassVar[type[BaseModel]] = NoOptions

        def run(self, context: Context, options: NoOptions) -> Context:
            """Put it where a training stage would."""
            return context.put_resource("sampler.tuned", model)

        rebuild = run

    return Provide()


def document(**options: Any) -> Experiment:
    """Return a document that evaluates the model."""
    pipeline = (
        StageDef(name="data_load"),
        StageDef(name="provide"),
        StageDef(name="evaluate", options={"model": "tuned", "batch_size": 2, "concurrency": 1, **options}),
    )
    dataset = DatasetRef(name="tickets", options={"limit": 4, "test_limit": ITEMS})
    return Experiment(id="e", backend=BackendRef(id="local"), dataset=dataset, pipeline=pipeline)


def run(tmp_path: Path, model: Model, **options: Any) -> Any:
    """Run it without a store."""
    return Runner(Registry(provide(model))).run(document(**options), workspace=tmp_path)


def test_a_run_that_was_ended_in_the_middle_goes_on_inside_the_stage(tmp_path: Path) -> None:
    """`crucible.resume` asks only what is not recorded, and what comes out is what would have."""
    store = tmp_path / "store"
    whole = Model()
    full = crucible.run(document(), store=tmp_path / "whole", registry=Registry(provide(whole)))
    broken = Model(stop_after=3)
    with pytest.raises(Cancelled):
        crucible.run(document(), store=store, run_id="stopped", registry=Registry(provide(broken)))
    assert len(broken.prompts) == 6
    rest = Model()
    resumed = crucible.resume("stopped", store=store, registry=Registry(provide(rest)))
    assert resumed.status == "completed"
    assert broken.prompts + rest.prompts == whole.prompts
    for metric in ("evaluate.tuned", "generation.tuned"):
        assert resumed.context.get_metric(metric) == full.context.get_metric(metric)
    files = [found.context.artifact_path("scores.tuned").read_bytes() for found in (full, resumed)]
    assert files[0] == files[1]


def test_a_stage_that_is_not_to_go_on_begins_anew(tmp_path: Path) -> None:
    """`resume: false` asks every item again."""
    with pytest.raises(Cancelled):
        run(tmp_path, Model(stop_after=3))
    again = Model()
    assert run(tmp_path, again, resume=False).status == "completed"
    assert len(again.prompts) == ITEMS


def test_what_failed_is_made_again_if_the_stage_says_so(tmp_path: Path) -> None:
    """In the same workspace, as a resumed run has it."""
    first = run(tmp_path, Model())
    questions = [line["input"] for line in map(json.loads, _scores(first).read_text().splitlines())]
    for path in (tmp_path / "evaluate").iterdir():
        path.unlink()
    broken = run(tmp_path, Model(poisoned=questions[:1]))
    assert broken.context.get_metric("evaluate.tuned")["exact_match"]["failed"] == 1
    kept = Model()
    assert run(tmp_path, kept).context.get_metric("evaluate.tuned")["exact_match"]["failed"] == 1
    assert kept.prompts == []
    again = Model()
    mended = run(tmp_path, again, retry_failed=True)
    assert (again.prompts, mended.context.get_metric("evaluate.tuned")["exact_match"]["failed"]) == (questions[:1], 0)


def _scores(found: Any) -> Path:
    return found.context.artifact_path("scores.tuned")


def test_a_record_of_another_model_is_refused(tmp_path: Path) -> None:
    """The same label in the same workspace with other options is another evaluation."""
    run(tmp_path, Model()).raise_for_status()
    found = run(tmp_path, Model(), max_tokens=9)
    assert "params.max_tokens was 64 and is 9" in found.failure.message


def test_limits_end_the_stage_and_not_the_run(tmp_path: Path) -> None:
    """The metrics say which limit, what was not reached, and what it cost by whose prices."""
    prices = {"source": "made up", "date": "2026-11-30", "prices": [{"model": "scripted"}]}
    prices["prices"][0] |= {"input_usd_per_1m": 1e6, "output_usd_per_1m": 1e6}  # type: ignore[index]
    (tmp_path / "prices.json").write_text(json.dumps(prices))
    options = {"limits": {"cost_usd": 10}, "prices": str(tmp_path / "prices.json")}
    found = run(tmp_path / "run", Model(), **options)
    assert found.status == "completed"
    drawn = found.context.get_metric("generation.tuned")
    assert (drawn["status"], drawn["not_reached"], drawn["cost_usd"]) == ("limited", 8, 12.0)
    assert drawn["reason"] == "cost_usd: 12.0000 of 10 US dollars were spent"
    assert (drawn["prices_source"], drawn["prices_date"]) == ("made up", "2026-11-30")
    assert found.context.get_metric("evaluate.tuned")["exact_match"]["attempted"] == 4
    assert len(read_items(_scores(found))) == 4


def test_repeats_are_in_the_file_and_in_the_metrics(tmp_path: Path) -> None:
    """A measurement a line; the means are of items."""
    found = run(tmp_path, Model(), repeats=3, temperature=1.0)
    lines = [json.loads(line) for line in _scores(found).read_text().splitlines()]
    assert [line["repeat"] for line in lines] == [0, 1, 2] * ITEMS
    summary = found.context.get_metric("evaluate.tuned")["exact_match"]
    assert (summary["attempted"], summary["items"], summary["repeats"]) == (36, 12, 3)
    assert found.context.get_metric("generation.tuned")["repeats"] == 3


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        ({"limits": {"cost_usd": 1.0}}, "limits.cost_usd", "needs prices"),
        ({"limits": {"items": 0}}, "limits.items", "must be positive"),
        ({"limits": {"item": 1}}, "limits.item", "unknown key"),
        ({"concurrency": 0}, "concurrency", "must be positive"),
        ({"repeats": 0}, "repeats", "must be positive"),
        ({"timeout_s": 0}, "timeout_s", "must be positive"),
    ],
)
def test_validation_finds_bad_options(options: dict[str, Any], path: str, message: str) -> None:
    """By path, before anything runs."""
    (problem,) = pipeline_problems(document(**options), Registry(provide(Model())))
    assert problem.path == f"pipeline[2].options.{path}"
    assert message in problem.message
