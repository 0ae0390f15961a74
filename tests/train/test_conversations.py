"""Items that are conversations: rendered by the renderer that is asked for, trained on what `train_on` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible.backends import Session
from crucible.data import Item
from crucible.errors import DataError
from crucible.ir import LoraConfig
from crucible.text import Rendered, render_conversation
from crucible.train import Trainer, conversations
from crucible.train.examples import TrainingData, prepare

Configure = Callable[..., LoraConfig]

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello"},
    {"role": "user", "content": "bye"},
    {"role": "assistant", "content": "see you"},
]


def chat(item_id: str = "c1", messages: Any = TALK, expected: str | None = None, **metadata: Any) -> Item:
    """Return an item that is a conversation."""
    return Item(item_id, "", expected, {"messages": messages, **metadata})


def prepared(session: Session, config: LoraConfig, *items: Item) -> TrainingData:
    """Return what a training reads."""
    return prepare(items, session.tokenizer, config, session.window)


def trained_text(session: Session, data: TrainingData, place: int = 0) -> str:
    """Return the text of the tokens that are trained on."""
    datum = data.train[place].datum
    return session.tokenizer.decode(
        [token for token, weight in zip(datum.target_tokens, datum.weights, strict=True) if weight]
    )


@pytest.mark.parametrize(
    ("train_on", "has", "has_not"),
    [
        ("last_assistant_message", ["see you"], ["hello", "hi", "Be brief"]),
        ("all_assistant_messages", ["hello", "see you"], ["hi", "bye"]),
        ("all_messages", ["hi", "hello", "bye", "see you"], []),
        ("all_user_and_system_messages", ["Be brief", "hi", "bye"], ["hello", "see you"]),
    ],
)
def test_what_is_trained_on_is_what_was_asked_for(
    session: Session, configure: Configure, train_on: str, has: list[str], has_not: list[str]
) -> None:
    """The datum is the renderer's own, whatever the mode."""
    config = configure(renderer="role_colon", train_on=train_on)
    data = prepared(session, config, chat())
    text = trained_text(session, data)
    assert all(part in text for part in has), text
    assert not any(part in text for part in has_not), text
    expected = render_conversation(session.tokenizer, TALK, renderer="role_colon", train_on=train_on)
    assert data.train[0].datum == expected.datum


def test_an_expected_answer_ends_a_conversation_that_has_none(session: Session, configure: Configure) -> None:
    """So a dataset of questions with messages is trained on as one with prompts."""
    config = configure(renderer="role_colon")
    data = prepared(session, config, chat(messages=TALK[:-1], expected="see you"), chat("c2"))
    assert data.train[0].datum == data.train[1].datum
    assert data.train[0].asks == data.train[1].asks


def test_an_input_may_be_the_messages(session: Session, configure: Configure) -> None:
    """As loaders that keep a column of messages give them."""
    config = configure(renderer="role_colon")
    given: Any = TALK
    assert (
        prepared(session, config, Item("i", given)).train[0].datum == prepared(session, config, chat()).train[0].datum
    )


def test_one_that_is_too_long_loses_its_oldest_exchange_or_is_left_out(session: Session, configure: Configure) -> None:
    """Both are counted; what is trained on is never cut."""
    long = [TALK[0], {"role": "user", "content": "word " * 200}, *TALK[2:]]
    endless = [TALK[1], {"role": "assistant", "content": "word " * 400}]
    items = (chat(), chat("long", long), chat("endless", endless))
    data = prepared(session, configure(renderer="role_colon"), *items)
    assert (len(data.train), data.truncated, data.refused) == (2, 1, 1)
    assert "see you" in trained_text(session, data, 1)
    refused = prepared(session, configure(renderer="role_colon", on_overflow="refuse"), *items)
    assert (len(refused.train), refused.truncated, refused.refused) == (1, 0, 2)


@pytest.mark.parametrize(
    ("item", "values", "message"),
    [
        (chat(messages=[{"content": "hi"}]), {}, 'item "c1": messages.0. '),
        (chat(messages="hi there"), {}, 'item "c1" has no answer'),
        (chat(messages=7), {}, 'item "c1": '),
        (chat(messages=[]), {}, 'item "c1": the conversation is empty'),
        (chat(messages=TALK[:2]), {}, 'item "c1"'),
        (chat(), {"renderer": "role_colour"}, "role_colour"),
        (chat(messages=[TALK[1], {"role": "assistant", "content": ""}]), {"train_on": "customized"}, 'item "c1"'),
    ],
)
def test_what_cannot_be_trained_on_names_the_item(
    session: Session, configure: Configure, item: Item, values: dict[str, Any], message: str
) -> None:
    """Messages that are none, nothing to train on, a renderer that there is not."""
    with pytest.raises(DataError, match=message):
        prepared(session, configure(**{"renderer": "role_colon", **values}), item)


def test_a_datum_without_any_weight_names_its_item(
    session: Session, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a renderer makes: training on nothing would be a mean over nothing."""

    def weightless(*given: Any, **how: Any) -> Rendered:
        rendered = render_conversation(*given, **how)
        datum = msgspec.structs.replace(rendered.datum, weights=(0.0,) * len(rendered.datum))
        return Rendered(datum, truncated=False)

    monkeypatch.setattr(conversations, "render_conversation", weightless)
    with pytest.raises(DataError, match='item "c1" has weights that sum to 0, so there is nothing to train on'):
        prepared(session, configure(renderer="role_colon"), chat())


def test_other_messages_are_other_data(session: Session, configure: Configure) -> None:
    """A resumed training notices; and conversations that ask the same are held out together."""
    config = configure(renderer="role_colon")
    other = [*TALK[:-1], {"role": "assistant", "content": "so long"}]
    assert prepared(session, config, chat()).digest != prepared(session, config, chat(messages=other)).digest
    held = prepared(
        session,
        configure(renderer="role_colon", validation_fraction=0.5),
        chat(),
        chat("c2", other),
        chat("c3", TALK[:3]),
    )
    assert sorted((len(held.train), len(held.validation))) == [1, 2]


def test_other_tools_are_other_data(session: Session, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are rendered, too, where the template knows how (here it is left out: the tokenizer has none)."""
    plain = render_conversation

    def without_tools(*given: Any, tools: Any, **how: Any) -> Rendered:
        return plain(*given, **how)

    monkeypatch.setattr(conversations, "render_conversation", without_tools)
    config = configure(renderer="role_colon")
    digests = {prepared(session, config, item).digest for item in (chat(), chat(tools=[{"name": "a"}]), chat(tools=[]))}
    assert len(digests) == 3


def test_conversations_are_trained_on_beside_prompts(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """In one dataset; the loss falls."""
    config = configure(renderer="role_colon", max_steps=12)
    with Trainer.start(config, workspace=tmp_path) as trainer:
        result = trainer.train([*items[:4], *(chat(f"c{number}") for number in range(4))])
    assert result.items == 8
    assert result.final_loss < result.initial_loss
