"""Which named renderer reads the answers of a model whose chats its own template writes.

A template only writes. Where it is of a family that is known, by what it writes and the tokens that the tokenizer has,
the family's renderer tells thoughts and tool calls in an answer from text.
"""

from __future__ import annotations

from typing import Final

from crucible.errors import DataError
from crucible.text.chat.registry import get_renderer
from crucible.text.chat.renderer import Renderer
from crucible.text.template import ChatTemplate
from crucible.text.tokenizer import Tokenizer

__all__ = ["family_of"]

# What a template of the family says, and what one of another form of calls says (DeepSeek before V3.1).
_FAMILIES: Final = (
    ("kimi_k2", ("<|im_middle|>",), ()),
    ("gpt_oss_no_sysprompt", ("<|channel|>", "<|message|>"), ()),
    ("deepseekv3", ("<\uff5cAssistant\uff5c>",), ("```json",)),
    ("llama3", ("<|start_header_id|>", "tool_calls"), ()),
    ("qwen3", ("<|im_start|>", "<tool_call>"), ("<function=",)),
)


def family_of(tokenizer: Tokenizer, template: ChatTemplate) -> Renderer | None:
    """Return the renderer that reads what a template's model answers; None where no family is known."""
    for name, has, has_not in _FAMILIES:
        if all(each in template.text for each in has) and not any(each in template.text for each in has_not):
            try:
                return get_renderer(name, tokenizer)
            except DataError:  # the tokenizer has not its tokens
                continue
    return None
