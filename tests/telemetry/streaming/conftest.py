"""Records of a recording with a bit of everything."""

from __future__ import annotations

import math
import random

import pytest

from crucible.store import StoredEvent

T0 = 1_795_000_200_000_000_000


def mixed_records(number: int = 3000, seed: int = 7) -> list[StoredEvent]:
    """Return records in order of time: requests, trainings, failures, bare events, NaN and infinities."""
    rng = random.Random(seed)
    records: list[StoredEvent] = []
    at_ns = T0
    for i in range(number):
        at_ns += rng.randrange(1, 400_000_000)
        kind = rng.choice(["request", "request", "failure", "batch", "bare"])
        if kind == "bare":
            records.append(StoredEvent("req_llm.request.start", at_ns))
        elif kind == "batch":
            fields = {"loss": rng.gauss(2.0, 0.1), "step": i, "epoch": i // 500, "tokens": 64, "model": "tuned"}
            records.append(StoredEvent("crucible_train.batch.stop", at_ns, latency_ms=rng.uniform(5, 9), fields=fields))
        elif kind == "failure":
            latency = rng.choice([math.nan, math.inf, 1.0])
            records.append(StoredEvent("req_llm.request.exception", at_ns, latency_ms=latency, success=False))
        else:
            prompt, completion = rng.randrange(1, 900), rng.randrange(1, 200)
            fields = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
            records.append(
                StoredEvent(
                    "req_llm.request.stop",
                    at_ns,
                    measurements={"depth": rng.randrange(5)},
                    metadata={"reward": rng.random()},
                    latency_ms=rng.lognormvariate(5.0, 1.0),
                    cost_usd=rng.random() / 1000,
                    success=True,
                    fields=fields,
                )
            )
    return records


@pytest.fixture(scope="session")
def records() -> list[StoredEvent]:
    """Three thousand mixed records."""
    return mixed_records()
