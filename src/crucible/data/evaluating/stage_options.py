"""What a document can say to the stage `evaluate`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crucible.data.evaluating.limits import Limits
from crucible.data.evaluating.stage_quality import ClassOptions
from crucible.data.place import expand
from crucible.ir import Model, Seq
from crucible.pipeline import StageOptions
from crucible.telemetry.prices import PriceTable

__all__ = ["EvaluateOptions", "LimitOptions"]


class LimitOptions(Model):
    """Where an evaluation stops, keeping what it has; calls under way are finished and may go beyond it."""

    items: int | None = Field(default=None, ge=1, description="The first so many items of the dataset.")
    seconds: float | None = Field(default=None, gt=0, description="Wall time of the stage.")
    tokens: int | None = Field(default=None, ge=1, description="Tokens read and written.")
    cost_usd: float | None = Field(default=None, gt=0, description="US dollars; needs prices.")


class EvaluateOptions(StageOptions):
    """Options of `evaluate`."""

    model: str = Field(default="base", min_length=1, description="base, or the name that a training stage gave.")
    label: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the scores; default: model."
    )
    dataset: str = Field(default="test", min_length=1, description="Dataset: test or train.")
    scorers: Seq[str] = Field(default=("exact_match",), min_length=1, description="How answers are scored.")
    max_tokens: int = Field(default=64, ge=1, description="Most tokens of an answer.")
    temperature: float = Field(default=0.0, ge=0, description="0 takes the likeliest token each time.")
    seed: int | None = Field(
        default=None, ge=0, description="Seed of the draws; default: training_config.seed, else 0."
    )
    stop: Seq[str] = Field(default=(), description="Texts that end an answer.")
    limit: int | None = Field(default=None, ge=1, description="Items at most; the same ones for every model.")
    repeats: int = Field(default=1, ge=1, description="Answers an item, each drawn with a seed of its own.")
    batch_size: int = Field(default=16, ge=1, description="Prompts a call of the sampler.")
    concurrency: int | None = Field(
        default=None, ge=1, description="Calls under way at once; default: 1 on a device of this machine, else 8."
    )
    timeout_s: float | None = Field(default=None, gt=0, description="Most seconds of one call; default: no limit.")
    attempts: int = Field(default=3, ge=1, description="Most tries of a call that may succeed the next time.")
    scoring_threads: int = Field(default=0, ge=0, description="Threads that score, for scorers that take long.")
    limits: LimitOptions | None = Field(default=None, description="Where to stop early, keeping what there is.")
    prices: str | None = Field(
        default=None, min_length=1, description="File of a price table (YAML or JSON); ${NAME} is expanded."
    )
    failures: Literal["exclude", "zero", "abort"] = Field(
        default="exclude", description="Items that failed: out of the mean, a zero in it, or the end of the stage."
    )
    resume: bool = Field(
        default=True, description="A resumed run goes on where the stage was ended; false: from the first item."
    )
    retry_failed: bool = Field(default=False, description="When it goes on, make what failed again, too.")
    classes: ClassOptions | None = Field(
        default=None, description="The answers are classes: precision, recall and F1 of each and of all."
    )
    quality_targets: dict[str, float] | None = Field(
        default=None, description="What is to be reached, by metric: at least, of a loss or an error rate at most."
    )
    on_missed_target: Literal["report", "fail"] = Field(
        default="report", description="A quality target is missed: say so, or fail the stage when all is scored."
    )
    base_model: str | None = Field(
        default=None,
        min_length=1,
        description="The base model; default: what this run trained on, else training_config's, else baseline.",
    )

    def price_table(self) -> PriceTable | None:
        """Return the prices, read from their file; None where none are given.

        Raises:
            SpecErrors: The file is missing or no price table.
            DataError: A variable in its path is not set.
        """
        return None if self.prices is None else PriceTable.from_yaml(expand(self.prices, what="prices"))

    def limits_with(self, prices: PriceTable | None) -> Limits:
        """Return the limits, held against these prices."""
        limits = self.limits or LimitOptions()
        return Limits(
            items=limits.items,
            seconds=limits.seconds,
            tokens=limits.tokens,
            cost_usd=limits.cost_usd,
            prices=prices,
        )
