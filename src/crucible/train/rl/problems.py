"""What a policy is trained on and validated on: builders of groups, made of items or the caller's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from crucible.backends.prompts import cut_to_fit
from crucible.data import Dataset, Item, Provenance, Scorer, input_key, resolve_scorers
from crucible.errors import DataError, TrainError
from crucible.ir import LoraConfig
from crucible.text import Tokenizer
from crucible.train.conversations import asked, conversation
from crucible.train.examples import are_synthetic, hold_out, items_digest
from crucible.train.rl.env import EnvGroupBuilder
from crucible.train.rl.observation import Observation
from crucible.train.rl.problem import ItemEnv, ProblemGroupBuilder
from crucible.train.rl.prompting import prompt_observation
from crucible.train.rl.settings import RLConfig

__all__ = ["Problems"]


class Problems(msgspec.Struct, frozen=True, kw_only=True):
    """The problems of a training.

    Attributes:
        train: One builder a problem, at least one.
        held_out: Those of validation; best with one environment each, for they are asked without drawing.
        names: What each of `train` is called in messages; empty: by its place.
        digest: SHA-256 of what the problems are, so that a resumed training notices others.
        metrics: Names of the environments' metrics that validations report as `validation_<name>`.
        truncated: Prompts that were shortened.
        refused: Problems left out because they do not fit.
        synthetic: They are made up.
        max_turns: Most turns of an episode.
    """

    train: tuple[EnvGroupBuilder, ...]
    held_out: tuple[EnvGroupBuilder, ...] = ()
    names: tuple[str, ...] = ()
    digest: str = ""
    metrics: tuple[str, ...] = ()
    truncated: int = 0
    refused: int = 0
    synthetic: bool = False
    max_turns: int = 64

    @classmethod
    def of_builders(
        cls,
        train: Sequence[EnvGroupBuilder],
        held_out: Sequence[EnvGroupBuilder] = (),
        *,
        version: str = "1",
        max_turns: int = 64,
    ) -> Problems:
        """Return problems of one's own.

        Args:
            train: One builder a problem.
            held_out: Those of validation.
            version: Changes whenever the problems do: a resumed training is refused where it differs.
            max_turns: Most turns of an episode.

        Raises:
            DataError: There is none to train on.
        """
        if not train:
            raise DataError("there is no problem to train on; give at least one builder of a group")
        digest = hashlib.sha256(f"{version}/{len(train)}/{len(held_out)}".encode()).hexdigest()
        return cls(train=tuple(train), held_out=tuple(held_out), digest=digest, max_turns=max_turns)

    @classmethod
    def of_items(
        cls,
        items: Iterable[Item],
        reward: str | Scorer,
        tokenizer: Tokenizer,
        config: LoraConfig,
        settings: RLConfig,
        window: int,
    ) -> Problems:
        """Return the items of a dataset as problems; their reward is what a scorer says of an answer.

        Items with the same input are held out together or not at all. A text that leaves no room for an answer loses
        its beginning, or is left out under `on_overflow: refuse`; a chat is left out.

        Args:
            items: A dataset or any items.
            reward: A scorer, or the name of one.
            tokenizer: The policy's.
            config: Share held out, seed, `max_length`, renderer.
            settings: Answers a problem, tokens of an answer, what an answer that does not end loses.
            window: Most tokens of prompt and answer together.

        Raises:
            DataError: There is no item, none fits, the scorer is unknown or the dataset lacks what it needs, or a chat
                cannot be rendered.
            MissingExtra: The scorer needs a package that is not installed.
            TrainError: `max_length` exceeds the window, or leaves no room for an answer.
        """
        chosen = list(items)
        if not chosen:
            raise DataError("the training dataset is empty; learning from rewards needs at least one problem")
        dataset = items if isinstance(items, Dataset) else _listed(chosen)
        (scorer,) = resolve_scorers([reward] if isinstance(reward, str) else {"reward": reward}, dataset).values()
        asking, cut, left_out = _prompts(chosen, tokenizer, config, _room(config, settings, window))
        train, held_out = hold_out(asking, config)

        def builder(each: _Asking, members: int) -> EnvGroupBuilder:
            def env() -> ItemEnv:
                return ItemEnv(
                    each.item, scorer, tokenizer, format_coef=settings.format_coef, observation=each.observation
                )

            return ProblemGroupBuilder(env, members, dataset.name)

        return cls(
            train=tuple(builder(each, settings.group_size) for each in train),
            held_out=tuple(builder(each, 1) for each in held_out),
            names=tuple(each.item.id for each in train),
            digest=items_digest(chosen),
            metrics=("correct", "format"),
            truncated=cut,
            refused=left_out,
            synthetic=are_synthetic(items, chosen),
        )


def _listed(items: Sequence[Item]) -> Dataset:
    """Return items that are of no dataset as one, for scorers that ask what the dataset says."""
    return Dataset("items", "train", tuple(items), Provenance(source="a list in memory"))


class _Asking(msgspec.Struct, frozen=True):
    """An item with its prompt; `asks` is what items with the same input share."""

    item: Item
    asks: str
    observation: Observation


def _room(config: LoraConfig, settings: RLConfig, window: int) -> int:
    """Return how many tokens a prompt may have."""
    if config.max_length is not None and config.max_length > window:
        raise TrainError(f"max_length is {config.max_length} and the model's window holds {window} tokens; lower it")
    longest = config.max_length or window
    if settings.max_tokens >= longest:
        raise TrainError(f"max_tokens={settings.max_tokens} leaves no room for a prompt in {longest} tokens; lower it")
    return longest - settings.max_tokens


def _prompts(
    items: Sequence[Item], tokenizer: Tokenizer, config: LoraConfig, room: int
) -> tuple[list[_Asking], int, int]:
    """Return the items that fit with their prompts, how many were shortened, and how many are left out."""
    asking: list[_Asking] = []
    cut = left_out = 0
    for item in items:
        shown = prompt_observation(item, tokenizer, config.renderer)
        messages = conversation(item)
        if len(shown.tokens) > room:
            if messages is not None or config.on_overflow == "refuse":
                left_out += 1
                continue
            cut += 1
            shown = msgspec.structs.replace(shown, tokens=tuple(cut_to_fit(tokenizer, list(shown.tokens), room)))
        asking.append(_Asking(item, input_key(item.input if messages is None else asked(messages)), shown))
    if not asking:
        raise DataError(
            f"none of the {len(items)} prompts leaves room for an answer beside its {room} tokens; lower max_tokens, "
            "use a model with a longer window, or shorten the items"
        )
    return asking, cut, left_out
