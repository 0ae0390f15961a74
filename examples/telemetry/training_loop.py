"""Three lines record a training that really happens: 1 starts, 2 logs, 3 stops. The rest is the training.

A classifier learns by gradient descent, in plain Python, to tell two noisy rings apart. Look at how little the loop has
to do with recording, and at what comes back: series with their extremes, the best epoch, a table for other programs.
"""

import math
import os
import random
import tempfile
from pathlib import Path

from crucible import events
from crucible.telemetry import Experiment

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or tempfile.mkdtemp(prefix="example_telemetry_"))
EPOCHS, BATCH, RATE = 12, 20, 0.5

Point = tuple[tuple[float, ...], int]


def rings(count: int) -> list[Point]:
    """Return points of an inner ring (1) and an outer one (0), as features (x², y², 1); the same in every run."""
    noise = random.Random(11)  # noqa: S311  # not for secrets
    found: list[Point] = []
    for number in range(count):
        inner = number % 2
        radius, angle = (1.0 if inner else 1.6) + noise.gauss(0, 0.2), noise.uniform(0, 2 * math.pi)
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        found.append(((x * x, y * y, 1.0), inner))
    return found


def probability(weights: list[float], features: tuple[float, ...]) -> float:
    """Return how probable the inner ring is."""
    return 1 / (1 + math.exp(-sum(w * f for w, f in zip(weights, features, strict=True))))


def loss_of(weights: list[float], points: list[Point]) -> float:
    """Return the mean cross-entropy in nats."""
    odds = [(probability(weights, features), inner) for features, inner in points]
    return -sum(math.log(p if inner else 1 - p) for p, inner in odds) / len(points)


def learn(weights: list[float], points: list[Point]) -> None:
    """Take one step down the gradient."""
    slopes = [0.0] * len(weights)
    for features, inner in points:
        error = probability(weights, features) - inner
        slopes = [slope + error * feature for slope, feature in zip(slopes, features, strict=True)]
    weights[:] = [w - RATE * slope / len(points) for w, slope in zip(weights, slopes, strict=True)]


def train(train_points: list[Point], held_out: list[Point]) -> Experiment:
    """Return the recording of a training."""
    weights, step = [0.0, 0.0, 0.0], 0
    experiment = Experiment.start("two rings", store=OUTPUT / "store")  # 1
    for epoch in range(EPOCHS):
        with events.span("crucible_train.epoch", {"model": "rings"}) as span:  # more than needed: epochs that take time
            for first in range(0, len(train_points), BATCH):
                batch = train_points[first : first + BATCH]
                experiment.log_metric("train/loss", loss_of(weights, batch), step)  # 2
                learn(weights, batch)
                step += 1
            span.measure(epoch=epoch, loss=loss_of(weights, train_points))
        val_loss = loss_of(weights, held_out)
        events.emit(
            "crucible_train.validation.stop", {"step": step, "loss": val_loss}, {"model": "rings", "epoch": epoch}
        )
    experiment.stop()  # 3
    return experiment


def main() -> None:
    """Train, and print what was recorded."""
    points = rings(400)
    experiment = train(points[:300], points[300:])

    print(f"{experiment.name}: {experiment.info.recorded} events and points recorded")
    for series in experiment.series_summary():
        print(f"  {series.name}")
        print(f"    {series.count} points, least {series.min:.4f} at step {series.min_step}, last {series.last:.4f}")

    [training] = experiment.metrics().training
    print(f"best validation loss {training.validation.best:.4f}, in epoch {training.validation.best_epoch:.0f}")
    spans = experiment.metrics().latency_by_name["crucible_train.epoch.stop"]
    print(f"{spans.count} epochs were timed: {spans.p50 is not None and spans.p50 > 0}")

    exported = experiment.export("csv", OUTPUT / "training_loop.csv", points=True)
    print(f"exported {exported.rows} points to {exported.path}")


if __name__ == "__main__":
    main()
