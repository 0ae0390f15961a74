"""What a record is of: the model, the drawing, the scorers and the dataset, kept beside it as `<record>.about.json`.

Two configurations that differ in any of it may give other answers, so a record is only continued by its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.backends.protocols import Sampler
from crucible.data.evaluating.options import EvalOptions
from crucible.data.scorers import Scorer
from crucible.errors import ContractError, StoreError
from crucible.ir import atomic_write

__all__ = ["About", "about_path", "configuration", "differences", "read_about", "write_about"]

FORMAT = 1


class About(msgspec.Struct, frozen=True):
    """What stands beside a record.

    Args:
        configuration: What was asked of whom, and how it was scored, by dotted name.
        format: Version of the record's form.
        status: `open` while it is written; else how the evaluation ended.
        reason: Why it ended so.
    """

    configuration: dict[str, Any]
    format: int = FORMAT
    status: str = "open"
    reason: str = ""


def configuration(sampler: Sampler, source: Any, scorers: Mapping[str, Scorer], options: EvalOptions) -> dict[str, Any]:
    """Return what decides which answers and scores come out, by dotted name.

    Neither the batch size nor the concurrency, the repeats, the limits or the policy for failures do.

    Args:
        sampler: The model.
        source: The dataset; its items have fingerprints of their own.
        scorers: Functions by name.
        options: How to evaluate.
    """
    drawn = msgspec.to_builtins(options.drawn)
    del drawn["seeds"]
    schema = getattr(source, "answer_schema", None)
    found = {
        "model": options.model or sampler.model,
        "sampler": sampler.model,
        "dtype": getattr(sampler, "dtype", None),
        **{f"identity.{name}": value for name, value in options.identity.items()},
        "dataset": getattr(source, "name", None),
        "split": getattr(source, "split", None),
        "answer_schema": None if schema is None else _digest(schema),
        **{f"params.{name}": value for name, value in drawn.items()},
        **{f"scorers.{name}": _called(scorer) for name, scorer in scorers.items()},
    }
    return msgspec.json.decode(msgspec.json.encode(found))  # as it comes back from the file


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs between two configurations, a clause each."""
    names = dict.fromkeys([*recorded, *now])
    return [
        f"{name} was {_shown(recorded, name)} and is {_shown(now, name)}"
        for name in names
        if recorded.get(name) != now.get(name)
    ]


def about_path(record: Path) -> Path:
    """Return where it stands of what a record is."""
    return record.with_name(f"{record.name}.about.json")


def read_about(record: Path) -> About | None:
    """Return what a record is of; None where nothing is said.

    Raises:
        StoreError: It cannot be read.
        ContractError: It is of a later version.
    """
    path = about_path(record)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=About)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(f"cannot read {path}, which says what is recorded in {record}: {error}") from error
    if found.format > FORMAT:
        raise ContractError(f"{record} was written by a later version of Crucible (format {found.format}); update")
    return found


def write_about(record: Path, about: About) -> None:
    """Write what a record is of, whole and synced to the disk.

    Raises:
        StoreError: It cannot be written.
    """
    atomic_write(about_path(record), msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n")


def _shown(values: Mapping[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "absent"


def _called(scorer: Scorer) -> str:
    """Return the name of a scorer's code; of those that come with Crucible without the module, which may move."""
    inner = cast("Any", getattr(scorer, "func", scorer))  # of a partial
    named = inner if hasattr(inner, "__qualname__") else cast("Any", type(inner))
    module: str = named.__module__
    return f"{'crucible' if module.startswith('crucible.') else module}.{named.__qualname__}"


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:16]
