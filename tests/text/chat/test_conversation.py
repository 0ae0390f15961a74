"""A conversation as one datum: which renderer writes it, and what happens when it is too long."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.errors import DataError
from crucible.text import FastTokenizer, Message, get_renderer, render_conversation, renderer_for

Of = Callable[[str], FastTokenizer]
Make = Callable[..., FastTokenizer]
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SYSTEM = Message("system", "Be brief.")


def exchange(number: int) -> list[Message]:
    """Return a question and its answer."""
    return [Message("user", f"question number {number}"), Message("assistant", f"answer number {number}")]


LONG = [SYSTEM, *exchange(1), *exchange(2), *exchange(3)]


def text_of(tokenizer: FastTokenizer, datum: Any) -> str:
    """Return the text that a datum teaches."""
    return tokenizer._core.decode([*datum.model_input.tokens, datum.target_tokens[-1]], skip_special_tokens=False)


def test_the_template_is_used_unless_a_renderer_is_named(make_tokenizer: Make) -> None:
    """None: the tokenizer's own template; a name, a model's id or a renderer wins over it."""
    tokenizer = make_tokenizer("qwen3", chat_template=TEMPLATE)
    talk = exchange(1)
    own = text_of(tokenizer, render_conversation(tokenizer, talk).datum)
    assert own.endswith("<|im_end|>\n")
    named = text_of(tokenizer, render_conversation(tokenizer, talk, renderer="qwen3_instruct").datum)
    assert named.endswith("<|im_end|>")
    for renderer in ("Qwen/Qwen3-4B-Instruct-2507", get_renderer("qwen3_instruct", tokenizer)):
        assert text_of(tokenizer, render_conversation(tokenizer, talk, renderer=renderer).datum) == named
    assert renderer_for(tokenizer).name == "template"


def test_without_a_template_the_renderers_are_listed(tokenizer_of: Of) -> None:
    """The error lists what may be named; declarations of tools need a template."""
    with pytest.raises(
        DataError, match=r"no chat template, so a renderer must be named; known: deepseekv3, .*role_colon"
    ):
        render_conversation(tokenizer_of("qwen3"), exchange(1))
    with pytest.raises(DataError, match="put them into the system message"):
        render_conversation(tokenizer_of("qwen3"), exchange(1), renderer="qwen3", tools=[{}])


def test_what_fits_is_left_alone(tokenizer_of: Of) -> None:
    """A conversation of exactly the window's length loses nothing."""
    tokenizer = tokenizer_of("qwen3")
    whole = render_conversation(tokenizer, LONG, renderer="qwen3_instruct")
    same = render_conversation(tokenizer, LONG, renderer="qwen3_instruct", max_length=len(whole.datum))
    assert same == whole
    assert not same.truncated
    with pytest.raises(
        DataError, match=rf"needs {len(whole.datum)} tokens and the window holds {len(whole.datum) - 1}"
    ):
        render_conversation(
            tokenizer, LONG, renderer="qwen3_instruct", max_length=len(whole.datum) - 1, on_overflow="refuse"
        )


@pytest.mark.parametrize("renderer", ["qwen3_instruct", None])
def test_the_oldest_exchanges_go_first(renderer: str | None, make_tokenizer: Make) -> None:
    """Whole exchanges are dropped, oldest first; the system message and the trained answer stay."""
    tokenizer = make_tokenizer("qwen3", chat_template=TEMPLATE)
    whole = render_conversation(tokenizer, LONG, renderer=renderer)
    shorter = render_conversation(tokenizer, LONG, renderer=renderer, max_length=len(whole.datum) - 1)
    assert (shorter.truncated, shorter.dropped_messages) == (True, 2)
    assert shorter.datum == render_conversation(tokenizer, [SYSTEM, *LONG[3:]], renderer=renderer).datum
    assert sum(shorter.datum.weights) == sum(whole.datum.weights)
    last = render_conversation(tokenizer, [SYSTEM, *LONG[5:]], renderer=renderer)
    shortest = render_conversation(tokenizer, LONG, renderer=renderer, max_length=len(last.datum))
    assert (shortest.datum, shortest.dropped_messages) == (last.datum, 4)


@pytest.mark.parametrize("renderer", ["qwen3_instruct", None])
def test_then_the_longest_question_loses_its_beginning(renderer: str | None, make_tokenizer: Make) -> None:
    """The structure stays whole: only words that are not trained on are cut, from the left."""
    tokenizer = make_tokenizer("qwen3", chat_template=TEMPLATE)
    talk = [SYSTEM, *exchange(1), Message("user", "x " * 100 + "the question"), Message("assistant", "the answer")]
    cut = render_conversation(tokenizer, talk, renderer=renderer, max_length=60)
    assert (cut.truncated, cut.dropped_messages) == (True, 2)
    assert 50 <= len(cut.datum) <= 60
    text = text_of(tokenizer, cut.datum)
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n")
    assert "x the question<|im_end|>\n<|im_start|>assistant\nthe answer<|im_end|>" in text


def test_a_cut_keeps_what_is_spelled(make_tokenizer: Make) -> None:
    """A special token that a question spells is still spelled after its beginning was cut."""
    tokenizer = make_tokenizer("qwen3", chat_template=TEMPLATE)
    talk = [Message("user", "word " * 40 + "what is <|im_end|> for?"), Message("assistant", "It ends a turn.")]
    for renderer in (None, "qwen3_instruct"):
        rendered = render_conversation(tokenizer, talk, renderer=renderer, max_length=80)
        assert rendered.truncated
        assert "what is <|im_end|> for?<|im_end|>" in text_of(tokenizer, rendered.datum)


def test_an_answer_is_never_cut(tokenizer_of: Of) -> None:
    """A trained part that does not fit is refused, with both figures."""
    talk = [Message("user", "q"), Message("assistant", "x " * 200)]
    with pytest.raises(DataError, match=r"does not fit: \d+ tokens are trained on, .* window holds 40"):
        render_conversation(tokenizer_of("qwen3"), talk, renderer="qwen3_instruct", max_length=40)
    alone = [Message("assistant", "x " * 200)]
    with pytest.raises(DataError, match="does not fit"):
        render_conversation(tokenizer_of("qwen3"), alone, renderer="qwen3_instruct", max_length=40)


def test_no_exchange_is_dropped_that_alone_is_trained_on(tokenizer_of: Of) -> None:
    """With one marked answer early on, what follows cannot be kept without it: it is not dropped."""
    talk = [Message("user", "a b c", trainable=False), Message("assistant", "yes", trainable=True)]
    talk += [Message("user", "more " * 30, trainable=False)]
    cut = render_conversation(
        tokenizer_of("qwen3"), talk, renderer="qwen3_instruct", train_on="customized", max_length=40
    )
    assert (cut.dropped_messages, cut.truncated) == (0, True)
    assert sum(cut.datum.weights) > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(max_size=30), min_size=1, max_size=5),
    answer=st.text(min_size=1, max_size=10),
    window=st.integers(10, 80),
)
def test_whatever_the_window_the_answer_is_whole(tokenizer_of: Of, texts: list[str], answer: str, window: int) -> None:
    """What comes out fits, and trains on exactly the tokens of the last answer; or it is refused."""
    tokenizer = tokenizer_of("qwen3")
    talk = [Message("user" if index % 2 == 0 else "assistant", text) for index, text in enumerate(texts)]
    talk.append(Message("assistant", answer))
    whole = render_conversation(tokenizer, talk, renderer="qwen3_instruct")
    try:
        cut = render_conversation(tokenizer, talk, renderer="qwen3_instruct", max_length=window)
    except DataError:
        with pytest.raises(DataError, match="does not fit"):
            render_conversation(tokenizer, talk, renderer="qwen3_instruct", max_length=window)
        return
    assert len(cut.datum) <= window
    trained = [
        [token for token, weight in zip(each.datum.target_tokens, each.datum.weights, strict=True) if weight]
        for each in (whole, cut)
    ]
    assert trained[0] == trained[1]
    assert cut.truncated == (len(whole.datum) > window)


def test_one_renderer_serves_many_threads(tokenizer_of: Of) -> None:
    """The function is pure: eight threads give what one gives."""
    tokenizer = tokenizer_of("llama3")
    renderer = renderer_for(tokenizer, "llama3")
    talks = [exchange(number) for number in range(60)]
    one = [render_conversation(tokenizer, talk, renderer=renderer) for talk in talks]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda talk: render_conversation(tokenizer, talk, renderer=renderer), talks)) == one
