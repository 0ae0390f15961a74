"""A run that is ended while it evaluates goes on at the item where it was."""

import json
import math
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from pydantic import BaseModel

from crucible.backends.records import Sample, SamplingParams
from crucible.backends.scripted import ScriptedSampler
from crucible.ir import BackendRef, DatasetRef, Experiment, StageDef
from crucible.pipeline import Context, NoOptions, Registry, Runner, RunResult, StageBase

if TYPE_CHECKING:
    from tests.e2e.conftest import Place

ITEMS = 40
DRAWN = {"scorers": ["field_f1"], "max_tokens": 48, "batch_size": 1, "temperature": 1.0, "seed": 4, "label": "small"}


def document(place: "Place") -> None:
    """Write a document that only evaluates, one item a call."""
    training = {"id": "t", "model_ref": {"id": str(place.base)}, "dataset_ref": {"name": "tickets"}}
    place.write(
        training_config=training,
        dataset={"name": "tickets", "options": {"limit": 4, "test_limit": ITEMS}},
        pipeline=[{"name": "data_load"}, {"name": "evaluate", "options": DRAWN}, {"name": "report"}],
    )


def ended(place: "Place", with_signal: signal.Signals, lines: int, *command: str) -> None:
    """Run until so many measurements are recorded in all, and send a signal."""
    process = place.start(*command)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = list(place.folder.glob(".crucible/artifacts/*/evaluate/small.jsonl"))
        if found and max(path.read_bytes().count(b"\n") for path in found) >= lines:
            process.send_signal(with_signal)
            process.communicate(timeout=60)
            return
        if process.poll() is not None:
            raise AssertionError(f"ended before it could be interrupted: {process.communicate()}")
        time.sleep(0.002)
    raise AssertionError("nothing was recorded")


def scores(place: "Place", run_id: str) -> list[dict[str, Any]]:
    """Return the lines of the scores of a run."""
    path = Path(place.folder, ".crucible", "artifacts", run_id, "evaluate", "small.jsonl")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.slow  # five processes that load PyTorch
def test_a_run_ended_twice_while_it_evaluates_finds_what_it_would_have_found(place: "Place") -> None:
    """By kill -9, then by Ctrl-C: each resume goes on inside the stage; metrics and file are those of a whole run."""
    document(place)
    ended(place, signal.SIGKILL, 6, "run", "e.yaml")
    run_id = place.runs()[0]["run_id"]
    first = scores(place, run_id)
    assert 6 <= len(first) < ITEMS
    ended(place, signal.SIGINT, len(first) + 5, "resume", run_id)
    second = scores(place, run_id)
    assert second[: len(first)] == first
    assert len(first) + 5 <= len(second) < ITEMS
    assert place.runs()[0]["status"] == "cancelled"
    place.crucible("resume", run_id)
    third = scores(place, run_id)
    assert third[: len(second)] == second
    resumed = place.show(run_id)

    place.crucible("run", "e.yaml")
    whole = place.show(place.runs()[0]["run_id"])
    assert scores(place, whole["run_id"]) == third
    for metric in ("evaluate.small", "generation.small"):
        assert resumed["metrics"][metric] == whole["metrics"][metric]


class Graded(ScriptedSampler):
    """Answers the question `q<n>` rightly as often as it is told, and fails once where it is told.

    Args:
        times: How often an answer is right, by `n` modulo the length.
        fails: The prompt whose first answer fails.
    """

    def __init__(self, times: Sequence[int], fails: str = "") -> None:
        super().__init__({})
        self.times = times
        self.fails = fails
        self.asked: Counter[str] = Counter()

    async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
        """Answer one after the other; the first answers to a question are the right ones."""
        return [self.answer(prompt) for prompt in prompts]

    def answer(self, prompt: str) -> Sample:
        """Answer, or fail."""
        number = int(prompt.removeprefix("q"))
        self.asked[prompt] += 1
        if prompt == self.fails and self.asked[prompt] == 1:
            raise RuntimeError("no power")
        is_right = self.asked[prompt] <= self.times[number % len(self.times)]
        return Sample(str(number) if is_right else "no", (1,), "stop", None, 1, truncated_prompt=False)


class Provide(StageBase):
    """Provide two models."""

    name: ClassVar[str] = "provide"
    Options: ClassVar[type[BaseModel]] = NoOptions

    def run(self, context: Context, options: NoOptions) -> Context:
        """Put them where training stages would."""
        del options
        first = context.put_resource("sampler.first", Graded([3, 1, 0, 2], fails="q4"))
        return first.put_resource("sampler.second", Graded([3, 2, 1, 3]))

    rebuild = run


def repeated(tmp_path: Path, failures: str) -> RunResult:
    """Ask two models sixteen questions three times, compare them and report."""
    rows = [{"id": f"i{number}", "question": f"q{number}", "answer": str(number)} for number in range(16)]
    folder = tmp_path / "questions"
    folder.mkdir()
    for split, some in (("train", rows[:1]), ("test", rows)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    fields = {"id": "id", "input": "question", "expected": "answer"}
    asked = {"repeats": 3, "temperature": 1.0, "batch_size": 1, "concurrency": 1, "failures": failures}
    document = Experiment(
        id="repeated",
        backend=BackendRef(id="local"),
        dataset=DatasetRef(name="file", options={"path": str(folder), "fields": fields}),
        pipeline=(
            StageDef(name="data_load"),
            StageDef(name="provide"),
            StageDef(name="evaluate", options={"model": "first", **asked}),
            StageDef(name="evaluate", options={"model": "second", **asked}),
            StageDef(name="bench", options={"contrasts": [{"baseline": "first", "treatment": "second"}]}),
            StageDef(name="report"),
        ),
    )
    return Runner(Registry(Provide())).run(document, workspace=tmp_path / "run")


@pytest.mark.parametrize(("failures", "mean", "difference"), [("exclude", 1 / 2, 1 / 4), ("zero", 23 / 48, 13 / 48)])
def test_repeats_are_evaluated_compared_and_reported_as_means_of_items(
    tmp_path: Path, failures: str, mean: float, difference: float
) -> None:
    """Sixteen pairs and not forty-eight; a failed repeat is what the policy says, and the report counts it."""
    found = repeated(tmp_path, failures)
    found.raise_for_status()
    summary = found.context.get_metric("evaluate.first")["exact_match"]
    assert (summary["attempted"], summary["failed"], summary["items"]) == (48, 1, 16)
    assert math.isclose(summary["mean"], mean, rel_tol=1e-12)
    (contrast,) = found.context.get_metric("bench")["contrasts"]
    assert contrast["n"] == 16
    assert math.isclose(contrast["difference"], difference, rel_tol=1e-12)
    assert contrast["verdict"] == "difference"
    assert contrast["failures"].startswith("1 repeat of an item failed and ")
    page = found.context.artifact_path("report.markdown").read_text()
    assert "1 repeat of an item failed and " in page
    (row,) = [line for line in page.splitlines() if line.startswith("| second against first | difference |")]
    assert f"| +{100 * difference:.1f} |" in row
    assert row.endswith("| 16 |")


def test_a_failed_repeat_ends_the_run_under_abort(tmp_path: Path) -> None:
    """Nothing is compared, and what failed is said."""
    found = repeated(tmp_path, "abort")
    assert found.status == "failed"
    assert found.failure is not None
    assert "no power" in found.failure.message
    assert not found.context.has_metric("bench")
