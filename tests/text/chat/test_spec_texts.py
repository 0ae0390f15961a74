"""Every renderer's text for one conversation, to the byte, with the trained part of every mode.

The texts are those of the predecessor's own renderers, reproduced by running them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crucible.text import FastTokenizer, Renderer, get_renderer

TALK = [
    {"role": role, "content": text}
    for role, text in (("system", "S"), ("user", "U1"), ("assistant", "A1"), ("user", "U2"), ("assistant", "A2"))
]
DS_BEGIN, DS_END = "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>"
DS_USER, DS_ASSISTANT = "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>"
OSS_SYSTEM = (
    "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\n"
    "Current date: 2026-01-02\n\nReasoning: {}\n\n"
    "# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>"
)
EMPTY = "<think>\n\n</think>\n\n"


def llama(role: str, text: str) -> tuple[str, str]:
    """Return header and content as Llama 3 writes them."""
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n", f"{text}<|eot_id|>"


def chatml(index: int, role: str, text: str) -> tuple[str, str]:
    """Return header and content in ChatML."""
    return ("\n" if index else "") + f"<|im_start|>{role}\n", f"{text}<|im_end|>"


def kimi(role: str, text: str) -> tuple[str, str]:
    """Return header and content as Kimi K2 writes them."""
    thought = "<think></think>" if role == "assistant" else ""
    return f"<|im_{role}|>{role}<|im_middle|>", f"{thought}{text}<|im_end|>"


def oss(role: str, text: str, end: str = "<|end|>") -> tuple[str, str]:
    """Return header and content in the harmony format."""
    channel = "<|channel|>final" if role == "assistant" else ""
    return f"<|start|>{role}", f"{channel}<|message|>{text}{end}"


def colon(role: str, text: str, end: str = "") -> tuple[str, str]:
    """Return header and content of the plain form."""
    return f"{role.capitalize()}:", f" {text}\n\n{end}"


def chats(make: Callable[..., tuple[str, str]], **last: str) -> list[tuple[str, str]]:
    """Return the talk in a form; the last message may end otherwise."""
    *first, final = TALK
    return [*(make(each["role"], each["content"]) for each in first), make(final["role"], final["content"], **last)]


def qwen(first_answer: str, header: str, answer: str) -> list[tuple[str, str]]:
    """Return the talk as a variant of Qwen3 writes it."""
    parts = [chatml(index, each["role"], each["content"]) for index, each in enumerate(TALK)]
    parts[2] = (parts[2][0], first_answer + "<|im_end|>")
    parts[4] = (parts[4][0] + header, answer + "<|im_end|>")
    return parts


def oss_parts() -> list[tuple[str, str]]:
    """Return the talk in the harmony format."""
    return chats(oss, end="<|return|>")


def deepseek(before: str = "") -> list[tuple[str, str]]:
    """Return the talk as DeepSeek writes it."""
    parts = {"user": (DS_USER, "{}"), "system": (DS_USER, "{}"), "assistant": (DS_ASSISTANT, before + "{}" + DS_END)}
    return [(parts[each["role"]][0], parts[each["role"]][1].format(each["content"])) for each in TALK]


# renderer, its options, family of the tokenizer, start, (header, content) of each message, header of an answer, stops
CASES: list[tuple[str, dict[str, Any], str, str, list[tuple[str, str]], str, list[str]]] = [
    (
        *("llama3", {}, "llama3", "<|begin_of_text|>", chats(llama)),
        *("<|start_header_id|>assistant<|end_header_id|>\n\n", ["<|eot_id|>"]),
    ),
    *(
        ("qwen3" + each, {}, "qwen3", "", qwen("A1", "<think>\n", "A2"), "\n<|im_start|>assistant\n", ["<|im_end|>"])
        for each in ("", "_vl")
    ),
    (
        *("qwen3_disable_thinking", {}, "qwen3", "", qwen("A1", "", EMPTY + "A2")),
        *("\n<|im_start|>assistant\n" + EMPTY, ["<|im_end|>"]),
    ),
    *(
        (each, {}, "qwen3", "", qwen("A1", "", "A2"), "\n<|im_start|>assistant\n", ["<|im_end|>"])
        for each in ("qwen3_instruct", "qwen3_vl_instruct")
    ),
    ("kimi_k2", {}, "kimi_k2", "", chats(kimi), "<|im_assistant|>assistant<|im_middle|>", ["<|im_end|>"]),
    ("gpt_oss_no_sysprompt", {}, "gpt_oss", "", oss_parts(), "<|start|>assistant", ["<|return|>", "<|call|>"]),
    *(
        (
            *(f"gpt_oss_{effort}_reasoning", {"current_date": "2026-01-02"}, "gpt_oss", OSS_SYSTEM.format(effort)),
            *(oss_parts(), "<|start|>assistant", ["<|return|>", "<|call|>"]),
        )
        for effort in ("low", "medium", "high")
    ),
    ("deepseekv3", {"system_role_as_user": True}, "deepseekv3", DS_BEGIN, deepseek(), DS_ASSISTANT, [DS_END]),
    (
        *("deepseekv3_disable_thinking", {"system_role_as_user": True}, "deepseekv3", DS_BEGIN),
        *(deepseek("</think>"), DS_ASSISTANT + "</think>", [DS_END]),
    ),
    (
        *("role_colon", {}, "role_colon", ""),
        *(
            [
                (f"{r.capitalize()}{h[len(r) :]}", c)
                for (h, c), r in zip(chats(colon, end="User:"), [m["role"] for m in TALK], strict=True)
            ],
            "Assistant:",
        ),
        ["\n\nUser:"],
    ),
]
IDS = [case[0] for case in CASES]


def text_of(tokenizer: FastTokenizer, tokens: Any) -> str:
    """Return the text of tokens, special ones included."""
    return tokenizer._core.decode(list(tokens), skip_special_tokens=False)


def trained_text(renderer: Renderer, tokenizer: FastTokenizer, talk: Any, train_on: str) -> list[str]:
    """Return the trained stretches of a conversation as texts."""
    tokens, weights = renderer.weighted(talk, train_on)
    stretches: list[list[int]] = []
    was = 0.0
    for token, weight in zip(tokens, weights, strict=True):
        assert weight in {0.0, 1.0}
        if weight and not was:
            stretches.append([])
        if weight:
            stretches[-1].append(token)
        was = weight
    return [text_of(tokenizer, stretch) for stretch in stretches]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_text_is_that_of_the_predecessor(case: Any, tokenizer_of: Callable[[str], FastTokenizer]) -> None:
    """The whole conversation comes out to the byte, and its datum is shifted by one."""
    name, options, family, start, parts, _, _ = case
    tokenizer = tokenizer_of(family)
    renderer = get_renderer(name, tokenizer, **options)
    assert renderer.name == name
    tokens, _ = renderer.weighted(TALK, "all_tokens")
    assert text_of(tokenizer, tokens) == start + "".join(header + content for header, content in parts)
    datum = renderer.build_supervised_example(TALK)
    assert [*datum.model_input.tokens, datum.target_tokens[-1]] == tokens
    assert [datum.model_input.tokens[0], *datum.target_tokens] == tokens


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_mode_trains_on_what_it_says(case: Any, tokenizer_of: Callable[[str], FastTokenizer]) -> None:
    """Contents with their ends count by role, headers only under all_tokens, the start never."""
    name, options, family, start, parts, _, _ = case
    tokenizer = tokenizer_of(family)
    renderer = get_renderer(name, tokenizer, **options)
    contents = [content for _, content in parts]
    said = lambda talk, mode: "".join(trained_text(renderer, tokenizer, talk, mode))  # noqa: E731
    assert trained_text(renderer, tokenizer, TALK, "last_assistant_message") == [contents[4]]
    assert trained_text(renderer, tokenizer, TALK, "all_assistant_messages") == [contents[2], contents[4]]
    assert said(TALK, "all_user_and_system_messages") == contents[0] + contents[1] + contents[3]
    assert said(TALK, "all_messages") == "".join(contents)
    assert said(TALK, "all_tokens") == "".join(header + content for header, content in parts)
    chosen = [{**message, "trainable": index in {1, 2}} for index, message in enumerate(TALK)]
    assert said(chosen, "customized") == contents[1] + contents[2]
    weights = renderer.weighted(TALK, "all_tokens").weights
    n_start = len(tokenizer.encode(start)) if start else 0
    assert weights == [0.0] * n_start + [1.0] * (len(weights) - n_start)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_prompt_ends_with_the_header_of_an_answer(case: Any, tokenizer_of: Callable[[str], FastTokenizer]) -> None:
    """What the model reads is the conversation without endings of a last message, the header, and the prefill."""
    name, options, family, start, parts, answer, stops = case
    tokenizer = tokenizer_of(family)
    renderer = get_renderer(name, tokenizer, **options)
    prompt = renderer.build_generation_prompt(TALK[:4])
    written = "".join(header + content for header, content in parts[:4])
    assert text_of(tokenizer, prompt.tokens) == start + written + answer
    begun = renderer.build_generation_prompt(TALK[:4], prefill="A")
    assert text_of(tokenizer, begun.tokens) == start + written + answer + "A"
    expected = stops if name == "role_colon" else [tokenizer.token_id(each) for each in stops]
    assert renderer.stop_sequences == expected


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_what_is_trained_is_read_back(case: Any, tokenizer_of: Callable[[str], FastTokenizer]) -> None:
    """The trained part of the last answer parses to the answer, complete; without its end it is not complete."""
    name, options, family, _, _, _, stops = case
    tokenizer = tokenizer_of(family)
    renderer = get_renderer(name, tokenizer, **options)
    tokens, weights = renderer.weighted(TALK, "last_assistant_message")
    answer = [token for token, weight in zip(tokens, weights, strict=True) if weight]
    message, is_complete = renderer.parse_response(answer)
    assert (message.role, message.content, message.tool_calls, is_complete) == ("assistant", "A2", (), True)
    assert not message.thinking
    cut = answer[:-1] if name != "role_colon" else tokenizer.encode(" A2")
    message, is_complete = renderer.parse_response(cut)
    assert (message.content, is_complete) == ("A2", False)
    assert stops


@pytest.mark.parametrize("name", ["deepseekv3", "deepseekv3_disable_thinking"])
def test_deepseek_has_no_system_role(name: str, tokenizer_of: Callable[[str], FastTokenizer]) -> None:
    """A system message is refused with the option that allows it."""
    with pytest.raises(ValueError, match="Unsupported role: system; set system_role_as_user"):
        get_renderer(name, tokenizer_of("deepseekv3")).build_supervised_example(TALK)


def test_kimi_adds_its_system_message(tokenizer_of: Callable[[str], FastTokenizer]) -> None:
    """Where no system message comes first, Kimi's own does, and it is never trained on."""
    tokenizer = tokenizer_of("kimi_k2")
    renderer = get_renderer("kimi_k2", tokenizer)
    default = (
        "<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI.<|im_end|>"
        "<|im_user|>user<|im_middle|>U1<|im_end|><|im_assistant|>assistant<|im_middle|>"
    )
    assert text_of(tokenizer, renderer.build_generation_prompt(TALK[1:2]).tokens) == default
    trained = trained_text(renderer, tokenizer, TALK[1:3], "all_tokens")
    assert "".join(trained).startswith("<|im_user|>user")
