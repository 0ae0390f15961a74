"""What a training request carries: tokens in, target tokens and weights beside them.

The records follow Tinker: the caller shifts the targets, one target and one weight stand for each input position,
and weights may be negative. They are msgspec structs because a loop makes thousands of them.
"""

from collections.abc import Mapping

import msgspec

from crucible.errors import DataError

__all__ = ["Datum", "ModelInput"]


class ModelInput(msgspec.Struct, frozen=True):
    """The tokens that a model reads.

    Attributes:
        tokens: Token ids in reading order.
    """

    tokens: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tokens)


class Datum(msgspec.Struct, frozen=True):
    """One example of a training request: `target_tokens[i]` is to be predicted after `model_input.tokens[: i + 1]`.

    Attributes:
        model_input: The T input tokens, T at least 1.
        target_tokens: The T tokens to predict, already shifted by the caller.
        weights: T finite factors of each position's loss; 0 leaves a position out, negative ones are allowed.
        loss_inputs: What else the loss reads of each position, by name, T numbers each: `reference_logprobs` of
            `kl_divergence`, say. The loss says which names it needs.

    Raises:
        DataError: The lengths differ, a loss input is called `weights`, or there is no token at all.
    """

    model_input: ModelInput
    target_tokens: tuple[int, ...]
    weights: tuple[float, ...]
    loss_inputs: Mapping[str, tuple[float, ...]] = {}

    def __post_init__(self) -> None:
        n_input, n_target, n_weight = len(self.model_input), len(self.target_tokens), len(self.weights)
        if not n_input == n_target == n_weight:
            raise DataError(
                f"a datum needs as many target_tokens and weights as input tokens, got {n_input} input tokens, "
                f"{n_target} target_tokens and {n_weight} weights (the caller shifts: tokens[:-1] in, tokens[1:] out)"
            )
        if n_input == 0:
            raise DataError("a datum needs at least one input token, got none")
        for name, values in self.loss_inputs.items():
            if name == "weights":
                raise DataError("loss_inputs holds 'weights', which has a field of its own: Datum.weights")
            if len(values) != n_target:
                raise DataError(
                    f"a datum needs one value of loss_inputs[{name!r}] for each of its {n_target} target_tokens, "
                    f"got {len(values)}"
                )

    def __len__(self) -> int:
        return len(self.target_tokens)
