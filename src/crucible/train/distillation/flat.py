"""The distillation to read first: every call in sight, one after another, nothing around it.

`distill` is the full one: off-policy with the same numbers, on-policy with other draws. It takes several teachers and
adds what a long training needs: checkpoints, resume, validation, events, the items' own answers, kept teachings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import closing
from itertools import count

import msgspec

from crucible.backends import Backend, LocalBackend, Sampler, SamplingParams
from crucible.data import Item, batches
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput, SoftTargets
from crucible.train.examples import mean_weighted, prepare
from crucible.train.optimizer import step_params
from crucible.train.schedule import learning_rate
from crucible.train.windows import steps_in_all

__all__ = ["distill_off_policy_flat", "distill_on_policy_flat"]


def distill_off_policy_flat(
    config: LoraConfig, items: Iterable[Item], teacher: Sampler, *, top_k: int = 20, backend: Backend | None = None
) -> tuple[list[float], Sampler]:
    """Train a student towards a teacher's probabilities on the items' answers; one batch a step, no validation.

    The losses are those of `distill` with the same `top_k`, but for the order in which floats are added.

    Args:
        config: How to train.
        items: Items with answers.
        teacher: Whom to learn from; it must have the student's tokenizer.
        top_k: The teacher's likeliest tokens that are compared.
        backend: Where the student lives; None: this machine.

    Returns:
        The loss of every step, nats per trained token, and a sampler of the last weights.

    Raises:
        DataError: The items cannot be trained on.
        BackendError: The teacher cannot tell its likeliest tokens.
    """
    with closing((backend or LocalBackend()).start_session(config)) as session:
        data = prepare(items, session.tokenizer, config, session.window - 1)
        total, losses = steps_in_all(config, len(data.train)), list[float]()
        for epoch in count():
            for batch in batches(data.train, config.batch_size, config.seed, epoch):
                soft: list[Datum] = []
                for datum in mean_weighted(batch):
                    tokens = ModelInput((*datum.model_input.tokens, datum.target_tokens[-1]))
                    top = teacher.top_logprobs([tokens], top_k)[0][1:]  # (T, K) of (token, log p)
                    candidates = tuple(tuple(token for token, _ in row) for row in top)
                    references = tuple(tuple(logprob for _, logprob in row) for row in top)
                    # a candidate's kl_divergence is w (q/p - 1 - log(q/p)): 0 where q = p, and with w = p a sum to KL
                    weights = tuple(tuple(math.exp(logprob) for logprob in row) for row in references)
                    targets = SoftTargets(candidates, weights, {"reference_logprobs": references})
                    soft.append(msgspec.structs.replace(datum, soft_targets=targets))
                losses.append(session.forward_backward(soft, "kl_divergence").result().loss)
                step = len(losses)
                session.optim_step(step_params(config, learning_rate(config, step, total))).result()
                if step == total:
                    return losses, session.create_sampler()
    raise AssertionError  # the epochs never end


def distill_on_policy_flat(
    config: LoraConfig,
    items: Iterable[Item],
    teacher: Sampler,
    *,
    group_size: int = 4,
    max_tokens: int = 64,
    backend: Backend | None = None,
) -> tuple[list[float], Sampler]:
    """Train a student on its own answers, each token by how much likelier the teacher finds it.

    Args:
        config: How to train.
        items: Items with prompts.
        teacher: Whom to learn from; it must have the student's tokenizer.
        group_size: Answers a prompt.
        max_tokens: Most tokens of an answer.
        backend: Where the student lives; None: this machine.

    Returns:
        The mean log q - log p of the student's tokens before every step, and a sampler of the last weights.

    Raises:
        DataError: A prompt is empty.
        BackendError: The teacher has no log-probabilities.
    """
    chosen = list(items)
    with closing((backend or LocalBackend()).start_session(config)) as session:
        total, divergences = steps_in_all(config, len(chosen)), list[float]()
        for epoch in count():
            for batch in batches(chosen, config.batch_size, config.seed, epoch):
                student, tokenizer = session.create_sampler(), session.tokenizer
                start = () if tokenizer.bos_id is None else (tokenizer.bos_id,)
                prompts = [ModelInput((*start, *tokenizer.encode(item.input))) for item in batch]
                params = SamplingParams(max_tokens=max_tokens, temperature=1.0, seed=len(divergences))
                data: list[Datum] = []
                for prompt, group in zip(
                    prompts, student.sample_groups(prompts, params, num_samples=group_size), strict=True
                ):
                    for sample in group:
                        tokens, before = (*prompt.tokens, *sample.tokens), len(prompt) - 1
                        said = teacher.logprobs([ModelInput(tokens)])[0][len(prompt) :]
                        gaps = [p - q for q, p in zip(sample.logprobs or (), said, strict=True) if p is not None]
                        beside = {
                            "logprobs": (*(0.0,) * before, *(sample.logprobs or ())),
                            "advantages": (*(0.0,) * before, *gaps),
                        }
                        mask = (*(0.0,) * before, *(1.0,) * len(gaps))
                        data.append(Datum(ModelInput(tokens[:-1]), tokens[1:], mask, beside))
                written = sum(sum(datum.weights) for datum in data)
                divergences.append(-sum(sum(datum.loss_inputs["advantages"]) for datum in data) / written)
                mean = [
                    msgspec.structs.replace(datum, weights=tuple(weight / written for weight in datum.weights))
                    for datum in data
                ]
                session.forward_backward(mean, "importance_sampling").result()
                step = len(divergences)
                session.optim_step(step_params(config, learning_rate(config, step, total))).result()
                if step == total:
                    return divergences, session.create_sampler()
    raise AssertionError  # the epochs never end
