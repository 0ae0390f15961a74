"""Items become data: answers only, one mean a batch, everything that does not fit counted."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from crucible import events
from crucible.backends import Session
from crucible.data import Item, load
from crucible.errors import DataError, TrainError
from crucible.ir import LoraConfig
from crucible.text import FastTokenizer
from crucible.train.examples import mean_weighted, prepare

Configure = Callable[..., LoraConfig]


def test_only_the_answer_and_the_end_token_are_trained_on(
    session: Session, configure: Configure, items: list[Item]
) -> None:
    """Weight 1 on the answer's tokens and the end token, 0 on the prompt."""
    tokenizer = session.tokenizer
    example = prepare(items, tokenizer, configure(), session.window).train[0]
    trained = [
        target
        for target, weight in zip(example.datum.target_tokens, example.datum.weights, strict=True)
        if weight == 1.0
    ]
    assert trained == [*tokenizer.encode(items[0].expected or ""), tokenizer.eos_id]
    assert example.trained_tokens == len(trained)


def test_the_weights_of_a_batch_sum_to_one(session: Session, configure: Configure, items: list[Item]) -> None:
    """So the summed loss of a request is the mean per trained token, whatever the lengths."""
    data = prepare(items, session.tokenizer, configure(), session.window)
    assert math.isclose(sum(sum(datum.weights) for datum in mean_weighted(data.train[:3])), 1.0)


def test_held_out_items_are_not_trained_on(session: Session, configure: Configure, items: list[Item]) -> None:
    """The split depends on the seed alone and shares no item."""
    config = configure(validation_fraction=0.3)
    data = prepare(items, session.tokenizer, config, session.window)
    train, held = ({example.item_id for example in part} for part in (data.train, data.validation))
    assert (len(train), len(held)) == (8, 3)
    assert not train & held
    again = prepare(items, session.tokenizer, config, session.window)
    assert again.validation == data.validation
    other = prepare(items, session.tokenizer, configure(validation_fraction=0.3, seed=1), session.window)
    assert other.validation != data.validation


def test_one_item_cannot_be_split(session: Session, configure: Configure, items: list[Item]) -> None:
    """Holding out a share of one item would leave nothing to train on; copies of it are no others."""
    for copies in (1, 3):
        with pytest.raises(DataError, match="at least 2 items with different inputs, got 1"):
            prepare(items[:1] * copies, session.tokenizer, configure(validation_fraction=0.5), session.window)


def test_no_input_is_both_trained_on_and_held_out(session: Session, configure: Configure, items: list[Item]) -> None:
    """Items that ask the same, but for case and white space, go to the same side; those that moved are told."""
    doubled = [*items, *(Item(f"{item.id}-copy", f"  {item.input.upper()}", item.expected) for item in items[:8])]
    config = configure(validation_fraction=0.3)
    with events.collect("crucible_trace.decision.made") as found:
        data = prepare(doubled, session.tokenizer, config, session.window)
    train, held = ({example.asks for example in part} for part in (data.train, data.validation))
    assert not train & held
    assert len(held) == 3
    assert len(data.train) + len(data.validation) == 19
    moved = len(data.validation) - 3
    assert moved > 0
    told = [event.metadata for event in found if event.metadata["decision"].startswith("held out")]
    assert [metadata["decision"] for metadata in told] == [f"held out {moved} more items for validation"]
    assert (told[0]["items"], told[0]["inputs"]) == (moved, 3)
    plain = prepare(items, session.tokenizer, config, session.window)
    assert {example.asks for example in plain.validation} == held


def test_made_up_items_are_known_as_such(session: Session, configure: Configure, items: list[Item]) -> None:
    """By what the dataset says of its origin, or an item of itself."""
    real = [Item(item.id, item.input, item.expected) for item in items]
    stamped = load([(item.input, item.expected or "") for item in items], synthetic=True)
    found = [
        prepare(chosen, session.tokenizer, configure(), session.window).synthetic for chosen in (items, real, stamped)
    ]
    assert found == [True, False, True]


def test_long_prompts_are_shortened_counted_and_told(session: Session, configure: Configure, items: list[Item]) -> None:
    """`truncate` keeps the answer whole, cuts the prompt from the left, and says how many and which."""
    long = Item(id="long", input="x" * 500 + items[0].input, expected=items[0].expected)
    with events.collect("crucible_trace.decision.made") as found:
        data = prepare([*items, long], session.tokenizer, configure(), session.window)
    assert (data.truncated, data.refused, len(data.train)) == (1, 0, 12)
    assert len(data.train[-1].datum) == session.window
    assert [event.metadata["decision"] for event in found] == ["shortened the prompts of 1 of 12 training items"]
    assert "long" in found[0].metadata["reasoning"]


def test_items_that_do_not_fit_are_left_out_counted_and_told(
    session: Session, configure: Configure, items: list[Item]
) -> None:
    """`refuse` leaves an item out; the first ids are named, the others counted."""
    long = [Item(id=f"long-{i}", input="x" * 500, expected="y") for i in range(7)]
    with events.collect("crucible_trace.decision.made") as found:
        data = prepare([*items, *long], session.tokenizer, configure(on_overflow="refuse"), session.window)
    assert (data.truncated, data.refused, len(data.train)) == (0, 7, 11)
    assert [event.metadata["decision"] for event in found] == ["left out 7 of 18 training items"]
    assert found[0].metadata["reasoning"].endswith("long-0, long-1, long-2, long-3, long-4 and 2 more")


def test_an_answer_longer_than_the_window_is_left_out(
    session: Session, configure: Configure, items: list[Item]
) -> None:
    """Half an answer would teach half an answer, so even `truncate` leaves such an item out."""
    data = prepare(
        [*items, Item(id="a", input="q", expected="y" * 900)], session.tokenizer, configure(), session.window
    )
    assert (data.truncated, data.refused) == (0, 1)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "dataset is empty"),
        ([Item(id="i7", input="q")], '"i7" has no answer'),
        ([Item(id="i7", input="q", expected="")], '"i7" has no answer'),
        ([Item(id="i7", input="", expected="a")], '"i7" has no prompt'),
        ([Item(id="i7", input="q", expected="y" * 900)], "none of the 1 training items fits into 160 tokens"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused_by_name(
    session: Session, configure: Configure, items: list[Item], message: str
) -> None:
    """No item, no answer, no prompt, nothing that fits: one sentence that names the item."""
    with pytest.raises(DataError, match=message):
        prepare(items, session.tokenizer, configure(), session.window)


@pytest.mark.parametrize(("asked", "answer", "what"), [("aa", "\u00e9", "answer"), ("\u00e9", "aa", "prompt")])
def test_a_text_without_a_token_is_not_called_too_long(
    configure: Configure, asked: str, answer: str, what: str
) -> None:
    """A tokenizer may drop letters that it does not know; leaving the item out as too long would be untrue."""
    import tokenizers

    core = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"a": 0, "</s>": 1}, merges=[]))
    tokenizer = FastTokenizer(core, {"eos_token": "</s>"})
    with pytest.raises(DataError, match=f'item "i7" has a text as its {what} of which the tokenizer makes no token'):
        prepare([Item(id="i7", input=asked, expected=answer)], tokenizer, configure(), 20)


def test_a_max_length_beyond_the_window_is_refused(session: Session, configure: Configure, items: list[Item]) -> None:
    """The model cannot read more than its window."""
    with pytest.raises(TrainError, match="max_length is 900 and the model's window holds 160"):
        prepare(items, session.tokenizer, configure(max_length=900), session.window)


def test_max_length_shortens_below_the_window(session: Session, configure: Configure, items: list[Item]) -> None:
    """`max_length` is the limit where it is given."""
    data = prepare(items, session.tokenizer, configure(max_length=70), session.window)
    assert max(len(example.datum) for example in data.train) == 70
    assert data.truncated


def test_the_digest_changes_with_any_item(session: Session, configure: Configure, items: list[Item]) -> None:
    """A resumed training can tell that the data changed."""
    digests = {
        prepare(chosen, session.tokenizer, configure(), session.window).digest
        for chosen in (items, items[:-1], [*items[1:], items[0]])
    }
    assert len(digests) == 3
