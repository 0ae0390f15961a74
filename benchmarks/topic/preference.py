"""Preference training: a DPO step against a supervised step on the same tokens, and what the reference costs once.

Both sessions train in turn on the same pairs, a step of one and a step of the other, so that other work on the machine
hits both alike; a ratio is of neighbouring steps. The supervised step trains on both answers of a pair.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.clock import Figure, figure_of
from benchmarks.topic import Scale
from benchmarks.train import ALPHA, CASES, RATE_LR, SEED, batches, save_model
from benchmarks.train.own import data_of

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = None

PAIRS = {"0.3 M": 40, "6 M": 10}
WARM_UP = 2


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures; those of the smallest model alone, and of few steps, where the budget is tiny."""
    tiny = scale.budget.most == 1
    for case in (case for case in CASES if case.kind == "fixed" and not (case.threads or case.is_busy)):
        if case.model not in PAIRS or (tiny and case.model != "0.3 M"):
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = save_model(case.model, Path(place))
            data = [data_of(batch) for batch in batches(case)]
            yield from _figures(case.title, folder, case.rank, data, 2 if tiny else PAIRS[case.model])


def _figures(title: str, folder: Path, rank: int, data: Sequence[list[Any]], steps: int) -> Iterator[Figure]:
    from crucible.backends import LocalBackend
    from crucible.ir import LoraConfig

    config = LoraConfig(base_model=str(folder), rank=rank, alpha=ALPHA, dropout=0.0, seed=SEED)
    backend = LocalBackend()
    supervised: list[float] = []
    preferred: list[float] = []
    scored: list[float] = []
    with backend.start_session(config) as one, backend.start_session(config) as two:
        for index in range(WARM_UP + steps):
            batch = data[index % len(data)]
            places = _places(batch)
            begun = time.perf_counter_ns()
            references = _reference(two, places)
            scored.append(float(time.perf_counter_ns() - begun))
            for is_dpo in (True, False) if index % 2 else (False, True):
                if is_dpo:
                    preferred.append(_dpo_step(two, places, references))
                else:
                    supervised.append(_supervised_step(one, batch))
    del supervised[:WARM_UP], preferred[:WARM_UP], scored[:WARM_UP]
    ratios = [after / before for before, after in zip(supervised, preferred, strict=True)]
    said = version("crucible-ml")
    yield figure_of(f"{title}: supervised step", "ms", supervised, version=said)
    yield figure_of(f"{title}: DPO step, reference cached", "ms", preferred, version=said)
    yield figure_of(f"{title}: scoring the reference, once a pair", "ms", scored, version=said)
    low, high = min(ratios), max(ratios)
    yield Figure(
        f"{title}: DPO step over supervised step", "x", statistics.median(ratios), low, high, len(ratios), said
    )


def _places(batch: Sequence[Any]) -> tuple[Any, ...]:
    """Return neighbouring examples as pairs, with weights of 1 on the answers."""
    import msgspec

    from crucible.train.preference.places import Preferred

    masked = [
        msgspec.structs.replace(datum, weights=tuple(float(weight != 0) for weight in datum.weights)) for datum in batch
    ]
    return tuple(
        Preferred(str(number), str(number), first, second)
        for number, (first, second) in enumerate(zip(masked[::2], masked[1::2], strict=True))
    )


def _reference(session: Any, places: Sequence[Any]) -> tuple[Any, ...]:
    from crucible.train.preference.scoring import score_answers

    return tuple(score_answers(session, places, len(places)))


def _dpo_step(session: Any, places: tuple[Any, ...], references: tuple[Any, ...]) -> float:
    """Return the ns of a step."""
    from crucible.train.preference import PreferenceConfig
    from crucible.train.preference.losses import Placed, custom_loss

    begun = time.perf_counter_ns()
    loss = custom_loss(Placed(places, references, len(places)), PreferenceConfig())
    session.forward_backward_custom([datum for place in places for datum in (place.first, place.second)], loss)
    return _stepped(session, begun)


def _supervised_step(session: Any, batch: Sequence[Any]) -> float:
    """Return the ns of a step."""
    begun = time.perf_counter_ns()
    session.forward_backward(batch)
    return _stepped(session, begun)


def _stepped(session: Any, begun: int) -> float:
    from crucible.backends import AdamParams

    session.optim_step(AdamParams(learning_rate=RATE_LR, grad_clip_norm=1.0)).result()
    return float(time.perf_counter_ns() - begun)
