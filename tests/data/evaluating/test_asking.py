"""Asking: several calls at once, again where that helps, in halves where one prompt spoils a batch."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from crucible.backends.records import Sample
from crucible.backends.scripted import ScriptedSampler
from crucible.data import Dataset, Item, aevaluate, evaluate, load, read_record
from crucible.data.evaluating import asking
from crucible.errors import BackendError, Cancelled
from crucible.ir import Failed, Outcome, Scored
from crucible.pipeline import cancellable


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait milliseconds, not seconds, between tries."""
    monkeypatch.setattr(asking, "_WAIT_S", 0.002)


def failures(result: Any) -> dict[str, str]:
    """Return the error of each item that failed, by id."""
    outcomes = {item.id: next(iter(item.outcomes.values())) for item in result.items}
    return {key: outcome.error for key, outcome in outcomes.items() if isinstance(outcome, Failed)}


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (3, 3), (None, 5)])
def test_as_many_calls_are_under_way_as_asked_for(
    asked: Any, twenty: Dataset, concurrency: int | None, most: int
) -> None:
    """And never more; by default 8, of which 5 batches of 4 use 5."""
    sampler = asked(wait_s=0.01)
    result = evaluate(sampler, twenty, ["exact_match"], batch_size=4, concurrency=concurrency)
    assert sampler.most_under_way == most
    assert [item.output for item in result.items] == [str(index) for index in range(20)]


def test_a_model_on_a_device_of_this_machine_is_asked_one_batch_at_a_time(asked: Any, twenty: Dataset) -> None:
    """Unless told otherwise: more calls would share the device."""
    sampler = asked(wait_s=0.005)
    sampler.device = "cpu"
    evaluate(sampler, twenty, ["exact_match"], batch_size=4)
    assert sampler.most_under_way == 1


def test_a_poisoned_prompt_fails_its_item_alone(asked: Any, twenty: Dataset) -> None:
    """The batch is asked in halves until it stands alone; others in it are answered."""
    sampler = asked("q5")
    result = evaluate(sampler, twenty, ["exact_match"], batch_size=8, concurrency=1)
    assert failures(result) == {"item-6": "no answer: BackendError: cannot digest q5"}
    assert [len(call) for call in sampler.calls] == [8, 4, 4, 2, 1, 1, 2, 8, 4]


def test_an_error_that_may_pass_is_tried_again(asked: Any, twenty: Dataset) -> None:
    """The whole batch, up to `attempts` times; then its parts once each."""
    sampler = asked(broken_calls=(1, 2))
    assert failures(evaluate(sampler, twenty.take(4), ["exact_match"])) == {}
    assert [len(call) for call in sampler.calls] == [4, 4, 4]
    dead = asked(broken_calls=range(100))
    found = failures(evaluate(dead, twenty.take(4), ["exact_match"], attempts=2))
    assert found == {f"item-{index}": "no answer: BackendError: the line went dead" for index in range(1, 5)}
    assert [len(call) for call in dead.calls] == [4, 4, 2, 1, 1, 2, 1, 1]


def test_abort_raises_at_once_what_cannot_pass(asked: Any, twenty: Dataset) -> None:
    """Nothing is asked in halves; what may pass is still tried again."""
    sampler = asked("q1")
    with pytest.raises(BackendError, match="cannot digest q1"):
        evaluate(sampler, twenty, ["exact_match"], failures="abort", concurrency=1)
    assert len(sampler.calls) == 1
    again = asked(broken_calls=(1,))
    assert evaluate(again, twenty, ["exact_match"], failures="abort").summaries["exact_match"].mean == 1.0


def test_a_call_that_takes_too_long_fails_what_makes_it_long(twenty: Dataset) -> None:
    """Its batch is asked in halves; a TimeoutError of the sampler's own stays its own."""

    class Stuck(ScriptedSampler):
        async def asample(self, prompts: Any, params: Any = None) -> list[Sample]:
            if "q2" in prompts:
                await asyncio.sleep(30)
            if "q7" in prompts:
                raise TimeoutError("the socket's")
            return self.sample(prompts, params)

    stuck = Stuck(lambda prompt: prompt[1:])
    found = failures(evaluate(stuck, twenty, ["exact_match"], timeout_s=0.05, batch_size=4))
    assert found == {
        "item-3": "no answer: BackendTimeout: no answer within timeout_s = 0.05",
        "item-8": "no answer: TimeoutError: the socket's",
    }


def test_what_is_no_answer_fails_its_item(asked: Any, twenty: Dataset) -> None:
    """A sampler that returns texts, or too few samples, is broken, and the evaluation is not."""

    class Texts(asked):  # type: ignore[misc]
        async def asample(self, prompts: Any, params: Any = None) -> Any:
            return list(prompts)

    class Few(asked):  # type: ignore[misc]
        async def asample(self, prompts: Any, params: Any = None) -> Any:
            return (await super().asample(prompts, params))[1:]

    for sampler, error in ((Texts(), "a str came; expected a Sample"), (Few(), "0 answers came for 1 prompts")):
        result = evaluate(sampler, twenty, ["exact_match"])
        assert result.summaries["exact_match"].failed == 20
        assert result.items[0].outcomes == {"exact_match": Failed(f"no answer: BadResponse: {error}")}


def test_scorers_can_have_threads(asked: Any, twenty: Dataset) -> None:
    """Several answers are scored at once, away from the event loop, and each score goes to its item."""
    threads: set[int] = set()
    meet = threading.Barrier(4, timeout=10)

    def slow(item: Item, output: str) -> Outcome:
        threads.add(threading.get_ident())
        meet.wait()  # none goes on before four are here
        return Scored(float(output == item.expected))

    result = evaluate(asked(), twenty, [slow], scoring_threads=4, batch_size=4)
    assert result.summaries["slow"].mean == 1.0
    assert threading.get_ident() not in threads
    assert len(threads) == 4


def test_a_score_is_a_float(asked: Any, twenty: Dataset) -> None:
    """Numbers of other kinds become one; what is no number fails."""
    import numpy as np

    values = {"whole": 1, "truth": True, "numpy": np.float64(0.5), "text": "x"}
    scorers = {name: lambda item, output, value=value: Scored(value) for name, value in values.items()}
    result = evaluate(asked(), twenty.take(1), scorers)  # type: ignore[arg-type]
    found = result.items[0].outcomes
    assert {name: found[name] for name in ("whole", "truth", "numpy")} == {
        "whole": Scored(1.0),
        "truth": Scored(1.0),
        "numpy": Scored(0.5),
    }
    assert isinstance(found["text"], Failed)


# --- being stopped ---


def test_a_request_to_stop_lets_calls_under_way_finish(tmp_path: Any, asked: Any, twenty: Dataset) -> None:
    """They are paid for; nothing else begins, and the record goes on from there."""
    path = tmp_path / "r.jsonl"
    sampler = asked(wait_s=0.05)
    with cancellable() as cancellation:
        timer = threading.Timer(0.07, cancellation.request)
        timer.start()
        with pytest.raises(Cancelled):
            evaluate(sampler, twenty, ["exact_match"], record=path, batch_size=2, concurrency=2)
        timer.join()
    assert len(read_record(path)) == len(sampler.prompts) < 20
    again = asked()
    evaluate(again, twenty, ["exact_match"], record=path)
    assert sorted(sampler.prompts + again.prompts) == sorted(f"q{index}" for index in range(20))


def test_a_cancelled_task_keeps_what_was_finished(tmp_path: Any, asked: Any, twenty: Dataset) -> None:
    """As Ctrl-C cancels it: calls under way are given up and asked again the next time; the record is free at once."""
    path = tmp_path / "r.jsonl"
    sampler = asked(wait_s=0.05)

    async def main() -> None:
        options = {"record": path, "batch_size": 2, "concurrency": 2}
        task = asyncio.create_task(aevaluate(sampler, twenty, ["exact_match"], **options))
        await asyncio.sleep(0.08)
        task.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 5

    asyncio.run(main())
    done = len(read_record(path))
    assert len(sampler.prompts) - 4 <= done < 20
    again = asked()
    assert len(evaluate(again, twenty, ["exact_match"], record=path).items) == 20
    assert len(again.prompts) == 20 - done


def test_a_sampler_that_cancels_itself_ends_the_evaluation(twenty: Dataset) -> None:
    """Items are never dropped in silence."""

    class Odd(ScriptedSampler):
        async def asample(self, prompts: Any, params: Any = None) -> list[Sample]:
            raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await aevaluate(Odd({}), twenty, ["exact_match"])

    asyncio.run(main())


def test_an_empty_stream_is_refused(asked: Any) -> None:
    """Its end is the first that is known of it."""
    from crucible.errors import DataError

    with pytest.raises(DataError, match="is empty: there is nothing to evaluate"):
        evaluate(asked(), iter(()), ["exact_match"])
    assert len(load([("q1", "1")])) == 1
