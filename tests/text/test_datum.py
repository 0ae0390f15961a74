"""The records of a training request."""

from __future__ import annotations

import msgspec
import pytest

from crucible.errors import DataError
from crucible.text import Datum, ModelInput


def test_a_datum_knows_its_length() -> None:
    """Its length is the count of input positions; negative weights are fine."""
    datum = Datum(ModelInput((5, 6, 7)), (6, 7, 8), (0.0, -1.0, 0.5))
    assert len(datum) == len(datum.model_input) == 3


@pytest.mark.parametrize(
    ("tokens", "targets", "weights"), [((1, 2), (2,), (1.0,)), ((1,), (2,), (1.0, 1.0)), ((1,), (), ())]
)
def test_lengths_must_agree(tokens: tuple[int, ...], targets: tuple[int, ...], weights: tuple[float, ...]) -> None:
    """The classic mistake, unshifted targets, is refused with the counts."""
    with pytest.raises(DataError, match="shifts"):
        Datum(ModelInput(tokens), targets, weights)


def test_an_empty_datum_is_refused() -> None:
    """There is no token to train on."""
    with pytest.raises(DataError, match="at least one"):
        Datum(ModelInput(()), (), ())


def test_a_datum_is_frozen_and_comparable() -> None:
    """Equal contents are equal; nothing can be changed afterwards."""
    datum = Datum(ModelInput((1,)), (2,), (1.0,))
    assert datum == Datum(ModelInput((1,)), (2,), (1.0,))
    with pytest.raises(AttributeError):
        datum.weights = (0.0,)  # type: ignore[misc]


def test_a_datum_carries_what_its_loss_reads() -> None:
    """Other inputs of the loss lie beside the weights, by name; none is the default, and each datum has its own."""
    plain = Datum(ModelInput((1, 2)), (2, 3), (1.0, 1.0))
    assert plain.loss_inputs == {}
    assert plain.loss_inputs is not Datum(ModelInput((1, 2)), (2, 3), (1.0, 1.0)).loss_inputs
    weighed = Datum(ModelInput((1, 2)), (2, 3), (1.0, 1.0), {"reference_logprobs": (-1.0, -2.0)})
    assert weighed != plain
    assert msgspec.json.decode(msgspec.json.encode(weighed), type=Datum) == weighed


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"targets": (1.0,)}, r"loss_inputs\['targets'\] for each of its 2 target_tokens, got 1"),
        ({"weights": (1.0, 1.0)}, "a field of its own"),
    ],
)
def test_loss_inputs_are_as_long_as_the_targets(inputs: dict[str, tuple[float, ...]], says: str) -> None:
    """A missing value, or a second set of weights, is refused by name."""
    with pytest.raises(DataError, match=says):
        Datum(ModelInput((1, 2)), (2, 3), (1.0, 1.0), inputs)
