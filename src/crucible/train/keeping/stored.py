"""A checkpoint as a list shows it: its name, step, measurements, size, digest and time, wherever it lies."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

from crucible.backends.manifest import MANIFEST, STATE, Manifest, parse_manifest
from crucible.errors import CheckpointError, StoreError

__all__ = ["TRAINING", "StoredCheckpoint", "about", "check_name", "describe", "is_name"]

TRAINING: Final = "training.json"
"""The file of a checkpoint that says what it was made from and what was measured with it."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class StoredCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint of a store.

    Args:
        name: `step-000080`, or the name it was saved under.
        location: Its folder, or its address.
        step: Optimiser steps taken when it was written; None where nothing says so.
        metrics: What was measured with it, such as `validation_loss`.
        size_bytes: All its files together.
        sha256: Hex SHA-256 of its manifest, which holds those of all files: two with the same are the same.
        created_at: When it was written, ISO 8601 in UTC; None in the old format.
        files: Names of its files.
        about: What it was made from: `model`, `base_model`, `base_digest`, `data` with `synthetic`.
        problem: Why it cannot be used, as far as its manifest says; None if it may.
    """

    name: str
    location: str
    step: int | None = None
    metrics: dict[str, float] = {}
    size_bytes: int = 0
    sha256: str = ""
    created_at: str | None = None
    files: tuple[str, ...] = ()
    about: dict[str, Any] = {}
    problem: str | None = None

    @property
    def order(self) -> tuple[int, str, str]:
        """By step, then by time, then by name."""
        return (-1 if self.step is None else self.step, self.created_at or "", self.name)


def is_name(text: str) -> bool:
    """Say whether a text can name a checkpoint: one plain folder name."""
    return _NAME.fullmatch(text) is not None


def check_name(text: str) -> str:
    """Return the name.

    Raises:
        CheckpointError: It is no plain folder name, such as one with `/` or `..`.
    """
    if not is_name(text):
        raise CheckpointError(
            f'{text[:80]!r} cannot name a checkpoint; use up to 200 letters, digits, ".", "_" and "-", '
            "the first a letter or digit"
        )
    return text


def describe(name: str, location: str, read: Callable[[str], bytes | None]) -> StoredCheckpoint:
    """Return a checkpoint as its manifest and its small files tell it; a damaged one says so in `problem`.

    Args:
        name: Its name.
        location: Its folder or address.
        read: Returns the content of a file of it; None if there is no such file.
    """
    try:
        content = read(MANIFEST)
        if content is None:
            raise CheckpointError(f"{location}/{MANIFEST} is missing, so this checkpoint cannot be used")
        manifest = parse_manifest(content, f"{location}/{MANIFEST}")
        made = about(manifest, location, read)
    except (CheckpointError, StoreError) as error:
        return StoredCheckpoint(name=name, location=location, problem=str(error))
    step = made.pop("step", None)
    return StoredCheckpoint(
        name=name,
        location=location,
        step=step if isinstance(step, int) else None,
        metrics=_metrics(made.pop("metrics", None)),
        size_bytes=manifest.size_bytes,
        sha256=hashlib.sha256(content).hexdigest(),
        created_at=manifest.created_at,
        files=tuple(sorted(manifest.files)),
        about=made,
    )


def about(manifest: Manifest, location: str, read: Callable[[str], bytes | None]) -> dict[str, Any]:
    """Return what a checkpoint says it was made from, its `step` included; held against the manifest where listed.

    Raises:
        CheckpointError: The file that says so is damaged.
    """
    for name in (TRAINING, STATE):
        content = read(name)
        entry = manifest.files.get(name)
        if content is None and entry is None:
            continue
        path = f"{location}/{name}"
        if content is None:
            raise CheckpointError(f"{path} is missing, so this checkpoint cannot be used; use an earlier one")
        if entry is not None and hashlib.sha256(content).hexdigest() != entry.sha256:
            raise CheckpointError(f"{path} is corrupt: its SHA-256 is not the manifest's; use an earlier checkpoint")
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} is corrupt: {error}") from error
        plain = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        return plain if name == TRAINING else {"step": plain.get("step")}
    return {}


def _metrics(found: Any) -> dict[str, float]:
    plain = cast("dict[Any, Any]", found) if isinstance(found, dict) else dict[Any, Any]()
    numbers = {str(name): value for name, value in plain.items() if isinstance(value, (int, float))}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}
