"""What a training request carries: tokens in, target tokens and weights beside them.

The records follow Tinker: the caller shifts the targets, one target and one weight stand for each input position,
and weights may be negative. They are msgspec structs because a loop makes thousands of them.
"""

from collections.abc import Mapping

import msgspec

from crucible.errors import DataError

__all__ = ["Datum", "ModelInput", "SoftTargets"]


class ModelInput(msgspec.Struct, frozen=True):
    """The tokens that a model reads.

    Attributes:
        tokens: Token ids in reading order.
    """

    tokens: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tokens)


class SoftTargets(msgspec.Struct, frozen=True):
    """Several candidates for the next token, the same count K at each of T positions: what a teacher says, say.

    A loss meets every candidate as a target of its own; the model computes its distribution once a position.

    Attributes:
        tokens: (T, K) candidate tokens, K at least 1.
        weights: (T, K) finite factors of each candidate's loss, such as a teacher's probabilities; they multiply the
            weight of the position, which leaves out all of its candidates where it is 0.
        loss_inputs: What else the loss reads of each candidate, by name, (T, K) each: `reference_logprobs` of
            `kl_divergence`, say.

    Raises:
        DataError: The shapes differ, K is 0, or a loss input is called `weights`.
    """

    tokens: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    loss_inputs: Mapping[str, tuple[tuple[float, ...], ...]] = {}

    def __post_init__(self) -> None:
        if not self.tokens or not self.tokens[0]:
            raise DataError("soft targets need at least one position and one candidate a position, got none")
        _check_rows("tokens", self.tokens, len(self.tokens), self.candidates)
        _check_rows("weights", self.weights, len(self.tokens), self.candidates)
        for name, rows in self.loss_inputs.items():
            if name == "weights":
                raise DataError("loss_inputs holds 'weights', which has a field of its own: SoftTargets.weights")
            _check_rows(f"loss_inputs[{name!r}]", rows, len(self.tokens), self.candidates)

    @property
    def candidates(self) -> int:
        """K, the count of candidates a position."""
        return len(self.tokens[0])

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
        soft_targets: Candidates for each of the T positions, which the loss reads in place of `target_tokens`; the
            weight of a candidate is then `weights[t] * soft_targets.weights[t][k]`, and a position's `loss_inputs` are
            those of each of its candidates. None: the target tokens alone.

    Raises:
        DataError: The lengths differ, a loss input is called `weights` or is there twice, or there is no token at all.
    """

    model_input: ModelInput
    target_tokens: tuple[int, ...]
    weights: tuple[float, ...]
    loss_inputs: Mapping[str, tuple[float, ...]] = {}
    soft_targets: SoftTargets | None = None

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
        if self.soft_targets is not None:
            self._check_soft_targets(self.soft_targets)

    def _check_soft_targets(self, soft: SoftTargets) -> None:
        if len(soft) != len(self.target_tokens):
            raise DataError(
                f"a datum needs a row of soft_targets for each of its {len(self.target_tokens)} positions, "
                f"got {len(soft)}"
            )
        for name in soft.loss_inputs:
            if name in self.loss_inputs:
                raise DataError(f"{name!r} is in loss_inputs and in soft_targets.loss_inputs; leave one of them out")

    @property
    def input_names(self) -> frozenset[str]:
        """Names of the loss inputs that each position, or each of its candidates, has."""
        names = frozenset(self.loss_inputs)
        return names if self.soft_targets is None else names.union(self.soft_targets.loss_inputs)

    def __len__(self) -> int:
        return len(self.target_tokens)


def _check_rows(name: str, rows: tuple[tuple[float, ...], ...], positions: int, candidates: int) -> None:
    if len(rows) != positions:
        raise DataError(f"soft_targets.{name} must have a row for each of {positions} positions, got {len(rows)}")
    for place, row in enumerate(rows):
        if len(row) != candidates:
            raise DataError(
                f"soft_targets.{name} must have {candidates} candidates at every position, got {len(row)} at position "
                f"{place}; fill up with candidates of weight 0"
            )
