"""The seed of each prompt of a call."""

from __future__ import annotations

import hashlib

from crucible.backends.records import SamplingParams
from crucible.errors import DataError

__all__ = ["prompt_seeds"]


def prompt_seeds(count: int, params: SamplingParams) -> list[int | None]:
    """Return each prompt's seed: equal prompts of a call must not get equal answers."""
    if params.seeds is not None:
        if len(params.seeds) != count:
            raise DataError(f"{len(params.seeds)} seeds came for {count} prompts; give one a prompt")
        return [seed % 2**31 for seed in params.seeds]
    if params.seed is None:
        return [None] * count
    digests = (hashlib.sha256(f"{params.seed} {place}".encode()).digest() for place in range(count))
    return [int.from_bytes(digest[:4]) >> 1 for digest in digests]
