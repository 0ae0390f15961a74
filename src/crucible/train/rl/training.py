"""`train_rl`: a trainer's adapter, problems and a reward in; a policy out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crucible.backends import Sampler
from crucible.data import Item, Scorer
from crucible.errors import TrainError
from crucible.train.callbacks import Callbacks, Measure
from crucible.train.records import TrainResult
from crucible.train.rl.objective import Reinforcement
from crucible.train.rl.problems import Problems
from crucible.train.rl.settings import RLConfig
from crucible.train.trainer import Trainer

__all__ = ["train_rl"]


def train_rl(
    trainer: Trainer,
    problems: Problems | Iterable[Item],
    settings: RLConfig | None = None,
    *,
    reward: str | Scorer | None = None,
    base: Sampler | None = None,
    resume: bool = False,
    callbacks: Callbacks | Sequence[Callbacks] = (),
    measures: Mapping[str, Measure] | None = None,
) -> TrainResult:
    """Train a trainer's adapter on rewards and let it hold the kept weights.

    `validation_fraction` of the configuration holds problems out; by `validation_reward` the best checkpoint is kept,
    and early stopping and quality targets may name it, `validation_correct`, `validation_format` or `rl/reward`.

    Args:
        trainer: Made by `Trainer.start`. Set its `dropout` to 0: otherwise the ratio of training to sampling is noise.
        problems: Items, or `Problems` of one's own environments.
        settings: How; None: `RLConfig()`.
        reward: With items: a scorer, or the name of one.
        base: What `kl_coef` above 0 penalises leaving; None: the weights that the trainer begins with, which of a fresh
            adapter are the base model's.
        resume: Go on from the newest good checkpoint in the trainer's workspace, if there is one, exactly as if the
            training had never stopped.
        callbacks: Whom to tell of steps, epochs and checkpoints.
        measures: Measurements by name, taken at every validation.

    Raises:
        DataError: There is no problem, none fits the window, or the scorer is unknown.
        TrainError: Settings do not go together, too many rollouts fail, sampler and training disagree, or what
            `Trainer.train` raises.
        BackendError: The backend cannot carry out a request.
        CheckpointError: `resume`, and the checkpoints are of another training.
        Cancelled: The run was asked to stop; a checkpoint of the last iteration is left behind.
        StoreError: A checkpoint cannot be written.
    """
    settings = settings or RLConfig()
    if not isinstance(problems, Problems):
        if reward is None:
            raise TrainError("items need a reward: pass a scorer or the name of one, such as reward='exact_match'")
        session = trainer.session
        problems = Problems.of_items(problems, reward, session.tokenizer, trainer.config, settings, session.window)
    elif reward is not None:
        raise TrainError("Problems have rewards of their own; leave reward out")
    if base is None and settings.kl_coef:
        base = trainer.create_sampler()
    objective = Reinforcement(problems, trainer.config, settings, base=base)
    return trainer.run(objective, resume=resume, callbacks=callbacks, measures=measures)
