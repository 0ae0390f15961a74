"""Middleware: plain objects around every attempt, and what their answers do."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from crucible.errors import ContractError
from crucible.ir import RetryPolicy
from crucible.pipeline import Again, Logging, Middleware, Retry, Runner, Timing

WHERE = pytest.mark.parametrize("needs", [None, []])


class Noting(Middleware):
    """Write down every call; raise or answer where told to."""

    def __init__(self, name: str, calls: list[str], *, fail_at: str = "", answer: Any = None) -> None:
        self.name, self.calls, self.fail_at, self.answer = name, calls, fail_at, answer

    def _note(self, what: str) -> None:
        self.calls.append(f"{self.name}.{what}")
        if self.fail_at == what:
            raise ArithmeticError(f"in {what}")

    def before(self, call: Any) -> None:
        """Note it."""
        self._note(f"before {call.attempt}")

    def after(self, call: Any, context: Any, duration_ns: int) -> None:
        """Note it."""
        assert duration_ns >= 0
        self._note("after")

    def on_error(self, call: Any, error: Exception) -> Any:
        """Note it."""
        self._note("on_error")
        return self.answer


@WHERE
def test_the_order_is_that_of_an_onion(lab: Any, needs: Any) -> None:
    """Before in order, after in reverse order, around every attempt."""
    calls: list[str] = []
    lab.middleware = (Noting("a", calls), Noting("b", calls))
    lab.run({"name": "count", "needs": needs})
    assert calls == ["a.before 1", "b.before 1", "b.after", "a.after"]


def test_errors_are_asked_in_reverse_order_until_one_answers(lab: Any) -> None:
    """The innermost is asked first; an answer ends the asking; attempts are counted."""
    calls: list[str] = []
    lab.middleware = (Noting("a", calls), Noting("b", calls, answer="skip"), Noting("c", calls))
    result = lab.run({"name": "boom", "retry": {"attempts": 9}, "on_error": "halt"})
    assert calls == ["a.before 1", "b.before 1", "c.before 1", "c.on_error", "b.on_error"]
    assert (result.status, result.stages[0].status) == ("completed", "skipped")


@pytest.mark.parametrize(
    ("answer", "run", "stage"),
    [
        ("halt", "failed", "failed"),
        ("skip", "completed", "skipped"),
        ("continue", "completed", "failed"),
        ("fallback", "completed", "ok"),
        (None, "failed", "failed"),
    ],
)
def test_an_answer_goes_before_the_document(lab: Any, answer: Any, run: str, stage: str) -> None:
    """Each verdict does what `on_error` of that word would do; None leaves it to the document."""
    lab.middleware = (Noting("m", [], answer=answer),)
    result = lab.run({"name": "boom", "fallback": {"name": "count"}})
    assert (result.status, result.stages[0].status) == (run, stage)


def test_again_means_again(lab: Any) -> None:
    """`Again` asks for another attempt, as often as it is said."""
    calls: list[int] = []

    @lab.stage
    def flaky(context: Any, options: Any) -> Any:
        calls.append(1)
        if len(calls) < 4:
            raise OSError("busy")
        return context

    lab.middleware = (SimpleNamespace(on_error=lambda call, error: Again()),)
    assert lab.run("flaky").stages[0].attempt == 4


def test_fallback_without_one_ends_the_run(lab: Any) -> None:
    """Where the entry names no fallback, the verdict `fallback` halts."""
    lab.middleware = (SimpleNamespace(on_error=lambda call, error: "fallback"),)
    assert lab.run("boom", "count").failed.name == "boom"


def test_an_unknown_answer_ends_the_run_and_says_so(lab: Any) -> None:
    """A word that is no verdict is not taken for one."""
    lab.middleware = (Noting("m", [], answer="retry"),)
    result = lab.run({"name": "boom", "on_error": "skip"})
    assert result.status == "failed"
    assert "Noting.on_error answered 'retry'; expected Again, halt, skip, continue, fallback or None" in str(
        result.error.__notes__
    )
    assert "answered 'retry'" in result.failure.traceback


@pytest.mark.parametrize("where", ["before 1", "after"])
def test_what_raises_around_a_stage_fails_it(lab: Any, where: str) -> None:
    """An error of `before` or `after` is the stage's: nothing of its work is kept, and on_error is asked."""
    calls: list[str] = []
    lab.middleware = (Noting("a", calls), Noting("b", calls, fail_at=where))
    result = lab.run("count")
    assert (result.failure.type, result.failure.message) == ("ArithmeticError", f"in {where}")
    assert result.context.metrics == {}
    assert calls[-2:] == ["b.on_error", "a.on_error"]
    assert ("a.after" in calls) is False


def test_what_raises_in_on_error_does_not_hide_the_error(lab: Any) -> None:
    """The stage's own error is told, with a note of what went wrong in the middleware."""
    lab.middleware = (Noting("m", [], fail_at="on_error"),)
    result = lab.run({"name": "boom", "on_error": "skip"})
    assert result.failure.type == "ValueError"
    assert result.error.__notes__ == ["Noting.on_error raised ArithmeticError: in on_error"]


@pytest.mark.parametrize("name", ["before", "after", "on_error"])
def test_one_method_is_enough(lab: Any, name: str) -> None:
    """Anything with one of the three methods is middleware."""
    heard: list[Any] = []
    lab.middleware = (SimpleNamespace(**{name: lambda *arguments: heard.append(arguments)}),)
    lab.run("count", {"name": "boom", "on_error": "skip"})
    assert len(heard) == {"before": 2, "after": 1, "on_error": 1}[name]
    assert heard[0][0].name == ("boom" if name == "on_error" else "count")


def test_what_is_no_middleware_is_refused(lab: Any) -> None:
    """An object without any of the methods, or with an async one that nobody would await, is refused at once."""

    class Async:
        """Would never be awaited."""

        async def before(self, call: Any) -> None:
            """Do nothing."""

    for wrong in (object(), Async()):
        with pytest.raises(ContractError, match=f"{type(wrong).__name__} is no middleware"):
            Runner(lab.registry, middleware=[wrong])


def test_a_call_says_what_is_done(lab: Any) -> None:
    """Middleware sees place, name, attempt, context and parsed options; of a fallback, the fallback's."""
    calls: list[Any] = []
    lab.middleware = (SimpleNamespace(before=calls.append),)
    lab.run("later", {"name": "boom", "on_error": "fallback", "fallback": {"name": "count", "options": {"by": 3}}})
    assert [(call.index, call.name, call.attempt) for call in calls] == [
        (0, "later", 1),
        (1, "boom", 1),
        (1, "count", 1),
    ]
    assert calls[2].options.by == 3
    assert calls[2].context.metrics == {"later": True}


def test_nothing_is_called_for_what_does_not_run(lab: Any) -> None:
    """Neither a disabled stage nor one that cannot be carried out has middleware around it; its mistake halts."""
    calls: list[str] = []
    lab.middleware = (Noting("m", calls, answer="skip"),)
    result = lab.run({"name": "count", "enabled": False}, {"name": "count", "options": {"by": 0}})
    assert calls == []
    assert result.status == "failed"


def test_timing_keeps_durations(lab: Any) -> None:
    """Timing keeps one duration for each successful attempt, by name."""
    timing = Timing()
    lab.middleware = (timing,)
    lab.run("count", "later", "count", {"name": "boom", "on_error": "skip"})
    assert {name: len(took) for name, took in timing.durations_ns.items()} == {"count": 2, "later": 1}
    assert all(isinstance(took, int) and took >= 0 for took in timing.durations_ns["count"])


def test_logging_writes_a_line_at_each_end(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Start, end and failure are one line each, in the package's logger or one's own."""
    lab.middleware = (Logging(), Logging(logging.getLogger("mine")))
    with caplog.at_level(logging.INFO):
        lab.run("count", "boom")
    ours = [record.getMessage() for record in caplog.records if record.name == "crucible.pipeline"]
    assert ours[0] == "Running stage count (pipeline[0], attempt 1)"
    assert ours[1].startswith("Completed stage count in 0.")
    assert ours[3] == "Stage boom failed: ValueError: broken glass"
    assert [record.getMessage() for record in caplog.records if record.name == "mine"] == ours


def test_retry_for_every_stage(lab: Any) -> None:
    """Retry as middleware gives a policy to stages that have none; a stage's own goes on where it gives up."""
    calls: list[int] = []

    @lab.stage
    def flaky(context: Any, options: Any) -> Any:
        calls.append(1)
        raise OSError("busy")

    lab.middleware = (Retry(RetryPolicy(attempts=2, wait_initial_s=0.0)),)
    lab.run("flaky")
    assert len(calls) == 2
    calls.clear()
    lab.run({"name": "flaky", "retry": {"attempts": 5, "wait_initial_s": 0.0}})
    assert len(calls) == 5


def test_the_base_class_does_nothing(lab: Any) -> None:
    """Deriving from Middleware without overriding anything changes nothing."""
    lab.middleware = (Middleware(),)
    assert lab.run("count").status == "completed"
    assert lab.run("boom").failure.message == "broken glass"
