"""Print what inspect_ai's own models say of a log: `python describe_inspect.py > inspect_log_fields.json`.

Runs in an environment with inspect_ai and nothing of Crucible.
"""

from __future__ import annotations

import importlib.metadata
import json
import typing
from typing import Any

from inspect_ai._util.constants import LOG_SCHEMA_VERSION
from inspect_ai._util.error import EvalError
from inspect_ai.log import _log
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage
from inspect_ai.model._chat_message import ChatMessageAssistant, ChatMessageUser
from inspect_ai.model._model_output import ChatCompletionChoice, StopReason
from inspect_ai.scorer import Score

MODELS = {
    "log": _log.EvalLog,
    "eval": _log.EvalSpec,
    "dataset": _log.EvalDataset,
    "plan": _log.EvalPlan,
    "config": GenerateConfig,
    "results": _log.EvalResults,
    "score_summary": _log.EvalScore,
    "metric": _log.EvalMetric,
    "stats": _log.EvalStats,
    "sample": _log.EvalSample,
    "sample_summary": _log.EvalSampleSummary,
    "output": ModelOutput,
    "choice": ChatCompletionChoice,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
    "usage": ModelUsage,
    "score": Score,
    "error": EvalError,
}


def described(model: Any) -> dict[str, list[str]]:
    """Return a model's fields, and those without a default."""
    fields = model.model_fields
    return {"known": sorted(fields), "required": sorted(name for name, one in fields.items() if one.is_required())}


def main() -> None:
    """Print all of it as JSON."""
    told = {
        "inspect_ai": importlib.metadata.version("inspect_ai"),
        "version": LOG_SCHEMA_VERSION,
        "status": list(typing.get_args(_log.EvalStatus)),
        "stop_reason": list(typing.get_args(StopReason)),
        "models": {name: described(model) for name, model in MODELS.items()},
    }
    print(json.dumps(told, indent=1))  # noqa: T201  # its output is the file


if __name__ == "__main__":
    main()
