"""The trainer of preferences: `Trainer` with another dataset and another objective."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from crucible.backends import Backend, LocalBackend, Session
from crucible.backends.hooks import GradientHook
from crucible.data import Item
from crucible.errors import TrainError
from crucible.ir import LoraConfig
from crucible.train.callbacks import Callbacks, Measure
from crucible.train.keeping.store import CheckpointStore
from crucible.train.preference.objective import Preference
from crucible.train.preference.pairs import prepare_preferences
from crucible.train.preference.places import Counts, Preferred
from crucible.train.preference.reference import References, open_reference
from crucible.train.preference.scoring import Sums
from crucible.train.preference.settings import PreferenceConfig
from crucible.train.records import TrainResult
from crucible.train.trainer import Trainer

__all__ = ["PreferenceTrainer"]

_TAKEN = {"loss": "loss_type says which", "train_on": "the answers that are compared are trained on"}


class PreferenceTrainer(Trainer):
    """Trains one adapter on preferences; made by `start`. Saves, samples and closes as every `Trainer` does.

    Args:
        config: How to train; `loss` and `train_on` are left as they are.
        session: The adapter in training.
        workspace: Folder for checkpoints, saved adapters and what the reference said.
        name: Name of the adapter, for events and messages.
        mirror: Where each checkpoint is copied to as well; None: nowhere.
        preference: Loss, beta, reference, ties; None: DPO with beta 0.1.
        backend: Opens a reference model that is not the one in training; None: this machine.

    Attributes:
        preference: Its settings.
        backend: Where a reference model is opened.
        counts: What became of the items that are not trained on as they are; of the last `train`.

    Raises:
        TrainError: The configuration says what only a supervised training does.
    """

    def __init__(
        self,
        config: LoraConfig,
        session: Session,
        workspace: Path | str,
        name: str,
        *,
        mirror: CheckpointStore | None = None,
        preference: PreferenceConfig | None = None,
        backend: Backend | None = None,
    ) -> None:
        super().__init__(config, session, workspace, name, mirror=mirror)
        self.preference = preference or PreferenceConfig()
        self.counts = Counts()
        self.backend = backend or LocalBackend()

    @classmethod
    def start(
        cls,
        config: LoraConfig,
        backend: Backend | None = None,
        *,
        workspace: Path | str | None = None,
        name: str = "adapter",
        mirror: CheckpointStore | str | None = None,
        adapter: Path | str | None = None,
        preference: PreferenceConfig | None = None,
    ) -> Self:
        """Open a session on `config.base_model` with a fresh adapter, or with one that was trained before.

        Args:
            config: How to train.
            backend: Where the model lives; None: this machine.
            workspace: As `Trainer.start` has it.
            name: As `Trainer.start` has it.
            mirror: As `Trainer.start` has it.
            adapter: As `Trainer.start` has it; then this is also what the reference is.
            preference: Loss, beta, reference, ties; None: DPO with beta 0.1.

        Raises:
            TrainError: The configuration says what only a supervised training does.
            BackendError: The base model cannot be found or loaded, or the device is absent.
            CheckpointError: The adapter is damaged or does not fit.
            MissingExtra: The `train` extra is not installed, or what the mirror's URL needs.
        """
        for field, why in _TAKEN.items():
            if getattr(config, field) != LoraConfig.model_fields[field].default:
                raise TrainError(f"{field} is of supervised training; leave it out of a preference training: {why}")
        where = backend or LocalBackend()
        trainer = super().start(config, where, workspace=workspace, name=name, mirror=mirror, adapter=adapter)
        trainer.preference = preference or trainer.preference
        trainer.backend = where
        return trainer

    def train(
        self,
        dataset: Iterable[Item],
        *,
        resume: bool = False,
        callbacks: Callbacks | Sequence[Callbacks] = (),
        measures: Mapping[str, Measure] | None = None,
        gradient_hooks: Iterable[str | tuple[str, GradientHook]] = (),
    ) -> TrainResult:
        """Train on comparisons and hold the kept weights.

        The result's losses are means per pair (of kto: per answer). Each step's record has `metrics`: `dpo/accuracy`,
        `dpo/margin`, `dpo/chosen_reward`, `dpo/rejected_reward`, of kto `kto/divergence`, `kto/desirable_reward` and
        `kto/undesirable_reward`; a validation has the same, named `validation_accuracy` and so on.

        Args:
            dataset: Items that are comparisons, as `comparison_of` reads them; for kto also single judged answers.
            resume: As `Trainer.train` has it.
            callbacks: As `Trainer.train` has them.
            measures: As `Trainer.train` has them.
            gradient_hooks: As `Trainer.train` has them.

        Raises:
            DataError: The dataset is empty, an item is no comparison, or none is left to train on.
            BackendError: The reference model cannot be loaded, or has another tokenizer.
            CheckpointError: The reference is an adapter whose files are damaged or do not fit.
            TrainError: As `Trainer.train` does, and so its other errors; or the reference was this trainer's own start,
                it was interrupted since, and what the reference said is lost.
        """
        self._check_untrained()
        config, settings = self.config, self.preference
        data = prepare_preferences(dataset, self.session.tokenizer, config, settings, self.session.window)
        self.counts = data.counts
        places = (*data.train, *data.validation)
        name, sums = "none", [(0.0, 0.0)] * len(places)
        if settings.has_reference:
            name, score = open_reference(settings.reference_model, self.session, config, self.backend)
            goes_on = resume and any((self.workspace / "checkpoints").glob("step-*.json"))
            kept = References(self.workspace / "references.json", name, places)

            def ask(places: Sequence[Preferred]) -> list[Sums]:
                if settings.reference_model is None and self._state is not None:
                    raise TrainError(
                        f"{self.name} was in training already, and the reference is what it was before; start another "
                        "trainer in this workspace and go on with resume=True"
                    )
                return score(places)

            sums = kept.get(ask, goes_on=goes_on, model=self.name)
        objective = Preference(data, sums, config, settings, reference=name)
        return self.run(objective, resume=resume, callbacks=callbacks, measures=measures, gradient_hooks=gradient_hooks)
