"""What goes with the prompts of a call, and what a service says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from crucible.backends.records import SamplingParams
from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BadResponse, DataError

__all__ = ["aligned", "prompt_seeds", "top_rows"]


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


def aligned(values: Sequence[float | None], count: int) -> list[float | None]:
    """Return one log-probability a token of a prompt; SkyRL leaves the first token's None out.

    Raises:
        BadResponse: There are not as many.
    """
    found = list(values)
    if len(found) == count - 1:
        found = [None, *found]
    if len(found) != count:
        raise BadResponse(f"a prompt of {count} tokens got {len(found)} logprobs", backend=BACKEND)
    return [None, *found[1:]]


def top_rows(
    rows: Sequence[Sequence[tuple[int, float]] | None] | None, count: int, k: int
) -> list[list[tuple[int, float]]]:
    """Return the likeliest tokens in place of each token of a prompt, likeliest first; none for a first token.

    Args:
        rows: The service's `topk_prompt_logprobs`.
        count: Tokens of the prompt, at least 2.
        k: How many were asked for.

    Raises:
        BadResponse: The service sent none, or not so many.
    """
    if rows is None:
        raise BadResponse(
            "the service sent no topk_prompt_logprobs, as some services that speak Tinker's protocol do; "
            "take the teacher's likeliest tokens from the local backend",
            backend=BACKEND,
        )
    if len(rows) != count or any(row is None or len(row) != k for row in rows[1:]):
        sizes = sorted({0 if row is None else len(row) for row in rows[1:]})
        raise BadResponse(
            f"a prompt of {count} tokens got {len(rows)} rows of {' and '.join(map(str, sizes)) or 'no'} likeliest "
            f"tokens, and {k} were asked for",
            backend=BACKEND,
        )
    pairs = [[(int(token), float(logprob)) for token, logprob in row or ()] for row in rows[1:]]
    return [[], *(sorted(row, key=lambda pair: -pair[1]) for row in pairs)]
