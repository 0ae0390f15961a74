"""The type of matrix products, and the refusal of a device without bfloat16."""

from __future__ import annotations

import pytest
import torch

from crucible.backends.engine.precision import product_dtype
from crucible.errors import BackendError


def test_the_weights_type_unless_mixed() -> None:
    """bfloat16 is computed in where it was asked for, else what the weights are of."""
    assert product_dtype(torch.float32, "cpu", mixed_precision=False) == torch.float32
    assert product_dtype(torch.float16, "cpu", mixed_precision=False) == torch.float16
    assert product_dtype(torch.float32, "cpu", mixed_precision=True) == torch.bfloat16


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has the device")
def test_a_device_without_it_is_refused_by_name() -> None:
    """Here a device that the machine does not have: its own error is told in ours."""
    with pytest.raises(BackendError, match="mixed_precision needs bfloat16, which the device 'mps' does not compute"):
        product_dtype(torch.float32, "mps", mixed_precision=True)
