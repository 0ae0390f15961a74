"""Learning from rewards as an objective of the one training loop.

An iteration synchronises the sampler with the weights (unless it may lag), rolls out, makes data of what it was worth,
and takes its steps. What it draws follows from the seed and the number of the iteration alone, and that from where the
state stands: a resumed training rolls out what one that never stopped would have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crucible import events
from crucible.backends import ForwardBackwardOutput, Sampler, SamplingParams, Session, SessionFuture
from crucible.data import permutation
from crucible.data.order import draw_seed
from crucible.errors import TrainError
from crucible.ir import LoraConfig, to_dict
from crucible.text import Datum
from crucible.train.objective import Material, Objective, Validated
from crucible.train.rl.divergence import (
    discrepancy,
    incorporate_kl_penalty,
    pre_post_divergence,
    reference_logprobs,
    sample_train_divergence,
)
from crucible.train.rl.metrics import environment_means, mean_reward, rollout_metrics
from crucible.train.rl.problems import Problems
from crucible.train.rl.rollout import roll_out
from crucible.train.rl.settings import RLConfig, config_refusals
from crucible.train.rl.steps import Part, check_failures, shares, training_data, weighed, with_entropy
from crucible.train.rl.trajectory import Rollouts
from crucible.train.training_record import TrainState
from crucible.train.windows import Batch, Window

__all__ = ["Reinforcement", "validation_names"]


class Reinforcement(Objective):
    """Learning from rewards.

    Args:
        problems: What the policy acts in.
        config: Problems an iteration, seed, steps, learning rate.
        settings: Everything else.
        base: The base model, which `kl_coef` above 0 needs.

    Raises:
        TrainError: What is asked for cannot be carried out, such as settings that do not go together.
    """

    kind = "rl"
    looks_at_weights = True
    best_by = ("validation_reward", "max")

    def __init__(
        self,
        problems: Problems,
        config: LoraConfig,
        settings: RLConfig | None = None,
        *,
        base: Sampler | None = None,
    ) -> None:
        self._problems = problems
        self._config = config
        self._settings = settings = settings or RLConfig()
        self._base = base
        _check(problems, config, settings, base)
        self._each = min(settings.problems_an_iteration(config), len(problems.train))
        self._per_epoch = math.ceil(len(problems.train) / self._each)
        self.total_steps = settings.steps_in_all(config, len(problems.train))
        self.material = Material(
            items=len(problems.train),
            held_out=len(problems.held_out),
            truncated=problems.truncated,
            refused=problems.refused,
            digest=problems.digest,
            synthetic=problems.synthetic,
        )
        self.reports = validation_names(problems.metrics)
        self.identity: Mapping[str, Any] = {"rl": {**to_dict(settings), "max_turns": problems.max_turns}}
        self._state: TrainState | None = None
        self._session: Session | None = None
        self._sampled: list[Datum] = []

    def windows(self, session: Session, state: TrainState) -> Iterator[Window]:
        """Roll out and yield the steps, iteration after iteration, from where the state stands."""
        self._session, self._state = session, state  # now, and not with the first window: a validation may come first
        if self._settings.temperature != 1:
            events.decision(
                f"draws answers at a temperature of {self._settings.temperature:g}",
                "ratios, penalties and divergences are of the model's own probabilities, at 1: what is learnt is not "
                "corrected for having been drawn from another distribution",
                metadata={"temperature": self._settings.temperature},
            )
        return self._iterations(session, state.epoch * self._per_epoch + state.position)

    def send(self, session: Session, batch: Batch) -> SessionFuture[ForwardBackwardOutput]:
        """Submit a batch to the algorithm's loss."""
        part: Part = batch.beside
        config = self._settings.loss_config if part.loss == self._settings.rule.loss else {}
        if self._settings.entropy_coef:
            return session.forward_backward(batch.data, with_entropy(part.loss, config, self._settings.entropy_coef))
        return session.forward_backward(batch.data, part.loss, loss_config=config)

    def measured(self, window: Window, outputs: Sequence[ForwardBackwardOutput]) -> dict[str, float]:
        """Return how far the step's weights were from those that sampled, and how surprising the samples were.

        Raises:
            TrainError: Sampler and training hold the same weights and disagree by more than the limit.
        """
        data = [datum for batch in window.batches for datum in batch.data]
        logprobs = [values for output in outputs for values in output.logprobs]
        found = {f"rl/{name}": value for name, value in sample_train_divergence(data, logprobs).items()}
        if self._settings.rule.clips:
            found["rl/clipped"] = self._clipped(data, logprobs)
        if all(batch.beside.is_fresh for batch in window.batches):
            found |= self._agreement(data, logprobs)
        if self._settings.post_kl and window.ends_iteration and self._session is not None:
            after = self._session.forward(self._sampled, "cross_entropy").result().logprobs
            found |= {f"rl/{name}": value for name, value in pre_post_divergence(self._sampled, after).items()}
        return found

    def validate(self, session: Session) -> Validated:
        """Return the mean reward of the held-out problems, their likeliest answers taken, and that of training since.

        Raises:
            TrainError: Too many rollouts fail.
        """
        how = self._params(temperature=0.0)
        rollouts = roll_out(
            session.create_sampler(),
            self._problems.held_out,
            how,
            seed=self._config.seed,
            max_turns=self._problems.max_turns,
            window=self._config.max_length or session.window,
        )
        if rollouts.finished == 0 or rollouts.started - rollouts.finished > (
            self._settings.max_failed_frac * rollouts.started
        ):
            first = rollouts.failures[0]
            raise TrainError(
                f"{rollouts.started - rollouts.finished} of {rollouts.started} rollouts of the validation failed, and "
                f"max_failed_frac is {self._settings.max_failed_frac:g}; the first: {first.where} of problem "
                f"{first.group}: {first.error}"
            )
        of_envs = environment_means(rollouts.groups)
        found = {
            "validation_reward": mean_reward(rollouts.groups),
            "validation_failed": float(rollouts.started - rollouts.finished),
            **{f"validation_{name}": of_envs[name] for name in self._problems.metrics if name in of_envs},
            **self._reward_since(),
        }
        tokens = sum(each.action_tokens for group in rollouts.groups for each in group.trajectories)
        return Validated(None, found, tokens)

    # --- one iteration ---

    def _iterations(self, session: Session, iteration: int) -> Iterator[Window]:
        sampler, synced = session.create_sampler(), iteration
        while True:
            if iteration - synced > self._settings.max_staleness:
                sampler, synced = session.create_sampler(), iteration
            yield from self._iteration(sampler, iteration, staleness=iteration - synced)
            iteration += 1

    def _iteration(self, sampler: Sampler, iteration: int, *, staleness: int) -> Iterator[Window]:
        settings = self._settings
        epoch, position = divmod(iteration, self._per_epoch)
        order = permutation(len(self._problems.train), self._config.seed, purpose=f"epoch {epoch}")
        chosen = order[position * self._each : (position + 1) * self._each]
        rollouts = self._roll_out(sampler, chosen, iteration)
        metrics = {**rollout_metrics(rollouts), "rl/staleness": float(staleness)}
        data, places = training_data(rollouts, settings, iteration)
        if settings.kl_coef and self._base is not None:
            others = reference_logprobs(self._base, data)
            data, moved = incorporate_kl_penalty(data, others, settings.kl_coef, settings.kl_discount)
            metrics |= {f"rl/{name}": value for name, value in moved.items()}
        self._sampled = data
        names = [self._name(chosen[place]) for place in places]
        is_boundary = (iteration + 1) % (settings.max_staleness + 1) == 0
        is_final = (iteration + 1) * settings.substeps >= self.total_steps
        for number, part in enumerate(shares(len(data), settings.substeps)):
            is_last = number == settings.substeps - 1
            ends_epoch = is_last and position + 1 == self._per_epoch
            own = [data[place] for place in part]
            fresh = staleness == 0 and number == 0
            yield Window(
                epoch=epoch,
                position=position + is_last,
                ends_epoch=ends_epoch,
                batches=self._batches(own, [names[place] for place in part], is_fresh=fresh),
                tokens=sum(map(len, own)),
                ends_iteration=is_last and (is_boundary or is_final),
                metrics=metrics,
            )

    def _roll_out(self, sampler: Sampler, chosen: Sequence[int], iteration: int) -> Rollouts:
        session = self._session
        assert session is not None  # noqa: S101  # set before the first iteration
        rollouts = roll_out(
            sampler,
            [self._problems.train[place] for place in chosen],
            self._params(self._settings.temperature),
            seed=draw_seed(self._config.seed, f"iteration {iteration}"),
            max_turns=self._problems.max_turns,
            window=self._config.max_length or session.window,
        )
        check_failures(rollouts, self._settings, iteration)
        return rollouts

    def _params(self, temperature: float) -> SamplingParams:
        return SamplingParams(
            max_tokens=self._settings.max_tokens, temperature=temperature, stop=tuple(self._settings.stop)
        )

    def _batches(self, data: list[Datum], names: Sequence[str], *, is_fresh: bool) -> tuple[Batch, ...]:
        prepared, loss = weighed(data, self._settings.rule)
        size = self._settings.minibatch_size or len(prepared)
        ids = tuple(dict.fromkeys(names))
        return tuple(
            Batch(prepared[start : start + size], ids, Part(loss, is_fresh)) for start in range(0, len(prepared), size)
        )

    def _name(self, place: int) -> str:
        return self._problems.names[place] if self._problems.names else f"problem {place}"

    # --- what is measured ---

    def _clipped(self, data: Sequence[Datum], logprobs: Sequence[Sequence[float | None]]) -> float:
        """Return the share of tokens whose ratio lies outside of the clip."""
        below, above = self._settings.clip
        outside = count = 0
        for datum, values in zip(data, logprobs, strict=True):
            for weight, sampled, trained in zip(datum.weights, datum.loss_inputs["logprobs"], values, strict=True):
                if weight != 0 and trained is not None:
                    count += 1
                    outside += not math.log1p(-below) <= trained - sampled <= math.log1p(above)
        return outside / max(1, count)

    def _agreement(self, data: Sequence[Datum], logprobs: Sequence[Sequence[float | None]]) -> dict[str, float]:
        """Return how far sampler and training are apart where both have the same weights, and refuse too much.

        With dropout the training's are not those of the weights alone, so nothing is refused then.
        """
        apart = discrepancy(data, logprobs)
        limit = self._settings.discrepancy_limit
        if limit is not None and self._config.dropout == 0 and apart.mean > limit:
            raise TrainError(
                f"sampler and training have the same weights and find {apart.tokens} tokens {apart.mean:.3g} nats "
                f"apart in the mean, at most {apart.largest:.3g}; the limit is {limit:g} (discrepancy_limit): what is "
                "learnt would be of another policy than the one that sampled. Compare their number types and kernels"
            )
        if limit is not None and self._config.dropout == 0 and apart.mean > limit / 10:
            events.decision(
                f"went on with {apart.mean:.3g} nats between sampler and training",
                f"both have the same weights; the limit is {limit:g}",
                metadata={"mean": apart.mean, "largest": apart.largest, "tokens": apart.tokens},
            )
        return {"rl/discrepancy": apart.mean, "rl/discrepancy_max": apart.largest}

    def _reward_since(self) -> dict[str, float]:
        """Return the mean training reward of the steps since the validation before."""
        state = self._state
        if state is None:
            return {}
        steps = state.history[state.validation[-1]["step"] if state.validation else 0 :]
        rewards = [record["metrics"]["rl/reward"] for record in steps if "metrics" in record]
        return {"rl/reward": math.fsum(rewards) / len(rewards)} if rewards else {}


def validation_names(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the names of what validations report.

    Args:
        metrics: Names of the environments' own.
    """
    return ("validation_reward", *(f"validation_{name}" for name in metrics), "validation_failed", "rl/reward")


def _check(problems: Problems, config: LoraConfig, settings: RLConfig, base: Sampler | None) -> None:
    found = [*settings.problems(), *config_refusals(config)]
    if settings.kl_coef and base is None:
        found.append(("kl_coef", "needs the base model: pass base=backend.create_sampler(config.base_model)"))
    smallest = len(problems.train) % min(settings.problems_an_iteration(config), len(problems.train))
    smallest = smallest or min(settings.problems_an_iteration(config), len(problems.train))
    if settings.substeps > config.max_steps:
        found.append(("substeps", f"an iteration takes {settings.substeps} steps and max_steps is {config.max_steps}"))
    if problems.names and settings.substeps > smallest * settings.group_size:  # builders make groups of their own size
        found.append(
            (
                "substeps",
                f"is {settings.substeps}, and the smallest iteration has {smallest} problems of "
                f"{settings.group_size} answers; lower it, or choose another groups_per_batch",
            )
        )
    if found:
        raise TrainError("; ".join(f"{name}: {why}" for name, why in found))
