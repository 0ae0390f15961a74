"""The records of a training request."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from crucible.errors import DataError
from crucible.text import Datum, ModelInput, SoftTargets


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


# --- several candidates a position ---


def soft(**changes: object) -> SoftTargets:
    """Two candidates at each of two positions."""
    fields: dict[str, Any] = {"tokens": ((5, 6), (7, 8)), "weights": ((0.5, 0.25), (1.0, -1.0)), **changes}
    return SoftTargets(**fields)


def test_soft_targets_have_one_count_of_candidates() -> None:
    """And as many rows as there are positions."""
    found = soft(loss_inputs={"reference_logprobs": ((-1.0, -2.0), (-0.5, -3.0))})
    assert (len(found), found.candidates) == (2, 2)
    datum = Datum(ModelInput((1, 2)), (5, 7), (1.0, 0.0), {"advantages": (1.0, 2.0)}, found)
    assert datum.input_names == {"advantages", "reference_logprobs"}
    plain = Datum(ModelInput((1, 2)), (5, 7), (1.0, 0.0), {"advantages": (1.0, 2.0)})
    assert datum == msgspec.structs.replace(plain, soft_targets=found)
    assert Datum(ModelInput((1, 2)), (5, 7), (1.0, 0.0)).input_names == frozenset()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": ()}, "at least one position and one candidate"),
        ({"tokens": ((), ())}, "at least one position and one candidate"),
        ({"tokens": ((5, 6), (7,))}, r"tokens must have 2 candidates at every position, got 1 at position 1; fill up"),
        ({"weights": ((0.5, 0.5),)}, r"weights must have a row for each of 2 positions, got 1"),
        ({"weights": ((0.5,), (0.5,))}, r"weights must have 2 candidates at every position, got 1 at position 0"),
        ({"loss_inputs": {"q": ((0.5, 0.5), (0.5, 0.5, 0.5))}}, r"loss_inputs\['q'\] must have 2 candidates"),
        ({"loss_inputs": {"weights": ((0.5, 0.5), (0.5, 0.5))}}, "a field of its own: SoftTargets.weights"),
    ],
)
def test_soft_targets_of_other_shapes(change: dict[str, object], says: str) -> None:
    """Are refused with the place."""
    with pytest.raises(DataError, match=says):
        soft(**change)


def test_soft_targets_belong_to_the_positions_of_their_datum() -> None:
    """As many rows as positions, and no input given twice."""
    with pytest.raises(DataError, match=r"a row of soft_targets for each of its 1 positions, got 2"):
        Datum(ModelInput((1,)), (5,), (1.0,), soft_targets=soft())
    twice = soft(loss_inputs={"q": ((0.5, 0.5), (0.5, 0.5))})
    with pytest.raises(DataError, match="'q' is in loss_inputs and in soft_targets.loss_inputs"):
        Datum(ModelInput((1, 2)), (5, 7), (1.0, 0.0), {"q": (1.0, 2.0)}, twice)
