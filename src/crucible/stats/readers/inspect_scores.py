"""Scores of Inspect AI as outcomes: letters, numbers, dictionaries; errors, limits and samples that were taken back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from crucible.ir import Failed, Outcome, Scored, Skipped, outcome_from_dict
from crucible.stats.readers.measured import Measured, fingerprint

__all__ = ["OUTCOMES_KEY", "Sample", "measured_sample", "reason_without"]

OUTCOMES_KEY = "crucible:outcomes"
"""In the metadata of a sample that Crucible wrote: the outcomes that are no scores, as `crucible.ir` writes them."""

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_LONGEST_ERROR = 300


class Sample(msgspec.Struct, frozen=True):
    """What is read of a sample, or of its summary: a small part of what a log holds.

    Source:
        `EvalSample` and `EvalSampleSummary` of inspect_ai.
    """

    id: int | str
    epoch: int = 1
    input: Any = None
    scores: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    error: Any = None
    limit: Any = None
    invalidation: Any = None


def measured_sample(sample: Sample, *, cluster: str, prompt: str) -> Measured:
    """Return a sample with an outcome for each of its scores.

    A score is `C` 1, `P` 0.5, `I` and `N` 0, a number, or a truth value, as Inspect counts them; a dictionary or list
    of scores gives one for each of its keys, such as `grade.style`. What has no such value failed. A sample that
    somebody took back is skipped. What Crucible itself wrote failed or was skipped as its metadata says.

    Args:
        sample: As it stands in the log.
        cluster: Key of its metadata that says what it belongs to; empty for none.
        prompt: Key of its metadata that says which prompt it had; empty for none.
    """
    metadata = sample.metadata or {}
    outcomes = dict(_outcomes(sample))
    asked = sample.input if isinstance(sample.input, str) and not sample.input.startswith("attachment://") else ""
    return Measured(
        item=str(sample.id),
        outcomes=outcomes,
        place=f"sample {sample.id}, epoch {sample.epoch}",
        repeat=str(sample.epoch),
        prompt=_named(metadata, prompt),
        cluster=_named(metadata, cluster),
        fingerprint=fingerprint(asked),
    )


def reason_without(sample: Sample) -> Outcome:
    """Return why a sample has no score."""
    if sample.error is not None:
        return Failed(_message(sample.error))
    if sample.limit is not None:
        return Failed(f"it reached a limit: {_message(sample.limit)}")
    return Failed("the log has no score of it")


def _outcomes(sample: Sample) -> Iterator[tuple[str, Outcome]]:
    taken_back = sample.invalidation is not None
    for name, score in (sample.scores or {}).items():
        fields = cast("Mapping[str, Any]", score) if isinstance(score, Mapping) else {"value": score}
        for metric, value in _flat(name, fields.get("value")):
            yield metric, _taken_back(sample) if taken_back else _outcome(value, fields.get("reason"))
    noted = (sample.metadata or {}).get(OUTCOMES_KEY)
    for name, told in cast("Mapping[str, Any]", noted).items() if isinstance(noted, Mapping) else ():
        if name not in (sample.scores or {}) and isinstance(outcome := _noted(told), Failed | Skipped):
            yield name, _taken_back(sample) if taken_back else outcome


def _taken_back(sample: Sample) -> Outcome:
    return Skipped(f"invalidated: {_message(sample.invalidation)}")


def _noted(told: Any) -> Outcome | None:
    try:
        return outcome_from_dict(told)
    except msgspec.ValidationError:  # somebody else's metadata of that name
        return None


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, Any]", value).items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, list):
        for i, inner in enumerate(cast("list[Any]", value)):
            yield from _flat(f"{name}.{i}", inner)
    else:
        yield name, value


def _outcome(value: Any, reason: Any) -> Outcome:
    if isinstance(value, str):
        number = _LETTERS.get(value, _WORDS.get(value.lower()))
        if number is None:
            try:
                number = float(value)
            except ValueError:
                return Failed(f"the score {_short(value)} is no number")
    elif isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return Failed("the score is an integer beyond 1e308")
    else:
        return Failed("the scorer gave no value" if value is None else f"the score {_short(value)} is no number")
    if math.isfinite(number):
        return Scored(number)
    return Failed(f"the scorer gave no value{f': {_message(reason)}' if reason else ''}")


def _named(metadata: Mapping[str, Any], key: str) -> str:
    value: Any = metadata.get(key) if key else None
    return "" if value is None else str(value)


def _message(told: Any) -> str:
    """Return the words of an error, a limit or a reason, which are text in summaries and objects in samples."""
    if isinstance(told, Mapping):
        fields = cast("Mapping[str, Any]", told)
        told = next(
            (fields[key] for key in ("message", "reason", "type", "author") if fields.get(key)), "no reason given"
        )
    return _short(str(told), _LONGEST_ERROR)


def _short(value: Any, longest: int = 60) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
