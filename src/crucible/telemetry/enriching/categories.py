"""What each category of events says beyond what all of them do: which key becomes which field.

Tables and nothing else. Where an event's measurements and its metadata both have a field, the metadata win, as the
predecessor had it for `epoch`, `batch` and `learning_rate`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = [
    "CATEGORY_OF_PREFIX",
    "COST",
    "COUNTED",
    "COUNTED_OTHERWISE",
    "MEANS",
    "MEASURED",
    "OUTCOME",
    "SUMMED",
    "TIMED",
    "TOLD",
    "Rules",
]

TIMED, COST, OUTCOME, COUNTED, COUNTED_OTHERWISE, MEANS = 1, 2, 4, 8, 16, 32
"""What must be worked out. `COUNTED`: the two token counts of a sampler; `COUNTED_OTHERWISE`: any other spelling."""


class Rules(msgspec.Struct, frozen=True):
    """What is taken from a mapping.

    Args:
        numbers: Field by key, where a number is expected.
        words: Field by key, where something is named.
        marks: What must be worked out, by the key that says so.
    """

    numbers: Mapping[str, str]
    words: Mapping[str, str]
    marks: Mapping[str, int]


CATEGORY_OF_PREFIX = {
    "req_llm": "llm",
    "ensemble": "ensemble",
    "crucible_ensemble": "ensemble",
    "hedging": "hedging",
    "crucible_hedging": "hedging",
    "crucible_train": "training",
    "crucible_deployment": "deployment",
    "crucible_framework": "framework",
    "crucible_data": "data",
    "altar": "tools",
    "crucible_xai": "xai",
    "crucible_adversary": "adversary",
}
"""Category by the first part of a name, for names that are not registered."""

SUMMED = frozenset({"data"})
"""Categories whose token counts are sums over requests that told theirs: they are counted and priced there, once."""


def _same(*names: str, **renamed: str) -> dict[str, str]:
    return {name: name for name in names} | renamed


_WORDS = _same("session_id", "user_id", "sample_id", "cohort", "model", "provider")
_TIMED_KEYS = ("duration_ns", "duration_us", "duration_ms", "duration_s", "duration", "start", "stop")
_COUNTED_KEYS = ("prompt_tokens", "completion_tokens")
_OTHERWISE_KEYS = ("total_tokens", "cached_tokens", "input_tokens", "output_tokens", "tokens")

_MEASURED_MARKS = {
    **dict.fromkeys(_TIMED_KEYS, TIMED),
    **dict.fromkeys(("cost", "cost_usd", "total_cost"), COST),
    **dict.fromkeys(("status", "success"), OUTCOME),
    **dict.fromkeys(_COUNTED_KEYS, COUNTED),
    **dict.fromkeys(_OTHERWISE_KEYS, COUNTED_OTHERWISE),
}
_TOLD_MARKS = {
    **dict.fromkeys(("cost", "cost_usd"), COST),
    **dict.fromkeys(("error", "exception", "error_type", "response", "status", "success"), OUTCOME),
    "tokens": COUNTED_OTHERWISE,
}

_MEASURED_NUMBERS: dict[str, dict[str, str]] = {
    "llm": _same("prompts"),
    "training": {
        **_same("epoch", "batch", "step", "tokens", "loss", "val_loss", "accuracy", "val_accuracy", "perplexity"),
        **_same("reward", "learning_rate", "gradient_norm", "tokens_per_s"),
        **_same(grad_norm="gradient_norm", lr="learning_rate"),
        **_same(validation_loss="val_loss", eval_loss="val_loss", tokens_per_second="tokens_per_s"),
    },
    "deployment": {
        **_same("input_size", "output_size", "batch_size", "size_bytes", "error_rate"),
        **_same("latency_p50", "latency_p99", "latency_p50_ms", "latency_p99_ms"),
    },
    "framework": _same("stage_index", "attempts", "attempt"),
    "ensemble": _same("models", "votes", "agreement", "confidence", "succeeded", "failed"),
    "hedging": _same("requests", "duplicates", "attempt"),
    "data": _same("items"),
    "tools": _same("input_size", "output_size"),
    "xai": {},
    "adversary": {},
}
_TOLD_NUMBERS: dict[str, dict[str, str]] = {
    "training": _same("epoch", "batch", "step", "learning_rate", lr="learning_rate"),
    "deployment": _same("batch_size"),
    "framework": _same("stage_index"),
    "data": _same("total_items"),
}
_TOLD_WORDS: dict[str, dict[str, str]] = {
    "llm": _same("backend"),
    "training": _same("checkpoint_path"),
    "deployment": _same("model_name", "model_version"),
    "framework": _same("pipeline_id", "stage_name", stage="stage_name"),
    "ensemble": _same("strategy", "winner"),
    "hedging": _same("strategy", "winner"),
    "data": _same("dataset", "split", name="dataset"),
    "tools": _same("tool", tool_name="tool"),
    "xai": _same("method"),
    "adversary": _same("attack", success="attack_success"),  # an attack that succeeds is no request that went well
}


def _measured(category: str) -> Rules:
    numbers = _MEASURED_NUMBERS.get(category, {})
    uncounted = (COUNTED, COUNTED_OTHERWISE) if category in SUMMED else ()
    marks = {key: mark for key, mark in _MEASURED_MARKS.items() if key not in numbers and mark not in uncounted}
    return Rules(numbers, {}, marks)


def _told(category: str) -> Rules:
    marks = {key: mark for key, mark in _TOLD_MARKS.items() if key != "tokens" or category not in SUMMED}
    if category == "data":
        marks["means"] = MEANS
    return Rules(_TOLD_NUMBERS.get(category, {}), {**_WORDS, **_TOLD_WORDS.get(category, {})}, marks)


MEASURED: dict[str, Rules] = {name: _measured(name) for name in ("", *_MEASURED_NUMBERS)}
"""What is taken from measurements, by category; `""` for events of none."""

TOLD: dict[str, Rules] = {name: _told(name) for name in MEASURED}
"""What is taken from metadata, by category; `""` for events of none."""
