"""Trace a training that really happens: a line is fitted to 80 noisy points by gradient descent, in plain Python.

Look at the failed training in the tree: the first learning rate makes the loss grow and grow, and the chain keeps why
the second one was chosen. Every number is measured in this run; the exact solution at the end says how good it is.
"""

import json
import os
import random
from pathlib import Path
from statistics import fmean, linear_regression

from crucible.trace import Chain, EventFields, save_html, save_training_table, to_text, traced_stage, traced_training
from crucible.trace.training import (
    checkpoint_saved,
    early_stopped,
    epoch_completed,
    hyperparameter_tuned,
    validation_run,
)

OUTPUT = Path(os.environ.get("EXAMPLES_OUTPUT_DIR") or "example_traces")
PATIENCE = 3

Point = tuple[float, float]
Line = tuple[float, float]  # slope, intercept


def points(count: int) -> list[Point]:
    """Return points around y = 2x - 1, the same in every run."""
    noise = random.Random(7)  # noqa: S311  # not for secrets
    places = [noise.uniform(-3, 3) for _ in range(count)]
    return [(x, 2 * x - 1 + noise.gauss(0, 0.5)) for x in places]


def loss(line: Line, data: list[Point]) -> float:
    """Return the mean squared error."""
    return fmean((line[0] * x + line[1] - y) ** 2 for x, y in data)


def step(line: Line, data: list[Point], rate: float) -> Line:
    """Return the line after one step down the gradient."""
    errors = [(line[0] * x + line[1] - y, x) for x, y in data]
    return line[0] - rate * fmean(2 * e * x for e, x in errors), line[1] - rate * fmean(2 * e for e, _ in errors)


def fit(chain: Chain, train: list[Point], held_out: list[Point], rate: float) -> Line:
    """Return a line fitted until the held-out loss stops falling; the chain gets every epoch.

    Raises:
        ArithmeticError: The steps were too large, and the loss grows and grows.
    """
    line = best = (0.0, 0.0)
    best_epoch, best_loss = 0, loss(line, held_out)
    untrained = best_loss
    lane = EventFields(experiment_id=f"rate {rate}")  # tells the two trainings apart in the table and the loss curve
    with traced_training(chain, "line", "Fit a line", config={"learning_rate": rate}, **lane) as run:
        for epoch in range(1, 201):
            line = step(line, train, rate)
            measured = loss(line, held_out)
            run.add(epoch_completed(epoch, {"loss": loss(line, train)}))
            run.add(validation_run({"val_loss": measured}, dataset="held out", epoch=epoch))
            if measured > 10 * untrained:
                raise ArithmeticError(f"the loss went from {untrained:.1f} to {measured:.1f} in {epoch} epochs")
            if measured < best_loss - 1e-4:
                best, best_epoch, best_loss = line, epoch, measured
            elif epoch - best_epoch >= PATIENCE:
                run.add(early_stopped(f"no better for {PATIENCE} epochs", best_epoch=best_epoch, patience=PATIENCE))
                break
        path = OUTPUT / "line.json"
        path.write_text(json.dumps({"slope": best[0], "intercept": best[1]}), encoding="utf-8")
        run.add(checkpoint_saved(path.name, metrics={"val_loss": best_loss}, epoch=best_epoch))
        run.note(best_epoch=best_epoch)
    return best


def fit_somehow(chain: Chain, train: list[Point], held_out: list[Point]) -> Line:
    """Return the line of the first learning rate that works."""
    with traced_stage(chain, "fit") as stage:
        why = "large steps are the fastest, if they work"
        for rate in (0.5, 0.05):
            stage.add(hyperparameter_tuned("learning_rate", rate, why))
            try:
                return fit(chain, train, held_out, rate)
            except ArithmeticError as error:  # the chain already says what happened
                why = f"at {rate}, {error}"
        raise ArithmeticError(f"no rate works: {why}")


def main() -> None:
    """Fit a line, compare it with the exact one; print the tree, and write the table and the page."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    chain = Chain("fitting a line")
    data = points(80)
    train, held_out = data[:60], data[60:]
    line = fit_somehow(chain, train, held_out)

    shown = chain.filter(lambda event: event.type not in ("epoch_completed", "validation_run"))
    print(to_text(shown))
    exact = linear_regression([x for x, _ in train], [y for _, y in train])
    print(f"fitted  y = {line[0]:.3f}x {line[1]:+.3f}, held-out loss {loss(line, held_out):.4f}")
    print(f"exact   y = {exact.slope:.3f}x {exact.intercept:+.3f}, held-out loss {loss(exact, held_out):.4f}")

    chain.save(OUTPUT / "training_run.json")
    save_training_table(chain, OUTPUT / "training_run.csv")
    save_training_table(chain, OUTPUT / "training_run.jsonl")
    save_html(chain, OUTPUT / "training_run.html")


if __name__ == "__main__":
    main()
