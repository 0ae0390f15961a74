"""DPO to read first: every call in sight, one after another, nothing around it.

`trainer.PreferenceTrainer` is the full one. It takes the same steps with the same numbers, and adds the other losses,
other references, ties, and what every long training needs: checkpoints, resume, validation, callbacks, events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from crucible.backends import Backend, LocalBackend, Sampler
from crucible.data import Item, batches
from crucible.ir import LoraConfig
from crucible.text import Datum
from crucible.train.optimizer import step_params
from crucible.train.preference.pairs import prepare_preferences
from crucible.train.preference.scoring import score_answers
from crucible.train.preference.settings import PreferenceConfig
from crucible.train.schedule import learning_rate
from crucible.train.windows import steps_in_all

if TYPE_CHECKING:
    import torch

__all__ = ["train_preference_flat"]


def train_preference_flat(
    config: LoraConfig, items: Iterable[Item], backend: Backend | None = None, *, beta: float = 0.1
) -> tuple[list[float], Sampler]:
    """Train an adapter by DPO and return the loss of every step, and a sampler of the last weights.

    The losses are those of `PreferenceTrainer.train` with `accumulation_steps` 1, to the bit on a CPU: means per pair,
    before each step; log 2 where policy and reference agree.

    Args:
        config: How to train.
        items: Comparisons; ties are left out.
        backend: Where the model lives; None: this machine.
        beta: How much a nat of margin counts.

    Raises:
        DataError: The items cannot be trained on.
    """
    import torch

    from crucible.backends.losses.preference import dpo

    with closing((backend or LocalBackend()).start_session(config)) as session:
        data = prepare_preferences(items, session.tokenizer, config, PreferenceConfig(), session.window)
        references = score_answers(session, (*data.train, *data.validation), config.batch_size)  # the adapter adds 0
        pairs = list(zip(data.train, references[: len(data.train)], strict=True))
        total = steps_in_all(config, len(pairs))
        losses: list[float] = []
        while len(losses) < total:
            epoch = len(losses) // -(-len(pairs) // config.batch_size)
            for batch in batches(pairs, config.batch_size, config.seed, epoch):
                reference = torch.tensor([sums for _, sums in batch], dtype=torch.float64)  # (P, 2)

                def loss(
                    data: Sequence[Datum],
                    logprobs: list[torch.Tensor],
                    reference: torch.Tensor = reference,
                ) -> tuple[torch.Tensor, Mapping[str, float]]:
                    weights = [torch.tensor(datum.weights, dtype=torch.float64) for datum in data]
                    sums = [(each.double() * mask).sum() for each, mask in zip(logprobs, weights, strict=True)]
                    policy = torch.stack(sums).reshape(-1, 2)  # (P, 2): chosen and rejected
                    return dpo(*policy.unbind(1), *reference.unbind(1), beta=beta) / len(reference), {}

                both = [datum for pair, _ in batch for datum in (pair.first, pair.second)]
                losses.append(session.forward_backward_custom(both, loss).result().loss)
                rate = learning_rate(config, len(losses), total)
                session.optim_step(step_params(config, rate)).result()
                if len(losses) == total:
                    break
        return losses, session.create_sampler()
