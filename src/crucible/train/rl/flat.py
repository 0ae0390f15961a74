"""Learning from rewards to read first: every call in sight, one after another, nothing around it.

`objective.Reinforcement` on `loop.TrainingLoop` is the full one. It takes the same steps with the same numbers, and
adds what a long training needs: checkpoints, resume, validation, environments of several turns, a penalty for leaving
the base, samplers that lag, several steps an iteration, failures, events.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing

from crucible.backends import Backend, LocalBackend, Sampler, SamplingParams
from crucible.data import Item, Scorer, permutation
from crucible.data.order import draw_seed
from crucible.errors import TrainError
from crucible.ir import LoraConfig, Scored
from crucible.text import Datum, ModelInput
from crucible.train.optimizer import step_params
from crucible.train.rl.settings import RLConfig
from crucible.train.schedule import learning_rate

__all__ = ["train_rl_flat"]


def train_rl_flat(
    config: LoraConfig, settings: RLConfig, items: Sequence[Item], scorer: Scorer, backend: Backend | None = None
) -> tuple[list[float], Sampler]:
    """Train an adapter on rewards, and return the mean reward of every iteration and a sampler of the last weights.

    The rewards are those of `train_rl`, to the bit on a CPU, for importance_sampling with one step an iteration.

    Args:
        config: Learning rate, problems an iteration (`batch_size`), steps (`max_steps`), seed.
        settings: Answers a problem, temperature, tokens of an answer, what one that does not end loses.
        items: Texts with what the scorer compares with; at least `batch_size` of them, all short enough.
        scorer: Says how right an answer is, in [0, 1].
        backend: Where the model lives; None: this machine.

    Raises:
        TrainError: An answer cannot be scored.
    """
    with closing((backend or LocalBackend()).start_session(config)) as session:
        tokenizer = session.tokenizer
        start = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
        prompts = [ModelInput((*start, *tokenizer.encode(item.input))) for item in items]
        per_epoch = -(-len(items) // config.batch_size)
        rewards_of_all: list[float] = []
        for iteration in range(config.max_steps):
            epoch, position = divmod(iteration, per_epoch)
            order = permutation(len(items), config.seed, purpose=f"epoch {epoch}")
            chosen = order[position * config.batch_size : (position + 1) * config.batch_size]

            seed = draw_seed(config.seed, f"iteration {iteration}")
            drawn = SamplingParams(
                max_tokens=settings.max_tokens,
                temperature=settings.temperature,
                seeds=tuple(draw_seed(seed, f"{group}/0/0") for group in range(len(chosen))),
            )
            sampler = session.create_sampler()
            groups = sampler.sample_groups([prompts[place] for place in chosen], drawn, num_samples=settings.group_size)

            data: list[Datum] = []
            uniform: list[Datum] = []
            rewards: list[float] = []
            for place, group in zip(chosen, groups, strict=True):
                scores = [scorer(items[place], sample.text) for sample in group]
                own = [
                    settings.format_coef * ((sample.stop_reason == "stop") - 1) + score.value
                    for sample, score in zip(group, scores, strict=True)
                    if isinstance(score, Scored)
                ]
                rewards += own
                if len(own) < len(group):
                    raise TrainError(f"{len(group) - len(own)} of {len(group)} answers could not be scored")
                mean = math.fsum(own) / len(own)
                of_group: list[Datum] = []
                for sample, reward in zip(group, own, strict=True):
                    tokens = (*prompts[place].tokens, *sample.tokens)
                    shown = [0.0] * (len(prompts[place]) - 1)
                    beside = {
                        "logprobs": (*shown, *(sample.logprobs or ())),
                        "advantages": (*shown, *[reward - mean] * len(sample.tokens)),
                    }
                    mask = (*shown, *[1.0] * len(sample.tokens))
                    of_group.append(Datum(ModelInput(tokens[:-1]), tokens[1:], mask, beside))
                if min(own) < max(own):
                    data += of_group
                else:
                    uniform = uniform or of_group  # no answer is better than another: nothing to learn

            rewards_of_all.append(math.fsum(rewards) / len(rewards))
            data = data or uniform
            share = 1 / sum(sum(datum.weights) for datum in data)
            averaged = [
                Datum(each.model_input, each.target_tokens, tuple(w * share for w in each.weights), each.loss_inputs)
                for each in data
            ]
            session.forward_backward(averaged, "importance_sampling").result()
            session.optim_step(step_params(config, learning_rate(config, iteration + 1, config.max_steps))).result()
        return rewards_of_all, session.create_sampler()
