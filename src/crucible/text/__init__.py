"""Text as tokens: tokenizers, chats, and the records that a training request is made of.

A tokenizer reads and writes the folder layout of transformers, so whatever is trained here opens there.
Nothing in this room knows a model or imports PyTorch; `tokenizers` is imported when a tokenizer is made.
"""

from crucible.text.bpe import train_byte_bpe
from crucible.text.chat import (
    ImagePart,
    Message,
    Renderer,
    TemplateRenderer,
    TextPart,
    ToolCall,
    ToolResult,
    TrainOnWhat,
    as_messages,
    ensure_parts,
    ensure_text,
    get_renderer,
    list_renderers,
    lookup_renderer,
    parse_response_for_stop_token,
    register_renderer,
    render_conversation,
    renderer_for,
)
from crucible.text.completion import Rendered, completion_datum
from crucible.text.datum import Datum, ModelInput, SoftTargets
from crucible.text.template import ChatTemplate
from crucible.text.tokenizer import ChatTokenizer, FastTokenizer, Tokenizer, load_tokenizer

__all__ = [
    "ChatTemplate",
    "ChatTokenizer",
    "Datum",
    "FastTokenizer",
    "ImagePart",
    "Message",
    "ModelInput",
    "Rendered",
    "Renderer",
    "SoftTargets",
    "TemplateRenderer",
    "TextPart",
    "Tokenizer",
    "ToolCall",
    "ToolResult",
    "TrainOnWhat",
    "as_messages",
    "completion_datum",
    "ensure_parts",
    "ensure_text",
    "get_renderer",
    "list_renderers",
    "load_tokenizer",
    "lookup_renderer",
    "parse_response_for_stop_token",
    "register_renderer",
    "render_conversation",
    "renderer_for",
    "train_byte_bpe",
]
