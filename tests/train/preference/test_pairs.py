"""What a preference training reads: rendered answers, ties, equal answers, long ones, all counted and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crucible import events
from crucible.backends import Session
from crucible.data import Item
from crucible.errors import DataError, TrainError
from crucible.ir import LoraConfig
from crucible.text import Datum
from crucible.train.preference import PreferenceConfig
from crucible.train.preference.pairs import prepare_preferences
from crucible.train.preference.places import PreferenceData

Configure = Callable[..., LoraConfig]


def pair(
    item_id: str, prompt: Any = "What is it? ", chosen: Any = "a cat", rejected: Any = "a dog", **more: Any
) -> Item:
    """Return an item that is a comparison."""
    return Item(item_id, prompt, None, {"chosen": chosen, "rejected": rejected, **more})


def prepared(session: Session, config: LoraConfig, *items: Item, **settings: Any) -> PreferenceData:
    """Return what a training reads."""
    return prepare_preferences(items, session.tokenizer, config, PreferenceConfig(**settings), session.window)


def answer_of(session: Session, datum: Datum) -> str:
    """Return the text that is weighted."""
    kept = [token for token, weight in zip(datum.target_tokens, datum.weights, strict=True) if weight]
    return session.tokenizer.decode(kept)


def test_both_answers_follow_the_same_prompt(session: Session, configure: Configure) -> None:
    """With weights of 1 on the answer and the end token."""
    data = prepared(session, configure(), pair("1"), pair("2", label="B"))
    first, second = data.train
    assert "a cat" in answer_of(session, first.first)
    assert "a dog" in answer_of(session, first.second)
    assert "a dog" in answer_of(session, second.first)
    for place in data.train:
        assert set(place.first.weights) == set(place.second.weights) == {0.0, 1.0}
        heads = [datum.target_tokens[: datum.weights.index(1.0)] for datum in (place.first, place.second)]
        assert heads[0] == heads[1]
        assert place.tokens == len(place.first) + len(place.second)


def test_chats_are_rendered_and_only_the_compared_answer_counts(session: Session, configure: Configure) -> None:
    """What the assistant said before belongs to the prompt."""
    talk = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "bye"},
    ]
    config = configure(renderer="role_colon")
    (place,) = prepared(session, config, pair("1", "", "see you", "go", messages=talk)).train
    assert "see you" in answer_of(session, place.first)
    assert "hello" not in answer_of(session, place.first)
    assert "hello" in session.tokenizer.decode(list(place.first.model_input.tokens))
    with pytest.raises(DataError, match='item "2": an answer that is a list of messages needs one'):
        prepared(
            session, config, pair("2", "x", [{"role": "assistant", "content": "a"}], [{"role": "user", "content": "b"}])
        )


def test_ties_are_skipped_or_split_and_told(session: Session, configure: Configure) -> None:
    """Never taken for a preference."""
    items = [pair("1"), pair("2", label="Tie"), pair("3", "Other?", label="tie")]
    with events.collect() as found:
        skipped = prepared(session, configure(), *items)
    assert [place.item_id for place in skipped.train] == ["1"]
    assert skipped.counts.ties == 2
    assert any("left out 2 of 3 comparisons" in str(event.metadata) for event in found)
    split = prepared(session, configure(), *items, ties="split")
    assert [place.is_tie for place in split.train] == [False, True, True]
    with pytest.raises(DataError, match="none of the 1 items is left to train on: 1 ties"):
        prepared(session, configure(), items[1])


def test_equal_answers_say_nothing(session: Session, configure: Configure) -> None:
    """They are left out and counted."""
    data = prepared(session, configure(), pair("1"), pair("2", rejected="a cat"))
    assert ([place.item_id for place in data.train], data.counts.alike) == (["1"], 1)


def test_answers_that_are_the_same_tokens_say_nothing_either(session: Session, configure: Configure) -> None:
    """As text on the one side and as a message on the other: their margin is 0 whatever is learned."""
    asked = [{"role": "user", "content": "hi"}]
    held = {
        "prompt_conversation": asked,
        "completion_A": "hello",
        "completion_B": [{"role": "assistant", "content": "hello"}],
    }
    alike = Item("2", "", None, {"comparison": held, "label": "A"})
    data = prepared(session, configure(renderer="role_colon"), pair("1"), alike)
    assert ([place.item_id for place in data.train], data.counts.alike) == (["1"], 1)


def test_chats_are_cut_to_the_same_words_before_both_answers(session: Session, configure: Configure) -> None:
    """Whole exchanges first, then the longest message."""
    talk = [
        {"role": "user", "content": "word " * 30},
        {"role": "assistant", "content": "ok " * 5},
        {"role": "user", "content": "more " * 20},
    ]
    config = configure(renderer="role_colon", max_length=70)
    (place,) = prepared(session, config, pair("1", "", "a", "b c d e f g h i j k l", messages=talk)).train
    cut = [datum.model_input.tokens[: datum.weights.index(1.0) + 1] for datum in (place.first, place.second)]
    assert cut[0] == cut[1]
    assert max(len(place.first), len(place.second)) <= 70


def test_a_single_answer_follows_the_conversation_that_it_was_given_in(session: Session, configure: Configure) -> None:
    """The messages of an item are its prompt for kto, too, whatever its input says."""
    talk = [{"role": "user", "content": "hi there"}]
    items = [
        Item("1", "not this", "hello", {"messages": talk, "desirable": True}),
        Item("2", "Other?", "no", {"desirable": False}),
    ]
    data = prepared(session, configure(renderer="role_colon"), *items, loss_type="kto")
    for datum in (data.train[0].first, data.train[0].second):
        text = session.tokenizer.decode(list(datum.model_input.tokens))
        assert "hi there" in text
        assert "not this" not in text
    with pytest.raises(DataError, match='item "3" has no answer to be judged'):
        prepared(session, configure(), Item("3", "What?", None, {"desirable": True}), loss_type="kto")


def test_a_prompt_is_cut_for_both_answers_alike(session: Session, configure: Configure) -> None:
    """By what the longer one needs; an answer that fits with no prompt at all is left out."""
    long = "word " * 60
    config = configure(max_length=40)
    items = [pair("1"), pair("2", long, "a cat", "a dog and a cow"), pair("3", "x", "cat " * 60, "dog")]
    data = prepared(session, config, *items)
    assert [place.item_id for place in data.train] == ["1", "2"]
    assert (data.counts.truncated, data.counts.refused) == (1, 1)
    cut = data.train[1]
    assert max(len(cut.first), len(cut.second)) == 40
    prompts = [datum.target_tokens[: datum.weights.index(1.0)] for datum in (cut.first, cut.second)]
    assert prompts[0] == prompts[1]
    refused = prepared(session, configure(max_length=40, on_overflow="refuse"), *items)
    assert ([place.item_id for place in refused.train], refused.counts.refused) == (["1"], 2)
    with pytest.raises(TrainError, match="max_length is 5000"):
        prepared(session, configure(max_length=5000), *items)


def test_single_answers_stand_beside_an_answer_to_another_prompt(
    session: Session, configure: Configure, judged: list[Item], comparisons: list[Item]
) -> None:
    """Which kto estimates its divergence by; both answers of a comparison are judged, a tie half each way."""
    data = prepared(session, configure(), *judged, loss_type="kto")
    assert [place.desirable for place in data.train] == [True, False] * (len(judged) // 2)
    for place in data.train:
        heads = [datum.target_tokens[: datum.weights.index(1.0)] for datum in (place.first, place.second)]
        assert heads[0] == heads[1]
    both = prepared(session, configure(), *comparisons[:2], loss_type="kto")
    assert [place.desirable for place in both.train] == [True, False, True, False]
    tied = prepared(session, configure(), pair("1"), pair("2", "Other?", label="Tie"), loss_type="kto", ties="split")
    assert [place.share for place in tied.train] == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5]
    with pytest.raises(DataError, match="at least two prompts"):
        prepared(session, configure(), pair("1"), pair("2"), loss_type="kto")


def test_pairs_with_the_same_prompt_are_held_out_together(session: Session, configure: Configure) -> None:
    """So that no validation pair asks what was trained on."""
    items = [pair(str(number), f"Question {number // 2}?", f"a {number}") for number in range(12)]
    data = prepared(session, configure(validation_fraction=0.3), *items)
    assert data.validation
    assert not {place.asks for place in data.train} & {place.asks for place in data.validation}


def test_the_digest_is_of_what_the_comparisons_say(session: Session, configure: Configure) -> None:
    """Another answer, label or order is another dataset; another dataset of the same comparisons is the same."""
    first, second = pair("1"), pair("2", "Other?")
    others = (pair("2", "Other?", "b"), pair("2", "Other?", label="B"))
    orders = [[first, second], [second, first], *([first, other] for other in others)]
    digests = {prepared(session, configure(), *items).digest for items in orders}
    assert len(digests) == 4
    assert prepared(session, configure(), first, second).digest in digests


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "is empty"),
        ([Item("q", "What?", "yes")], 'item "q": it is no comparison'),
        ([pair("q", chosen="", rejected="x")], 'item "q": the completion is empty'),
    ],
)
def test_what_cannot_be_trained_on_is_refused_by_name(
    session: Session, configure: Configure, items: list[Item], message: str
) -> None:
    """Before anything is computed."""
    with pytest.raises(DataError, match=message):
        prepared(session, configure(), *items)


def test_made_up_items_are_told_of(session: Session, configure: Configure) -> None:
    """One is enough."""
    assert prepared(session, configure(), pair("1"), pair("2", synthetic=True)).synthetic
    assert not prepared(session, configure(), pair("1")).synthetic
