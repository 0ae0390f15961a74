"""One measurement as a sample of an Inspect log."""

from __future__ import annotations

from typing import Any

from crucible.data.evaluating.result import ItemResult
from crucible.data.items import Item
from crucible.ir import Failed, Scored, outcome_to_dict
from crucible.stats.readers.inspect_scores import OUTCOMES_KEY

__all__ = ["failure_of", "log_sample", "sample_summary", "usage"]

_STOP = {"stop": "stop", "length": "max_tokens"}
_SUMMARY_CHARACTERS = 5120  # what Inspect cuts the texts of its own summaries to


def failure_of(result: ItemResult) -> str | None:
    """Return why nothing of an item could be scored; None where something was, or nothing was tried."""
    if any(isinstance(outcome, Scored) for outcome in result.outcomes.values()):
        return None
    return next((outcome.error for outcome in result.outcomes.values() if isinstance(outcome, Failed)), None)


def log_sample(item: Item, result: ItemResult, model: str) -> dict[str, Any]:
    """Return an `EvalSample`.

    Args:
        item: What was asked.
        result: What became of it.
        model: Who answered.

    Source:
        `inspect_ai.log.EvalSample` of inspect_ai 0.3.285, log format 2.
    """
    others = {name: outcome for name, outcome in result.outcomes.items() if not isinstance(outcome, Scored)}
    metadata = dict(item.metadata)
    if others:
        metadata[OUTCOMES_KEY] = {name: outcome_to_dict(outcome) for name, outcome in others.items()}
    if result.truncated_prompt:
        metadata["crucible:truncated_prompt"] = True
    spent = usage(result.prompt_tokens, result.completion_tokens)
    error = failure_of(result)
    return {
        "id": item.id,
        "epoch": result.repeat + 1,
        "input": item.input,
        "target": item.expected or "",
        "messages": [{"role": "user", "content": item.input}, *_answers(result, model)],
        "output": _output(result, model, spent),
        "scores": {name: {"value": one.value} for name, one in result.outcomes.items() if isinstance(one, Scored)},
        "metadata": metadata,
        "store": {},
        "events": [],
        "model_usage": {model: spent} if spent else {},
        **({"error": {"message": error, "traceback": "", "traceback_ansi": ""}} if error is not None else {}),
        "attachments": {},
    }


def sample_summary(sample: dict[str, Any]) -> dict[str, Any]:
    """Return the `EvalSampleSummary` of a sample: what a list of samples shows."""
    short = {
        "id": sample["id"],
        "epoch": sample["epoch"],
        "input": _cut(sample["input"]),
        "target": _cut(sample["target"]),
        "scores": sample["scores"],
        "model_usage": sample["model_usage"],
        "completed": True,
        "message_count": len(sample["messages"]),
    }
    small = {key: value for key, value in sample["metadata"].items() if isinstance(value, str | int | float | bool)}
    short["metadata"] = {key: value for key, value in small.items() if len(str(value)) <= 1024}
    return {**short, "error": sample["error"]["message"]} if "error" in sample else short


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any] | None:
    """Return a `ModelUsage`; None where no tokens were counted, which is not the same as none."""
    if not prompt_tokens and not completion_tokens:
        return None
    return {
        "input_tokens": prompt_tokens,
        "output_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def _answers(result: ItemResult, model: str) -> list[dict[str, Any]]:
    if result.output is None:
        return []
    return [{"role": "assistant", "content": result.output, "source": "generate", "model": model}]


def _output(result: ItemResult, model: str, spent: dict[str, Any] | None) -> dict[str, Any]:
    if result.output is None:
        return {"model": model, "choices": [], "completion": ""}
    stop = _STOP.get(result.stop_reason or "", "unknown")
    choices = [{"message": answer, "stop_reason": stop} for answer in _answers(result, model)]
    return {"model": model, "choices": choices, "completion": result.output, **({"usage": spent} if spent else {})}


def _cut(text: str) -> str:
    return text if len(text) <= _SUMMARY_CHARACTERS else text[:_SUMMARY_CHARACTERS] + "...\n(content truncated)"
