"""Record an experiment from start to stop: requests, a metric, a pause, and what it all comes to.

Look at how a request becomes latency, success and tokens without being told how, at what a pause leaves out and counts,
and at reading the recording again by the beginning of its id, as another process would.
"""

import os
import tempfile
from pathlib import Path

from crucible import events
from crucible.store import open_store
from crucible.telemetry import Experiment, Recorded

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or tempfile.mkdtemp(prefix="example_telemetry_"))

QUESTIONS = ["2 + 3", "10 * 4", "7 / 0", "9 - 12", "2 ** 8", "1 / 3", "5 % 0", "6 * 7"]


def answer(question: str) -> str:
    """Answer a question of arithmetic; stands for a request to a model, and really takes its time and fails.

    Raises:
        ZeroDivisionError: It asks for a division by zero.
    """
    with events.span("req_llm.request", {"model": "arithmetic", "provider": "this script"}) as request:
        left, operator, right = question.split()
        a, b = int(left), int(right)
        results = {
            "+": lambda: a + b,
            "-": lambda: a - b,
            "*": lambda: a * b,
            "/": lambda: a / b,
            "%": lambda: a % b,
            "**": lambda: a**b,
        }
        result = f"{results[operator]():.6g}"
        request.measure(prompt_tokens=len(question.split()), completion_tokens=len(result.split()))
        return result


def ask(experiment: Experiment) -> None:
    """Ask every question; a request that fails is recorded as such."""
    for question in QUESTIONS:
        try:
            result = answer(question)
        except ZeroDivisionError:
            continue
        experiment.log_metric("letters", len(result))  # steps count themselves


def main() -> None:
    """Record, and print what was recorded."""
    with open_store(OUTPUT / "store") as store:
        with Experiment.start(
            "arithmetic",
            hypothesis="one question in four cannot be answered",
            tags=["example"],
            store=store,
        ) as experiment:
            ask(experiment)
            experiment.pause()
            answer("1 + 1")  # only counted: a start and a stop
            experiment.resume()
            ask(experiment)

        info = experiment.info
        print(f"{info.name}: {info.status}, paused {info.pause_count} time, {info.dropped['paused']} events left out")
        print(f"hypothesis: {info.hypothesis}")

        metrics = Recorded.find(experiment.id[:8], store).metrics()
        print(f"events: {metrics.event_types}")
        requests = metrics.reliability
        print(f"success: {requests.successful} of {requests.total_requests} ({requests.success_rate:.0%})")
        print(f"latency: {metrics.latency.count} measured, all of them above 0: {metrics.latency.min > 0}")
        print(f"tokens:  {metrics.tokens.total_prompt} in questions, {metrics.tokens.total_completion} in answers")

        for event in experiment.query("req_llm.request.exception", limit=1):
            print(f"failed:  {event.metadata['error_type']}: {event.metadata['error']}")
        [letters] = metrics.series
        print(f"letters: {letters.count} answers of {letters.mean:.2f} letters on average")


if __name__ == "__main__":
    main()
