"""Custom losses: what they get, what their gradient is, and each thing that they must not return."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from crucible.backends.losses import gradient_of
from crucible.errors import NonFiniteLoss, TrainError
from crucible.text import Datum, ModelInput

DATA = [Datum(ModelInput((1, 2)), (2, 3), (1.0, 1.0)), Datum(ModelInput((4,)), (5,), (1.0,))]
LOGPROBS = [torch.tensor([-1.0, -2.0]), torch.tensor([-3.0])]


def test_the_gradient_is_that_of_the_function() -> None:
    """A loss across data, such as a difference of two sequences; its metrics become numbers."""

    def preference(data: Any, logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, Any]]:
        assert list(data) == DATA
        margin = logprobs[0].sum() - logprobs[1].sum()
        return -torch.nn.functional.logsigmoid(margin), {"margin:mean": margin, "pairs:sum": 1}

    loss, gradients, metrics = gradient_of(preference, DATA, LOGPROBS)
    share = torch.sigmoid(torch.tensor(0.0)).item()
    assert loss == pytest.approx(0.6931472)
    assert [gradient.tolist() for gradient in gradients] == [[-share, -share], [share]]
    assert metrics == {"margin:mean": 0.0, "pairs:sum": 1.0}
    assert not LOGPROBS[0].requires_grad


def test_what_the_loss_does_not_read_has_no_gradient() -> None:
    """Zeros, of its shape."""
    _, gradients, _ = gradient_of(lambda data, lps: (lps[1].sum(), {}), DATA, LOGPROBS)
    assert [gradient.tolist() for gradient in gradients] == [[0.0, 0.0], [1.0]]


def test_gradients_are_on_even_where_the_caller_switched_them_off() -> None:
    """The function is differentiated in any case."""
    with torch.no_grad():
        _, gradients, _ = gradient_of(lambda data, lps: ((lps[0] ** 2).sum(), {}), DATA, LOGPROBS)
    assert gradients[0].tolist() == [-2.0, -4.0]


@pytest.mark.parametrize(
    ("fn", "error", "says"),
    [
        (lambda data, lps: lps[0].sum(), TrainError, r"must return \(loss, metrics\), got Tensor"),
        (lambda data, lps: None, TrainError, r"must return \(loss, metrics\), got NoneType"),
        (lambda data, lps: (lps[0], {}), TrainError, r"a tensor of shape \(2,\); sum it up"),
        (lambda data, lps: (1.5, {}), TrainError, "got float"),
        (lambda data, lps: (lps[0].detach().sum(), {}), TrainError, "does not depend on the logprobs"),
        (lambda data, lps: (torch.ones(1, requires_grad=True) * 2, {}), TrainError, "does not depend on the logprobs"),
        (lambda data, lps: (lps[0].sum() * float("nan"), {}), NonFiniteLoss, "the custom loss is nan"),
        (lambda data, lps: (lps[0].sum() / 0, {}), NonFiniteLoss, "the custom loss is -inf"),
        (lambda data, lps: ((lps[1] + 3).sqrt().sum(), {}), NonFiniteLoss, "by the logprobs of datum 1 is not"),
        (lambda data, lps: (lps[0].sum(), [1]), TrainError, "must be a mapping, got list"),
        (lambda data, lps: (lps[0].sum(), {"m": "high"}), TrainError, "metric 'm' of a custom loss must be a number"),
        (lambda data, lps: (lps[0].sum(), {"m": lps[0]}), TrainError, "metric 'm' of a custom loss must be a number"),
    ],
)
def test_what_it_must_not_return(fn: Any, error: type[Exception], says: str) -> None:
    """Each mistake has its own sentence."""
    with pytest.raises(error, match=says):
        gradient_of(fn, DATA, LOGPROBS)


def test_what_it_raises_is_the_callers() -> None:
    """It comes out as it is."""

    def broken(data: Any, logprobs: Any) -> Any:
        raise KeyError("margin")

    with pytest.raises(KeyError, match="margin"):
        gradient_of(broken, DATA, LOGPROBS)


def test_a_metric_beyond_floats_is_no_number() -> None:
    """Named, as what is no number at all is."""
    with pytest.raises(TrainError, match="the metric 'huge' of a custom loss must be a number, got int"):
        gradient_of(lambda data, logprobs: (logprobs[0].sum(), {"huge": 10**400}), DATA, LOGPROBS)
