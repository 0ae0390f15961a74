"""What an Inspect log says before its samples: who was asked what, and what came out."""

from __future__ import annotations

import hashlib
import importlib.metadata
from datetime import UTC, datetime
from typing import Any

import msgspec

from crucible.backends.records import SamplingParams
from crucible.data.dataset import Dataset
from crucible.data.evallog.sample import usage
from crucible.data.evaluating.result import EvalResult
from crucible.data.summary import Summary

__all__ = ["LOG_VERSION", "LogFacts", "Named", "log_header"]

LOG_VERSION = 2
"""Format of the logs, as Inspect counts it."""


class LogFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What else is known of an evaluation; what is not stands nowhere in its log.

    Args:
        started: When the evaluation began, with an offset.
        completed: When it ended, with an offset.
        params: How answers were drawn.
        tags: Words to find it by.
        metadata: Whatever else is to be kept, JSON values.
    """

    started: datetime | None = None
    completed: datetime | None = None
    params: SamplingParams | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}


class Named(msgspec.Struct, frozen=True):
    """What the log is of.

    Args:
        task: What the task is called.
        model: Who answered.
        created: When the log was made.
    """

    task: str
    model: str
    created: datetime


def log_header(result: EvalResult, dataset: Dataset, named: Named, facts: LogFacts, failed: int) -> dict[str, Any]:
    """Return an `EvalLog` without its samples, keys in the order that the format asks for.

    Args:
        result: What was measured.
        dataset: What was asked.
        named: What the log is of.
        facts: What else is known.
        failed: Samples of which nothing could be scored.

    Source:
        `inspect_ai.log.EvalLog` of inspect_ai 0.3.285, log format 2.
    """
    spent = usage(result.prompt_tokens, result.completion_tokens)
    if spent and result.cost_usd is not None:
        spent["total_cost"] = result.cost_usd
    total = len(result.items)
    return {
        "version": LOG_VERSION,
        "status": "success" if result.status == "completed" else "cancelled",
        "eval": _spec(result, dataset, named, facts),
        "plan": {"name": "plan", "steps": [], "config": _generation(facts.params)},
        "results": {
            "total_samples": total,
            "completed_samples": total - failed,
            "scores": [_score(name, summary) for name, summary in result.summaries.items()],
        },
        "stats": {
            "started_at": _instant(facts.started),
            "completed_at": _instant(facts.completed),
            "model_usage": {named.model: spent} if spent else {},
        },
        "invalidated": False,
    }


def _spec(result: EvalResult, dataset: Dataset, named: Named, facts: LogFacts) -> dict[str, Any]:
    created = _instant(named.created)
    identity = f"{named.task}\0{named.model}\0{created}\0{dataset.name}\0{dataset.split}\0{len(result.items)}"
    ids = list(dict.fromkeys(item.id for item in result.items))
    metadata: dict[str, Any] = {"split": dataset.split, "source": dataset.provenance.source, **facts.metadata}
    revision = dataset.provenance.revision
    said = {"revision": revision, "reason": result.reason, "notes": [*dataset.provenance.notes, *result.notes]}
    metadata |= {key: value for key, value in said.items() if value}
    if dataset.provenance.synthetic:
        metadata["synthetic"] = True
    return {
        "eval_id": _id("eval", identity),
        "run_id": _id("run", identity),
        "created": created,
        "task": named.task,
        "task_id": _id("task", named.task),
        "task_version": 0,
        "task_attribs": {},
        "task_args": {},
        **({"tags": list(facts.tags)} if facts.tags else {}),
        "dataset": {"name": dataset.name, "samples": len(ids), "sample_ids": ids},
        "model": named.model,
        "model_generate_config": _generation(facts.params),
        "model_args": {},
        "config": {"epochs": result.repeats} if result.repeats > 1 else {},
        "packages": {"crucible-ml": _version()},
        "metadata": metadata,
        "scorers": [{"name": name} for name in result.summaries],
    }


def _score(name: str, summary: Summary) -> dict[str, Any]:
    counts = {
        "attempted": summary.attempted,
        "scored": summary.scored,
        "failed": summary.failed,
        "skipped": summary.skipped,
        "failures": summary.failures.value,
    }
    metrics: dict[str, Any] = {}
    if summary.mean is not None:
        interval = msgspec.to_builtins(summary.interval)
        metrics["mean"] = {"name": "mean", "value": summary.mean, **({"metadata": interval} if interval else {})}
    return {
        "name": name,
        "scorer": name,
        "scored_samples": summary.scored,
        "unscored_samples": summary.failed + summary.skipped,
        "metrics": metrics,
        "metadata": counts,
    }


def _generation(params: SamplingParams | None) -> dict[str, Any]:
    """Return a `GenerateConfig` of what was drawn and how, as far as that is known."""
    if params is None:
        return {}
    found = {
        "max_tokens": params.max_tokens,
        "temperature": params.temperature,
        "seed": params.seed,
        "stop_seqs": list(params.stop) or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _instant(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _id(kind: str, identity: str) -> str:
    """Return an id of 22 characters that the same log always has."""
    return hashlib.blake2b(f"{kind}\0{identity}".encode(), digest_size=11).hexdigest()


def _version() -> str:
    try:
        return importlib.metadata.version("crucible-ml")
    except importlib.metadata.PackageNotFoundError:  # pragma: no cover  # run from a checkout without an installation
        return "unknown"
