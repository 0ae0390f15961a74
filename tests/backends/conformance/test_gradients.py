"""What every backend computes: Tinker's sums, the losses, custom losses, the optimisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from crucible.backends import AdamParams, OptimizerParams, RmspropParams, Session, SgdParams, losses
from crucible.backends.loss_terms import POLICY_SETTINGS
from crucible.errors import NonFiniteLoss, TrainError
from crucible.text import Datum

STILL = AdamParams(learning_rate=0.0)
STEP = AdamParams(learning_rate=0.02)


def weigh(datum: Datum, factor: float) -> Datum:
    """The same datum with its weights multiplied."""
    return msgspec.structs.replace(datum, weights=tuple(weight * factor for weight in datum.weights))


def norm(session: Session, data: Sequence[Datum]) -> float:
    """The norm of the gradient of some data."""
    session.forward_backward(data)
    return session.optim_step(STILL).result().gradient_norm


def sum_of(data: Sequence[Datum], logprobs: Sequence[Sequence[float | None]]) -> float:
    """-sum(weight * logprob)."""
    return -sum(
        weight * (logprob or 0.0)
        for datum, each in zip(data, logprobs, strict=True)
        for weight, logprob in zip(datum.weights, each, strict=True)
        if weight
    )


def test_forward_is_the_sum_over_tokens_and_data(session: Session, batch: list[Datum], under_test: Any) -> None:
    """loss:sum = -sum(weight * logprob), one log-probability a target, the data's in their order."""
    whole = session.forward(batch).result()
    assert whole.loss == under_test.near(sum_of(batch, whole.logprobs))
    assert whole.metrics["loss:sum"] == whole.loss
    assert [len(each) for each in whole.logprobs] == [len(datum) for datum in batch]
    assert all(logprob is not None and logprob <= 0 for each in whole.logprobs for logprob in each)
    parts = [session.forward([datum]).result() for datum in batch]
    assert whole.loss == under_test.near(sum(part.loss for part in parts))
    for found, part in zip(whole.logprobs, parts, strict=True):
        assert found == under_test.near(part.logprobs[0])


def test_forward_counts_tokens(session: Session, batch: list[Datum]) -> None:
    """Input tokens, and those with a weight."""
    metrics = session.forward(batch).result().metrics
    assert metrics["input_tokens:sum"] == sum(map(len, batch))
    assert metrics["weighted_tokens:sum"] == sum(map(len, batch)) - len(batch)


def test_forward_takes_weights_of_zero_and_changes_nothing(session: Session, batch: list[Datum]) -> None:
    """It is how log-probabilities are asked for."""
    before = session.forward(batch).result()
    assert session.forward([weigh(datum, 0.0) for datum in batch]).result().loss == 0
    assert session.forward(batch).result().logprobs == before.logprobs


def test_forward_backward_is_forwards_loss(session: Session, batch: list[Datum], under_test: Any) -> None:
    """Without dropout both compute the same."""
    assert session.forward_backward(batch).result().loss == under_test.near(session.forward(batch).result().loss)


def test_the_gradient_is_a_sum(session: Session, batch: list[Datum], under_test: Any) -> None:
    """Tinker's table: the datum twice, weights of ten and of minus one give norms of 2, 10 and 1 times the first."""
    under_test.needs("gradient_norm")
    session.forward_backward(batch)  # the adapter's B is no longer zero
    session.optim_step(STEP)
    single = norm(session, batch[:1])
    assert single > 0
    assert norm(session, [batch[0], batch[0]]) == under_test.near(2 * single)
    assert norm(session, [weigh(batch[0], 10)]) == under_test.near(10 * single)
    assert norm(session, [weigh(batch[0], -1)]) == under_test.near(single)


def test_a_negative_weight_turns_the_gradient(session: Session, batch: list[Datum], under_test: Any) -> None:
    """A datum and its negative cancel, in one request and over two."""
    under_test.needs("gradient_norm")
    session.forward_backward(batch)
    session.optim_step(STEP)
    single = norm(session, batch[:1])
    session.forward_backward([weigh(batch[0], -1)])
    assert norm(session, batch[:1]) == pytest.approx(0, abs=1e-2 * single)
    assert norm(session, [batch[0], weigh(batch[0], -1)]) == pytest.approx(0, abs=1e-2 * single)


@pytest.mark.parametrize(("sign", "direction"), [(1, -1), (-1, 1)])
def test_training_moves_the_loss(session: Session, batch: list[Datum], sign: int, direction: int) -> None:
    """Down with positive weights, up with negative ones."""
    before = session.forward(batch).result().loss
    for _ in range(6):
        session.forward_backward([weigh(datum, sign) for datum in batch])
        session.optim_step(STEP)
    after = session.forward(batch).result().loss
    assert (after - before) * direction > 0.05 * before


def test_gradients_add_up_until_the_step(session: Session, batch: list[Datum], under_test: Any) -> None:
    """Two requests of one datum each are one request of both."""
    under_test.needs("gradient_norm")
    session.forward_backward(batch)
    session.optim_step(STEP)
    together = norm(session, batch[:2])
    session.forward_backward(batch[:1])
    assert norm(session, batch[1:2]) == under_test.near(together)


# --- losses ---


@pytest.mark.parametrize("name", losses.names())
def test_every_loss_by_its_name(session: Session, make_datum: Callable[..., Datum], under_test: Any, name: str) -> None:
    """The value is that of the registered function over the log-probabilities, and a step lowers it."""
    if name == "entropy":
        pytest.skip("it depends on more than the targets' log-probabilities: see test_policies")
    import torch

    inputs = {} if name == "cross_entropy" else {"targets": (1.0,) * 5}
    if name == "kl_divergence":
        inputs = {"reference_logprobs": (-0.5,) * 5}
    if name in POLICY_SETTINGS:
        inputs = {"logprobs": (-4.0, -5.0, -6.0, -5.5, -4.5), "advantages": (0.0, 1.0, 2.0, 1.0, 0.5)}
    data = [make_datum(5, 9 * number, loss_inputs=inputs) for number in range(2)]
    found = session.forward(data, name).result()
    expected = 0.0
    for datum, logprobs in zip(data, session.forward(data).result().logprobs, strict=True):
        given = {key: torch.tensor(values) for key, values in {**datum.loss_inputs, "weights": datum.weights}.items()}
        expected += losses.get(name)(torch.tensor(logprobs), given).item()
    assert found.loss == under_test.near(expected)
    for _ in range(6):
        session.forward_backward(data, name)
        session.optim_step(STEP)
    assert session.forward(data, name).result().loss < found.loss


def test_a_composite_loss_reports_its_parts(session: Session, batch: list[Datum], under_test: Any) -> None:
    """Before their weights, as loss/<name>:sum."""
    under_test.needs("loss:composite")
    found = session.forward(batch, losses.composite(["cross_entropy", "mse"], [1.0, 0.5])).result()
    parts = [found.metrics[f"loss/{name}:sum"] for name in ("cross_entropy", "mse")]
    assert found.loss == under_test.near(parts[0] + 0.5 * parts[1])
    assert parts[0] == under_test.near(session.forward(batch).result().loss)


# --- custom losses ---


def test_a_custom_loss_of_the_sum_is_cross_entropy(session: Session, batch: list[Datum], under_test: Any) -> None:
    """The same loss, the same gradient; fn is called once, with a tensor a datum, and its metrics come back."""
    import torch

    calls: list[list[int]] = []

    def fn(data: Sequence[Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        calls.append([len(each) for each in logprobs])
        terms = [-(torch.tensor(datum.weights) * each).sum() for datum, each in zip(data, logprobs, strict=True)]
        return torch.stack(terms).sum(), {"mine:sum": 3.0}

    session.forward_backward(batch)
    session.optim_step(STEP)
    expected = session.forward(batch).result().loss
    found = session.forward_backward_custom(batch, fn).result()
    assert found.loss == under_test.near(expected)
    assert found.metrics["loss:sum"] == found.loss
    assert found.metrics["mine:sum"] == 3.0
    assert calls == [[len(datum) for datum in batch]]
    if "gradient_norm" not in under_test.unsupported:
        custom = session.optim_step(STILL).result().gradient_norm
        assert custom == under_test.near(norm(session, batch))


def test_a_custom_loss_may_be_any_function(session: Session, batch: list[Datum]) -> None:
    """A preference between two data: six steps widen the margin."""
    import torch

    margins: list[float] = []

    def prefer(_: Sequence[Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        margin = logprobs[0].sum() - logprobs[1].sum()
        margins.append(margin.item())
        return -torch.nn.functional.logsigmoid(margin), {"margin:mean": margin.item()}

    for _ in range(6):
        session.forward_backward_custom(batch[:2], prefer)
        session.optim_step(STEP)
    session.forward_backward_custom(batch[:2], prefer).result()
    assert margins[-1] > margins[0]


@pytest.mark.parametrize(
    ("fn", "error"),
    [
        (lambda data, lps: lps[0].sum(), TrainError),
        (lambda data, lps: (lps[0], {}), TrainError),
        (lambda data, lps: (lps[0].detach().sum(), {}), TrainError),
        (lambda data, lps: (lps[0].sum() * float("nan"), {}), NonFiniteLoss),
        (lambda data, lps: 1 / 0, ZeroDivisionError),
    ],
)
def test_a_custom_loss_that_is_none(session: Session, batch: list[Datum], fn: Any, error: type[Exception]) -> None:
    """Each mistake is a typed error of the request; what the function raises comes out as it is."""
    with pytest.raises(error):
        session.forward_backward_custom(batch, fn).result()


# --- optimisers ---


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("adamw", AdamParams(learning_rate=0.02, weight_decay=0.01, grad_clip_norm=1.0)),
        ("adam", AdamParams(learning_rate=0.02, weight_decay=0.01, decoupled=False)),
        ("sgd", SgdParams(learning_rate=0.01, momentum=0.9, grad_clip_norm=1.0)),
        ("rmsprop", RmspropParams(learning_rate=0.002)),
    ],
)
def test_every_optimizer_learns(
    session: Session, batch: list[Datum], under_test: Any, name: str, params: OptimizerParams
) -> None:
    """Twelve steps lower the loss, and are counted."""
    under_test.needs(name)
    before = session.forward(batch).result().loss
    for number in range(12):
        session.forward_backward(batch)
        assert session.optim_step(params).result().step == number + 1
    assert session.forward(batch).result().loss < before


def test_a_step_needs_a_gradient(session: Session, batch: list[Datum], under_test: Any) -> None:
    """Forward leaves none."""
    under_test.needs("step_without_gradient")
    session.forward(batch)
    with pytest.raises(TrainError, match="forward_backward"):
        session.optim_step(STEP).result()
