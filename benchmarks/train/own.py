"""Crucible's side: a `LocalSession`, requests submitted one after another and waited for at the end of each step."""

import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.clock import RATE, Figure
from benchmarks.train import ALPHA, MODELS, RATE_LR, SEED, Case, Example, Stopwatch, batches, report, side


def data_of(batch: list[Example]) -> list[object]:
    """Return a batch as data whose summed loss is the mean over the trained tokens."""
    from crucible.text import Datum, ModelInput

    trained = sum(len(example.tokens) - example.prompt for example in batch)
    return [
        Datum(
            ModelInput(tuple(example.tokens[:-1])),
            tuple(example.tokens[1:]),
            tuple([0.0] * (example.prompt - 1) + [1 / trained] * (len(example.tokens) - example.prompt)),
        )
        for example in batch
    ]


def train(case: Case, folder: Path) -> None:
    """Train and report one case; of the large model also how near it comes to the matrix products alone."""
    from crucible.backends import AdamParams, LocalBackend
    from crucible.ir import LoraConfig

    config = LoraConfig(base_model=str(folder), rank=case.rank, alpha=ALPHA, dropout=0.0, seed=SEED)
    session = LocalBackend().start_session(config)
    params = AdamParams(learning_rate=RATE_LR, grad_clip_norm=1.0)
    watch = Stopwatch()
    loss = float("nan")
    for batch in batches(case):
        watch.split()
        done = session.forward_backward(data_of(batch))  # type: ignore[arg-type]
        session.optim_step(params).result()
        loss = done.result().loss
    watch.split()
    session.close()
    done_steps = watch.measured(loss)
    report(case, done_steps, version=version("crucible-ml"))
    if case.model == "60 M":
        pairs = zip(batches(case)[2:], done_steps.cpu_ns, strict=True)
        rates = [work(case, batch) / ns * 1e9 for batch, ns in pairs]
        products = [product_rate(case) for _ in range(5)]
        shares = [100 * rate / statistics.median(products) for rate in rates]
        for name, unit, values in (
            ("FLOP in a second of CPU time", RATE, rates),
            ("FLOP of torch.mm on the layers' shapes in a second of CPU time", RATE, products),
            ("share of torch.mm", "%", shares),
        ):
            low, high = min(values), max(values)
            Figure(f"{case.title}: {name}", unit, statistics.median(values), low, high, len(values)).report()


def shapes(case: Case) -> list[tuple[int, int]]:
    """Return (out, in) of each linear layer of one decoder layer."""
    h, i = MODELS[case.model].hidden, MODELS[case.model].inner
    return [(h, h)] * 4 + [(i, h)] * 2 + [(h, i)]


def work(case: Case, batch: list[Example]) -> float:
    """Return the floating-point operations of a step.

    Two for each weight and token forward, as many for the gradient of the activations, six for an adapter's weight;
    the head where something is trained. Attention, which comes on top, is not counted.
    """
    shape = MODELS[case.model]
    tokens = sum(len(example.tokens) - 1 for example in batch)
    trained = sum(len(example.tokens) - example.prompt for example in batch)
    weights = shape.layers * sum(rows * columns for rows, columns in shapes(case))
    adapters = shape.layers * case.rank * sum(map(sum, shapes(case)))
    return 4 * tokens * weights + 4 * trained * shape.vocabulary * shape.hidden + 6 * tokens * adapters


def product_rate(case: Case) -> float:
    """Return what `torch.mm` does in a second of CPU time on the layers' shapes, 1,024 tokens, forward and back."""
    import torch

    spent = flop = 0.0
    for rows, columns in shapes(case) * 2:
        x, y, weight = torch.randn(1024, columns), torch.randn(1024, rows), torch.randn(rows, columns)
        start = time.process_time()
        torch.mm(x, weight.T)
        torch.mm(y, weight)
        spent += time.process_time() - start
        flop += 4 * 1024 * rows * columns
    return flop / spent


if __name__ == "__main__":
    side("benchmarks.train.own", train, sys.argv[1:])
