"""Small tokenizers with the special tokens of the real families, built here: no network, no model files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers

from crucible.text import FastTokenizer

BAR, LOW = "\uff5c", "\u2581"


def deepseek(words: str) -> str:
    """Return a token as DeepSeek writes it."""
    return f"<{BAR}{words.replace(' ', LOW)}{BAR}>"


# The tokens of each family: special ones, and those that are added but not special.
FAMILIES: dict[str, tuple[list[str], list[str]]] = {
    "llama3": (["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], []),
    "qwen3": (
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"],
    ),
    "deepseekv3": (
        [deepseek("begin of sentence"), deepseek("end of sentence")],
        [
            *(deepseek(each) for each in ("User", "Assistant", "tool calls begin", "tool calls end")),
            *(deepseek(each) for each in ("tool call begin", "tool call end", "tool sep")),
            *(deepseek(each) for each in ("tool output begin", "tool output end")),
            *("<think>", "</think>"),
        ],
    ),
    "kimi_k2": (
        ["[BOS]", "[EOS]", "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>"],
        [
            *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>"),
            *("<|tool_call_argument_begin|>", "<|tool_call_end|>", "<think>", "</think>"),
        ],
    ),
    "gpt_oss": (
        [
            *("<|startoftext|>", "<|endoftext|>", "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"),
            *("<|end|>", "<|return|>", "<|call|>"),
        ],
        [],
    ),
    "role_colon": (["<s>", "</s>"], []),
}
END = {
    "llama3": "<|eot_id|>",
    "qwen3": "<|im_end|>",
    "deepseekv3": deepseek("end of sentence"),
    "kimi_k2": "<|im_end|>",
    "gpt_oss": "<|return|>",
    "role_colon": "</s>",
}
START = {"llama3": "<|begin_of_text|>", "deepseekv3": deepseek("begin of sentence")}

# How Llama 3 (and, but for digits, Qwen3) splits text before merging: meta-llama/Llama-3 tokenizer.json.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "the assistant answers the user and the system says what to do with the tools in the conversation",
    "user assistant system final analysis commentary json functions name arguments parameters",
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.",
    'How many clips did Natalia sell altogether? {"name": "add", "arguments": {"a": 1, "b": 2}}',
] * 4


def make(family: str, **config: Any) -> FastTokenizer:
    """Return a byte-level BPE tokenizer with the tokens of a family."""
    core = tokenizers.Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    core.train_from_iterator(CORPUS, trainer=trainer)
    special, added = FAMILIES[family]
    core.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in special])
    core.add_tokens([AddedToken(each, special=False, normalized=False) for each in added])
    named = {"eos_token": END[family], **({"bos_token": START[family]} if family in START else {})}
    return FastTokenizer(core, {"tokenizer_class": "PreTrainedTokenizerFast", **named, **config})


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., FastTokenizer]:
    """Return the maker of tokenizers: a family, and what else its configuration says."""
    return make


@pytest.fixture(scope="session")
def tokenizer_of() -> Callable[[str], FastTokenizer]:
    """Return the tokenizer of a family; each is built once."""
    built: dict[str, FastTokenizer] = {}

    def get(family: str) -> FastTokenizer:
        if family not in built:
            built[family] = make(family)
        return built[family]

    return get
