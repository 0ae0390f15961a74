"""Problems with an answer that can be checked: one question, one answer, right or wrong.

`ProblemEnv` is what a task derives from; `ItemEnv` is the one over an item of a dataset and any scorer. A reward is
`format_coef * (correct_format - 1) + correct_answer`: the right answer that ends is worth 1, one that does not end
0.9, and a wrong one never more than 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from crucible.backends import Sample
from crucible.data import Item, Scorer, score_bounds
from crucible.errors import DataError
from crucible.ir import Failed, Scored
from crucible.text import Message, Renderer, Tokenizer
from crucible.train.rl.env import Env, EnvGroupBuilder
from crucible.train.rl.observation import Observation, StepResult
from crucible.train.rl.prompting import prompt_observation, question_observation

__all__ = ["FORMAT_COEF", "ItemEnv", "ProblemEnv", "ProblemGroupBuilder"]

FORMAT_COEF: Final = 0.1
"""What an answer in the wrong format loses, of 1."""


class ProblemEnv:
    """One question and one answer; to derive from.

    Args:
        tokenizer: The policy's.
        format_coef: What an answer in the wrong format loses, 0 or more.
        convo_prefix: Messages ahead of the question, such as examples; they make it a chat.
        renderer: How a chat is written, by name or itself; None with messages ahead: the tokenizer's own template.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        format_coef: float = FORMAT_COEF,
        convo_prefix: Sequence[Message | Mapping[str, Any]] = (),
        renderer: Renderer | str | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.format_coef = format_coef
        self._convo_prefix = tuple(convo_prefix)
        self._renderer = renderer

    def get_question(self) -> str:
        """Return what the policy is asked."""
        raise NotImplementedError

    def check_answer(self, text: str) -> bool | float:
        """Return whether an answer is right, or how right it is, in [0, 1]."""
        raise NotImplementedError

    def check_format(self, text: str) -> bool:
        """Return whether an answer has the right form, beside that it ended; true by default."""
        del text
        return True

    def get_reference_answer(self) -> str:
        """Return the right answer, for people."""
        raise NotImplementedError

    def initial_observation(self) -> Observation:
        """Return the question, as text or behind the messages ahead of it as a chat."""
        return question_observation(self.get_question(), self.tokenizer, self._convo_prefix, self._renderer)

    def step(self, action: Sample) -> StepResult:
        """Return what the answer is worth; the episode is done. Its format is right only if it ended, too."""
        well_formed = float(action.stop_reason == "stop" and self.check_format(action.text))
        correct = float(self.check_answer(action.text))
        reward = self.format_coef * (well_formed - 1) + correct
        return StepResult(reward, episode_done=True, metrics={"format": well_formed, "correct": correct})


class ItemEnv(ProblemEnv):
    """An item of a dataset as a problem, with a scorer that checks the answer.

    Args:
        item: What is asked; a chat where it holds messages.
        scorer: Says how right an answer is. One whose scores have bounds is scaled to [0, 1].
        tokenizer: The policy's.
        format_coef: What an answer that does not end loses.
        renderer: How a chat is written; None: the tokenizer's own template.
        observation: The item as it is shown, where it has been rendered already.
    """

    def __init__(
        self,
        item: Item,
        scorer: Scorer,
        tokenizer: Tokenizer,
        *,
        format_coef: float = FORMAT_COEF,
        renderer: Renderer | str | None = None,
        observation: Observation | None = None,
    ) -> None:
        super().__init__(tokenizer, format_coef=format_coef, renderer=renderer)
        self.item = item
        self._scorer = scorer
        self._observation = observation
        self._low, self._high = score_bounds(scorer) or (0.0, 1.0)

    def get_question(self) -> str:
        """Return the item's input."""
        return self.item.input

    def get_reference_answer(self) -> str:
        """Return what the item expects; nothing where it expects nothing."""
        return self.item.expected or ""

    def initial_observation(self) -> Observation:
        """Return the item's input, or its messages as a chat."""
        return self._observation or prompt_observation(self.item, self.tokenizer, self._renderer)

    def check_answer(self, text: str) -> float:
        """Return the score.

        Raises:
            DataError: The item cannot be scored: the scorer said so, or it has nothing to compare with.
        """
        outcome = self._scorer(self.item, text)
        if isinstance(outcome, Scored):
            return (outcome.value - self._low) / (self._high - self._low)
        why = outcome.error if isinstance(outcome, Failed) else outcome.reason
        raise DataError(f'item "{self.item.id}" has no reward: {why}')


class ProblemGroupBuilder(EnvGroupBuilder):
    """A group of one problem.

    Args:
        env_thunk: Makes a fresh environment of the problem.
        num_envs: How many the group has, at least 1.
        dataset_name: What its metrics are told under as well.
    """

    def __init__(self, env_thunk: Callable[[], Env], num_envs: int, dataset_name: str = "problems") -> None:
        if num_envs < 1:
            raise DataError(f"a group has at least 1 environment, got num_envs {num_envs}")
        self._env_thunk = env_thunk
        self._num_envs = num_envs
        self._dataset_name = dataset_name

    def make_envs(self) -> list[Env]:
        """Return fresh environments."""
        return [self._env_thunk() for _ in range(self._num_envs)]

    def logging_tags(self) -> list[str]:
        """Return the name of the dataset."""
        return [self._dataset_name]
