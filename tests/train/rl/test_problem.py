"""Problems with one answer: what an answer is worth, and how a question is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.train.rl.made import act

from crucible.data import Item, exact_match
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored, Skipped
from crucible.text import FastTokenizer, Tokenizer, load_tokenizer
from crucible.train.rl import ItemEnv, ProblemEnv, ProblemGroupBuilder, prompt_observation


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Tokenizer:
    """The small base model's."""
    return load_tokenizer(base)


@pytest.mark.parametrize(
    ("text", "stop", "reward"),
    [("router", "stop", 1.0), ("router", "length", 0.9), ("lamp", "stop", 0.0), ("lamp", "length", -0.1)],
)
def test_right_and_ended_is_one_right_alone_nine_tenths(
    tokenizer: Tokenizer, text: str, stop: str, reward: float
) -> None:
    """Reward = format_coef * (correct_format - 1) + correct_answer."""
    env = ItemEnv(Item("a", "Which?", "router"), exact_match, tokenizer)
    result = env.step(act([5], stop=stop, text=text))
    assert result.reward == pytest.approx(reward)
    assert result.episode_done
    assert result.metrics == {"format": float(stop == "stop"), "correct": float(text == "router")}


def test_a_form_of_ones_own_counts_with_the_end(tokenizer: Tokenizer) -> None:
    """`check_format` may refuse what ended; the coefficient says what that costs."""

    class Shouted(ProblemEnv):
        def get_question(self) -> str:
            return "Shout."

        def get_reference_answer(self) -> str:
            return "HEY"

        def check_format(self, text: str) -> bool:
            return text.isupper()

        def check_answer(self, text: str) -> bool:
            return text.upper() == "HEY"

    env = Shouted(tokenizer, format_coef=0.5)
    assert env.initial_observation().tokens == tuple(tokenizer.encode("Shout."))
    assert env.step(act([5], text="HEY")).reward == 1.0
    assert env.step(act([5], text="hey")).reward == 0.5


def test_scores_with_bounds_are_scaled_and_what_is_no_score_is_no_reward(tokenizer: Tokenizer) -> None:
    """A scorer from -1 to 3 gives rewards from 0 to 1; `Failed` and `Skipped` are errors and never 0."""

    def wide(item: Item, answer: str) -> Outcome:
        return {"low": Scored(-1.0), "mid": Scored(1.0), "bad": Failed("torn")}.get(answer, Skipped("nothing to say"))

    wide.bounds = (-1.0, 3.0)  # type: ignore[attr-defined]
    env = ItemEnv(Item("a", "Which?", None), wide, tokenizer)
    assert env.check_answer("low") == 0.0
    assert env.check_answer("mid") == 0.5
    for text, why in (("bad", "torn"), ("", "nothing to say")):
        with pytest.raises(DataError, match=f'item "a" has no reward: {why}'):
            env.check_answer(text)


def test_a_group_is_made_anew_each_time(tokenizer: Tokenizer) -> None:
    """As many fresh environments as asked for, told under the dataset's name; an empty group is refused."""
    item = Item("a", "Which?", "x")
    builder = ProblemGroupBuilder(lambda: ItemEnv(item, exact_match, tokenizer), 3, "tickets")
    first, second = builder.make_envs(), builder.make_envs()
    assert len(first) == 3
    assert not set(map(id, first)) & set(map(id, second))
    assert builder.logging_tags() == ["tickets"]
    assert builder.compute_group_rewards([], []) == []
    with pytest.raises(DataError, match="at least 1"):
        ProblemGroupBuilder(lambda: ItemEnv(item, exact_match, tokenizer), 0)


def test_a_chat_is_shown_up_to_the_answer(tokenizer: Tokenizer) -> None:
    """The assistant's last message is the answer and is not shown; texts that end an answer come with it."""
    chat = [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "router"}]
    shown = prompt_observation(Item("a", "", None, {"messages": chat}), tokenizer, "role_colon")
    text = tokenizer.decode(list(shown.tokens))
    assert "Which?" in text
    assert "router" not in text
    assert shown.stop or shown.stop_tokens


def test_a_question_may_have_messages_ahead(tokenizer: Tokenizer) -> None:
    """`convo_prefix` makes it a chat, such as one with an example."""

    class Asked(ProblemEnv):
        def get_question(self) -> str:
            return "And the lamp?"

    prefix = [{"role": "user", "content": "The router?"}, {"role": "assistant", "content": "Fine."}]
    shown = Asked(tokenizer, convo_prefix=prefix, renderer="role_colon").initial_observation()
    text = tokenizer.decode(list(shown.tokens))
    assert text.index("The router?") < text.index("Fine.") < text.index("And the lamp?")


def test_nothing_to_ask_is_an_error_that_names_the_item(tokenizer: FastTokenizer) -> None:
    """An empty prompt is refused where the tokenizer has no start token."""
    with pytest.raises(DataError, match='item "a"'):
        prompt_observation(Item("a", "", "x"), tokenizer)
