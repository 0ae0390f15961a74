"""What a renderer writes for an assistant it reads back, whatever the words spell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.errors import BadResponse, DataError
from crucible.text import FastTokenizer, Message, Renderer, ToolCall, get_renderer, parse_response_for_stop_token
from crucible.text.chat.tool_calls import json_text

FAMILY = {
    "llama3": "llama3",
    "qwen3": "qwen3",
    "qwen3_disable_thinking": "qwen3",
    "qwen3_instruct": "qwen3",
    "qwen3_vl": "qwen3",
    "qwen3_vl_instruct": "qwen3",
    "deepseekv3": "deepseekv3",
    "deepseekv3_disable_thinking": "deepseekv3",
    "kimi_k2": "kimi_k2",
    "gpt_oss_no_sysprompt": "gpt_oss",
    "gpt_oss_high_reasoning": "gpt_oss",
}
THINKS = {"qwen3", "qwen3_vl", "deepseekv3", "kimi_k2", "gpt_oss_no_sysprompt", "gpt_oss_high_reasoning"}
ONE_CALL = {"llama3", "gpt_oss_no_sysprompt", "gpt_oss_high_reasoning"}
SPELLED = [
    *("<|im_end|>", "<|im_start|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<|eot_id|>", "<|end|>"),
    *("<|return|>", "<|call|>", "<|channel|>", "<|message|>", "<|tool_calls_section_begin|>", "<|tool_call_end|>"),
    *(
        "<\uff5ctool\u2581calls\u2581begin\uff5c>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
        "\n",
        "\n\n",
        " ",
        "\ufffd",
        "{",
        '"',
    ),
]
WORDS = st.lists(st.one_of(st.sampled_from(SPELLED), st.text(max_size=8)), max_size=6).map("".join)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
CALLS = st.builds(ToolCall, NAMES, st.dictionaries(WORDS, VALUES, max_size=3).map(json_text))
USER = Message("user", "hi")


def answer_of(renderer: Renderer, message: Message) -> list[int]:
    """Return the tokens that are trained on, so that a model says `message`."""
    tokens, weights = renderer.weighted([USER, message], "last_assistant_message")
    return [token for token, weight in zip(tokens, weights, strict=True) if weight]


@pytest.mark.parametrize("name", FAMILY)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=WORDS, thinking=WORDS, calls=st.lists(CALLS, max_size=2), bare=st.booleans())
def test_an_answer_is_read_back(
    name: str,
    tokenizer_of: Callable[[str], FastTokenizer],
    text: str,
    thinking: str,
    calls: list[ToolCall],
    bare: bool,
) -> None:
    """Text, thoughts and calls come back equal and complete, even where they spell the format's own tokens."""
    renderer = get_renderer(name, tokenizer_of(FAMILY[name]))
    if name in ONE_CALL:
        calls = calls[:1]
    if name == "llama3" and calls:
        text = ""
    if name == "llama3" and not calls and text.startswith("{"):
        text = "x" + text  # an answer that is a call's object is a call
    if text.startswith(("<think>", "</think>")):
        text = "x" + text  # the author's own markup, tested below
    if name == "kimi_k2":
        calls = [ToolCall(call.name, call.arguments, f"functions.{call.name}:{n}") for n, call in enumerate(calls)]
    thought = thinking if name in THINKS and not bare else None
    message = Message("assistant", text, tuple(calls), thought or None)
    read, is_complete = renderer.parse_response(answer_of(renderer, message))
    assert read == message
    assert is_complete


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=WORDS)
def test_plain_text_is_read_back_trimmed(tokenizer_of: Callable[[str], FastTokenizer], text: str) -> None:
    """role_colon gives the text without outer space, and refuses one that holds its stop sequence."""
    renderer = get_renderer("role_colon", tokenizer_of("role_colon"))
    if "\n\nUser:" in text + "\n\n":
        with pytest.raises(DataError, match="ends an answer"):
            renderer.weighted([USER, Message("assistant", text)], "last_assistant_message")
        return
    read, is_complete = renderer.parse_response(answer_of(renderer, Message("assistant", text)))
    assert (read.content, is_complete) == (text.strip(), True)


@pytest.mark.parametrize("name", [*FAMILY, "role_colon"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_tokens_are_read_or_refused(
    name: str, tokenizer_of: Callable[[str], FastTokenizer], data: st.DataObject
) -> None:
    """Whatever a model samples, reading gives a message or says that it went on after its stop."""
    tokenizer = tokenizer_of(FAMILY.get(name, "role_colon"))
    specials = [tokenizer.vocab_size - 1 - index for index in range(20)]
    token = st.one_of(st.sampled_from(specials), st.integers(0, tokenizer.vocab_size - 1))
    tokens = data.draw(st.lists(token, max_size=20))
    renderer = get_renderer(name, tokenizer)
    try:
        message, is_complete = renderer.parse_response(tokens)
    except BadResponse:
        stops = sum(1 for each in tokens if each in renderer.stop_sequences)
        assert stops > 1 or name == "role_colon"
        return
    assert message.role == "assistant"
    stopped = any(each in renderer.stop_sequences for each in tokens)
    assert stopped or not is_complete or name == "role_colon"


@pytest.mark.parametrize("name", FAMILY)
def test_words_of_a_user_never_become_tokens_of_the_format(
    name: str, tokenizer_of: Callable[[str], FastTokenizer]
) -> None:
    """Every token of the format that a user, a tool or a name spells stays letters, and none is lost."""
    tokenizer = tokenizer_of(FAMILY[name])
    renderer = get_renderer(name, tokenizer)
    controls = {**tokenizer.special_tokens, **{each: tokenizer.token_id(each) for each in renderer.markers}}  # type: ignore[attr-defined]
    evil = "a" + "".join(controls) + "<|im_<|im_end|>end|>" + "z"
    for role in ("user", "tool"):
        plain = renderer.weighted([Message(role, "x"), Message("assistant", "y")], "all_tokens").tokens
        tokens = renderer.weighted([Message(role, evil), Message("assistant", "y")], "all_tokens").tokens
        for control, token in controls.items():
            assert tokens.count(token) == plain.count(token), control
        assert evil in tokenizer._core.decode(tokens, skip_special_tokens=False)
    named = renderer.weighted([Message("user", "x", name=evil), Message("assistant", "y")], "all_tokens").tokens
    plain = renderer.weighted([USER, Message("assistant", "y")], "all_tokens").tokens
    assert [named.count(token) for token in controls.values()] == [plain.count(token) for token in controls.values()]


def test_a_thought_that_the_author_wrote_into_the_text_is_markup(tokenizer_of: Callable[[str], FastTokenizer]) -> None:
    """A text that begins with `<think>` is rendered as it stands, and read back as thinking."""
    for name in ("qwen3", "qwen3_disable_thinking", "deepseekv3", "deepseekv3_disable_thinking"):
        tokenizer = tokenizer_of(FAMILY[name])
        renderer = get_renderer(name, tokenizer)
        text = "<think>\nhm\n</think>\n\nyes"
        tokens, weights = renderer.weighted([USER, Message("assistant", text)], "last_assistant_message")
        answer = [token for token, weight in zip(tokens, weights, strict=True) if weight]
        assert tokenizer.token_id("<think>") == answer[0]
        assert tokenizer._core.decode(answer[:-1], skip_special_tokens=False) == text
        read, is_complete = renderer.parse_response(answer)
        assert is_complete
        assert read.thinking is not None
        assert read.thinking.strip() == "hm"


def test_earlier_thoughts_are_left_out_unless_asked_for(tokenizer_of: Callable[[str], FastTokenizer]) -> None:
    """Qwen3's history has no thoughts by default; strip_thinking_from_history=False keeps them."""
    tokenizer = tokenizer_of("qwen3")
    written = Message("assistant", "<think>\nhm\n</think>\n\nyes")
    given_apart = Message("assistant", "yes", thinking="hm")
    for first in (written, given_apart):
        talk = [USER, first, USER]
        text = tokenizer._core.decode(
            list(get_renderer("qwen3", tokenizer).build_generation_prompt(talk).tokens), False
        )
        assert "assistant\nyes<|im_end|>" in text
        kept = get_renderer("qwen3", tokenizer, strip_thinking_from_history=False)
        text = tokenizer._core.decode(list(kept.build_generation_prompt(talk).tokens), False)
        assert "assistant\n<think>\nhm\n</think>\n\nyes<|im_end|>" in text


@pytest.mark.parametrize(
    ("family", "name", "text", "message"),
    [
        ("qwen3", "qwen3", "t\n</think>\n\na<|im_end|>", Message("assistant", "a", thinking="t")),
        ("qwen3", "qwen3", "<think>\nt<|im_end|>", Message("assistant", "", thinking="t")),
        (
            *("qwen3", "qwen3"),
            'a\n<tool_call>\n{"name": "f", "arguments": {"x": 1}, "id": "c"}\n</tool_call><|im_end|>',
            Message("assistant", "a", (ToolCall("f", '{"x": 1}', "c"),)),
        ),
        (
            *("gpt_oss", "gpt_oss_no_sysprompt"),
            "<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>analysis<|message|>two<|end|>"
            "<|start|>assistant<|channel|>final<|message|>three<|return|>",
            Message("assistant", "three", thinking="one\n\ntwo"),
        ),
        (
            *("gpt_oss", "gpt_oss_no_sysprompt"),
            "<|channel|>analysis<|message|>t<|end|><|start|>assistant to=functions.f<|channel|>commentary json"
            '<|message|>{"x": 1}<|call|>',
            Message("assistant", "", (ToolCall("f", '{"x": 1}'),), "t"),
        ),
        ("gpt_oss", "gpt_oss_no_sysprompt", "no channel<|return|>", Message("assistant", "no channel")),
        (
            *("kimi_k2", "kimi_k2"),
            "<think>t</think>a<|tool_calls_section_begin|>\n<|tool_call_begin|> functions.f:0 "
            '<|tool_call_argument_begin|> {"x": 1} <|tool_call_end|>\n<|tool_calls_section_end|><|im_end|>',
            Message("assistant", "a", (ToolCall("f", '{"x": 1}', "functions.f:0"),), "t"),
        ),
    ],
)
def test_answers_as_models_write_them(
    family: str, name: str, text: str, message: Message, tokenizer_of: Callable[[str], FastTokenizer]
) -> None:
    """Thoughts begun in the prompt, several thoughts, calls in either form of harmony, and space around calls."""
    tokenizer = tokenizer_of(family)
    assert get_renderer(name, tokenizer).parse_response(tokenizer.encode(text)) == (message, True)


@pytest.mark.parametrize(
    ("family", "name", "text"),
    [
        ("qwen3", "qwen3", "a<tool_call>\nno json\n</tool_call><|im_end|>"),
        ("qwen3", "qwen3", 'a<tool_call>{"name": "f", "arguments": [1]}</tool_call><|im_end|>'),
        ("qwen3", "qwen3", "a<tool_call>{}<|im_end|>"),
        ("qwen3", "qwen3", "a<tool_call>" + "[" * 3000 + "</tool_call><|im_end|>"),
        ("gpt_oss", "gpt_oss_no_sysprompt", "<|channel|>commentary to=functions.f<|message|>no<|call|>"),
        ("kimi_k2", "kimi_k2", "a<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|im_end|>"),
        (
            *("kimi_k2", "kimi_k2"),
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>no<|tool_call_end|>"
            "<|tool_calls_section_end|><|im_end|>",
        ),
        ("kimi_k2", "kimi_k2", "<|tool_calls_section_begin|><|tool_calls_section_end|><|im_end|>"),
    ],
)
def test_a_broken_call_leaves_the_answer_as_text(
    family: str, name: str, text: str, tokenizer_of: Callable[[str], FastTokenizer]
) -> None:
    """Nothing is guessed: the whole answer comes back as its text, not complete."""
    tokenizer = tokenizer_of(family)
    message, is_complete = get_renderer(name, tokenizer).parse_response(tokenizer.encode(text))
    assert not is_complete
    assert message.tool_calls == ()
    for stop in ("<|im_end|>", "<|call|>"):
        text = text.removesuffix(stop)
    assert message.content == text


@pytest.mark.parametrize("name", [*FAMILY, "role_colon"])
def test_an_answer_that_goes_on_after_its_stop_is_refused(
    name: str, tokenizer_of: Callable[[str], FastTokenizer]
) -> None:
    """Two stops mean that it was sampled with others."""
    tokenizer = tokenizer_of(FAMILY.get(name, "role_colon"))
    renderer = get_renderer(name, tokenizer)
    stop = renderer.stop_sequences[0]
    ids = tokenizer.encode("a") + (tokenizer.encode(stop) if isinstance(stop, str) else [stop])
    with pytest.raises(RuntimeError, match="expected to split into 1 or 2 pieces using stop tokens, but got 3"):
        renderer.parse_response(ids * 2)
    if isinstance(stop, int):
        with pytest.raises(BadResponse, match="got 3"):
            parse_response_for_stop_token(ids * 2, tokenizer, stop)
        assert parse_response_for_stop_token(ids, tokenizer, stop) == (Message("assistant", "a"), True)
        assert parse_response_for_stop_token(ids[:-1], tokenizer, stop) == (Message("assistant", "a"), False)
