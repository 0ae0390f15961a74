"""Conversations as tokens: messages, what of them is trained on, and the renderers that write and read them.

A renderer knows one family's format to the byte and both ways: `build_supervised_example` and
`build_generation_prompt` write it, `parse_response` reads what the model answered. Where a tokenizer brings its own
chat template, `render_conversation` uses that. What people wrote never becomes a special token.
"""

from crucible.text.chat.conversation import render_conversation, renderer_for
from crucible.text.chat.deepseekv3 import DeepSeekV3Renderer
from crucible.text.chat.format_renderer import FormatRenderer, RenderedMessage
from crucible.text.chat.gpt_oss import GptOssRenderer
from crucible.text.chat.kimi_k2 import KimiK2Renderer
from crucible.text.chat.llama3 import Llama3Renderer
from crucible.text.chat.markup import Markup, MarkupEncoder
from crucible.text.chat.messages import (
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    as_messages,
    ensure_parts,
    ensure_text,
)
from crucible.text.chat.qwen3 import Qwen3Renderer
from crucible.text.chat.registry import get_renderer, list_renderers, lookup_renderer, register_renderer
from crucible.text.chat.renderer import Renderer, parse_response_for_stop_token
from crucible.text.chat.role_colon import RoleColonRenderer
from crucible.text.chat.template_renderer import TemplateRenderer
from crucible.text.chat.train_on import TrainOnWhat

__all__ = [
    "DeepSeekV3Renderer",
    "FormatRenderer",
    "GptOssRenderer",
    "ImagePart",
    "KimiK2Renderer",
    "Llama3Renderer",
    "Markup",
    "MarkupEncoder",
    "Message",
    "Qwen3Renderer",
    "RenderedMessage",
    "Renderer",
    "RoleColonRenderer",
    "TemplateRenderer",
    "TextPart",
    "ToolCall",
    "ToolResult",
    "TrainOnWhat",
    "as_messages",
    "ensure_parts",
    "ensure_text",
    "get_renderer",
    "list_renderers",
    "lookup_renderer",
    "parse_response_for_stop_token",
    "register_renderer",
    "render_conversation",
    "renderer_for",
]
