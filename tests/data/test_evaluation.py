from __future__ import annotations

import asyncio
import inspect
import random
import sys
from collections.abc import Sequence

import pytest

from crucible import events
from crucible.backends.records import Sample, SamplingParams
from crucible.backends.scripted import ScriptedSampler
from crucible.data import (
    Dataset,
    Item,
    Provenance,
    Scorer,
    aevaluate,
    evaluate,
    load,
    resolve_scorers,
    schema_compliance,
    score_bounds,
)
from crucible.data.order import draw_seed
from crucible.errors import BackendError, Cancelled, DataError, MissingExtra
from crucible.ir import Failed, Interval, Outcome, Scored, Skipped
from crucible.pipeline import cancellable


def dataset(n: int = 5) -> Dataset:
    """Return questions whose answers are in them."""
    return load([(f"q{index}", str(index)) for index in range(n)])


def right(prompt: str) -> str:
    """Answer correctly."""
    return prompt.removeprefix("q")


class Counting(ScriptedSampler):
    """Writes down what it is asked; breaks on the prompts that it is told to."""

    def __init__(self, *poisoned: str) -> None:
        super().__init__(right)
        self.calls: list[list[str]] = []
        self.poisoned = poisoned

    async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
        """Answer, or break."""
        self.calls.append(list(prompts))
        if set(prompts) & set(self.poisoned):
            raise BackendError("the line went dead", backend="scripted")
        return self.sample(prompts, params)


def test_each_item_is_asked_once_for_all_scorers() -> None:
    """In order, in batches of which the last one is smaller; one result an item."""
    sampler = Counting()
    found = evaluate(sampler, dataset(), ["exact_match", "number_match"], batch_size=2)
    assert sampler.calls == [["q0", "q1"], ["q2", "q3"], ["q4"]]
    assert [item.id for item in found.items] == [f"item-{index}" for index in range(1, 6)]
    assert found.items[2].output == "2"
    assert found.items[2].outcomes == {"exact_match": Scored(1.0), "number_match": Scored(1.0)}
    assert (found.model, found.summaries["exact_match"].mean) == ("scripted", 1.0)
    assert (found.cut_answers, found.truncated_prompts) == (0, 0)


def test_a_sampler_error_fails_its_items_and_no_others() -> None:
    """They are Failed and never 0; the mean is over the rest, and all counts are there."""
    found = evaluate(Counting("q2", "q3"), dataset(), ["exact_match"], batch_size=2)
    failed = Failed("no answer: BackendError: the line went dead")
    assert [item.outcomes["exact_match"] for item in found.items] == [Scored(1.0)] * 2 + [failed] * 2 + [Scored(1.0)]
    assert found.items[2].output is None
    summary = found.summaries["exact_match"]
    assert (summary.attempted, summary.scored, summary.failed, summary.mean) == (5, 3, 2, 1.0)


def test_failures_count_as_zero_only_if_asked() -> None:
    """The policy is part of the summary."""
    found = evaluate(Counting("q2", "q3"), dataset(), ["exact_match"], batch_size=2, failures="zero")
    assert (found.summaries["exact_match"].mean, found.summaries["exact_match"].failures) == (0.6, "zero")


def test_abort_raises_the_first_failure() -> None:
    """The sampler's own error, or one that names the item and the scorer."""
    with pytest.raises(BackendError, match="went dead"):
        evaluate(Counting("q0"), dataset(), ["exact_match"], failures="abort")
    with pytest.raises(DataError, match='item "item-1" cannot be scored by field_f1: the expected answer is no JSON'):
        evaluate(Counting(), dataset(), ["field_f1"], failures="abort")
    assert evaluate(Counting(), dataset(), ["exact_match"], failures="abort").summaries["exact_match"].mean == 1.0


def test_too_few_answers_fail_the_items() -> None:
    """An answer is never given to the wrong item; each is asked alone, too, before it is failed."""

    class Short(Counting):
        async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
            return self.sample(prompts, params)[1:]

    found = evaluate(Short(), dataset(2), ["exact_match"])
    assert found.items[0].outcomes["exact_match"] == Failed("no answer: BadResponse: 0 answers came for 1 prompts")


@pytest.mark.parametrize(
    ("scorer", "outcome"),
    [
        (lambda item, output: 1 / 0, Failed("the scorer raised ZeroDivisionError: division by zero")),
        (lambda item, output: Scored(float("nan")), Failed("the score is nan, not a finite number")),
        (lambda item, output: True, Failed("the scorer returned a bool; expected Scored, Failed or Skipped")),
        (lambda item, output: Skipped("not today"), Skipped("not today")),
    ],
)
def test_a_scorers_fault_is_a_failure_of_the_item(scorer: object, outcome: Outcome) -> None:
    """Whatever it does."""
    found = evaluate(Counting(), dataset(1), {"mine": scorer})  # type: ignore[dict-item]
    assert found.items[0].outcomes == {"mine": outcome}


def test_cancellation_is_noticed_once_a_batch() -> None:
    """It ends the evaluation: nothing is recorded as failed on its account, nor when a sampler or scorer raises it."""
    sampler = Counting()
    with cancellable() as cancellation:
        events.attach("stop", "crucible_data.evaluation.progress", lambda event: cancellation.request())
        with pytest.raises(Cancelled):
            evaluate(sampler, dataset(), ["exact_match"], batch_size=2)
        events.detach("stop")
    assert len(sampler.calls) == 1

    def stop(*args: object) -> str:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        evaluate(ScriptedSampler(stop), dataset(), ["exact_match"])
    with pytest.raises(Cancelled):
        evaluate(Counting(), dataset(), {"stop": stop})  # type: ignore[dict-item]


def test_progress_is_told_after_the_first_batch_and_at_the_end() -> None:
    """Items so far and items in all, inside a span that ends with the counts and the means."""
    with events.collect("crucible_data.evaluation.*") as seen:
        evaluate(Counting(), dataset(), ["exact_match"], batch_size=2, model="tuned")
    assert [event.name.removeprefix("crucible_data.evaluation.") for event in seen] == [
        "start",
        *["progress"] * 2,
        "stop",
    ]
    assert [event.measurements["items"] for event in seen[1:3]] == [2, 5]
    assert seen[1].metadata == {"model": "tuned", "total_items": 5, "dataset": "in-memory"}
    assert seen[-1].measurements["items"] == 5
    assert seen[-1].metadata["means"] == {"exact_match": 1.0}


def test_tokens_cut_answers_and_cut_prompts_are_counted() -> None:
    """So that a bad score can be told from a short budget."""

    class Cutting(Counting):
        async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
            return [Sample("x", (1, 2), "length", None, 7, truncated_prompt=True) for _ in prompts]

    found = evaluate(Cutting(), dataset(3), ["exact_match"])
    assert (found.cut_answers, found.truncated_prompts, found.prompt_tokens, found.completion_tokens) == (3, 3, 21, 6)


def test_evaluate_works_inside_a_running_loop() -> None:
    """As in a notebook; `aevaluate` is the same for async code."""

    async def main() -> tuple[float | None, float | None]:
        one = evaluate(Counting(), dataset(), ["exact_match"])
        two = await aevaluate(Counting(), dataset(), ["exact_match"])
        return one.summaries["exact_match"].mean, two.summaries["exact_match"].mean

    assert asyncio.run(main()) == (1.0, 1.0)


def test_sampling_is_greedy_unless_told_otherwise() -> None:
    """An evaluation that repeats must not depend on luck."""
    given: list[SamplingParams | None] = []

    class Noting(Counting):
        async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
            given.append(params)
            return self.sample(prompts, params)

    evaluate(Noting(), dataset(1), ["exact_match"])
    evaluate(Noting(), dataset(1), ["exact_match"], params=SamplingParams(max_tokens=3, temperature=1.0, seed=1))
    drawn = SamplingParams(max_tokens=3, temperature=1.0, seeds=(draw_seed(1, "item-1"),))
    assert given == [SamplingParams(), drawn]
    evaluate(Noting(), dataset(1), ["exact_match"], params=SamplingParams(temperature=1.0))
    assert given[2] == SamplingParams(temperature=1.0)


class Drawing(ScriptedSampler):
    """Answers with a number that it draws as a model would: from the seed of each prompt."""

    def __init__(self) -> None:
        super().__init__(right)

    async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
        """Draw one number a prompt."""
        assert params is not None
        assert params.seeds is not None
        return [
            Sample(str(random.Random(seed).random()), (), "stop", None, 0, truncated_prompt=False)
            for _, seed in zip(prompts, params.seeds, strict=True)
        ]


def test_what_is_drawn_for_an_item_does_not_depend_on_the_batch() -> None:
    """Only on the seed and the item: whatever the batch size, the limit and the order; equal prompts draw anew."""
    asked = load([("the same question", str(index)) for index in range(20)])

    def answers(data: Dataset, seed: int = 1, **options: int) -> dict[str, str | None]:
        found = evaluate(Drawing(), data, ["exact_match"], params=SamplingParams(temperature=1.0, seed=seed), **options)
        return {item.id: item.output for item in found.items}

    first = answers(asked, batch_size=3)
    assert answers(asked, batch_size=16) == first
    assert answers(asked.shuffle(0).take(7)).items() <= first.items()
    assert len(set(first.values())) == 20
    assert not set(answers(asked, seed=2).values()) & set(first.values())


def test_an_interval_stays_inside_the_range_that_a_scorer_declares() -> None:
    """Those that come with Crucible range from 0 to 1; one's own says so by `bounds`, or is not clipped."""

    def tenths(item: Item, output: str) -> Outcome:
        return Scored({"0": 0.9, "1": 0.5}.get(output, 1.0))

    def interval(scorer: Scorer) -> Interval | None:
        return evaluate(Counting(), dataset(), {"mine": scorer}).summaries["mine"].interval

    free = interval(tenths)
    assert free is not None
    assert free.high > 1
    tenths.bounds = (0.0, 1.0)  # type: ignore[attr-defined]
    clipped = interval(tenths)
    assert clipped == Interval(free.low, 1.0, 0.95, "Student's t, clipped to [0, 1]")
    by_name = resolve_scorers(["exact_match", "field_f1", "number_match"], dataset())
    assert {score_bounds(scorer) for scorer in (*by_name.values(), schema_compliance({}))} == {(0.0, 1.0)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"failures": "ignore"}, 'unknown policy for failures "ignore"; known: exclude, zero, abort'),
        ({"level": 95}, "level of an interval lies between 0 and 1, got 95"),
        ({"batch_size": 0}, "batch_size 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    """In one sentence."""
    with pytest.raises(DataError, match=message):
        evaluate(Counting(), dataset(), ["exact_match"], **options)  # type: ignore[arg-type]


def test_an_empty_dataset_is_refused() -> None:
    """A mean over nothing is nothing."""
    empty = Dataset("none", "test", (), Provenance(source="nowhere"))
    with pytest.raises(DataError, match=r"none \(test\) is empty"):
        evaluate(Counting(), empty, ["exact_match"])


def test_a_missing_scipy_is_noticed_before_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after an hour of answers."""
    sampler = Counting()
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtra, match=r"crucible-ml\[stats\]"):
        evaluate(sampler, dataset(), ["exact_match"])
    assert not sampler.calls


def test_evaluate_takes_the_options_of_its_async_core() -> None:
    """Nothing is swallowed: an unknown one is a TypeError."""
    with pytest.raises(TypeError, match="batchsize"):
        evaluate(Counting(), dataset(), ["exact_match"], batchsize=3)
    assert list(inspect.signature(aevaluate).parameters)[:3] == ["sampler", "dataset", "scorers"]


def test_unanswered_items_are_skipped() -> None:
    """They are not attempted."""
    data = load([Item("x", "q1"), Item("y", "q2", "2")], unanswered="keep")
    summary = evaluate(Counting(), data, ["exact_match"]).summaries["exact_match"]
    assert (summary.attempted, summary.scored, summary.skipped, summary.mean) == (1, 1, 1, 1.0)
