"""The renderers by name, and which one a model wants."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from crucible.errors import DataError
from crucible.ir import did_you_mean
from crucible.text.chat.deepseekv3 import DeepSeekV3Renderer
from crucible.text.chat.gpt_oss import GptOssRenderer
from crucible.text.chat.kimi_k2 import KimiK2Renderer
from crucible.text.chat.llama3 import Llama3Renderer
from crucible.text.chat.qwen3 import Qwen3Renderer
from crucible.text.chat.renderer import Renderer
from crucible.text.chat.role_colon import RoleColonRenderer
from crucible.text.tokenizer import Tokenizer

__all__ = ["get_renderer", "list_renderers", "lookup_renderer", "register_renderer"]

RendererFactory = Callable[..., Renderer]

_FACTORIES: dict[str, RendererFactory] = {
    "llama3": Llama3Renderer,
    "qwen3": Qwen3Renderer,
    "qwen3_vl": partial(Qwen3Renderer, parts_apart=True, name="qwen3_vl"),
    "qwen3_vl_instruct": partial(Qwen3Renderer, thinking="none", parts_apart=True, name="qwen3_vl_instruct"),
    "qwen3_disable_thinking": partial(Qwen3Renderer, thinking="off", name="qwen3_disable_thinking"),
    "qwen3_instruct": partial(Qwen3Renderer, thinking="none", name="qwen3_instruct"),
    "deepseekv3": DeepSeekV3Renderer,
    "deepseekv3_disable_thinking": partial(DeepSeekV3Renderer, thinking=False, name="deepseekv3_disable_thinking"),
    "kimi_k2": KimiK2Renderer,
    "gpt_oss_no_sysprompt": partial(GptOssRenderer, reasoning_effort=None),
    "gpt_oss_low_reasoning": partial(GptOssRenderer, reasoning_effort="low"),
    "gpt_oss_medium_reasoning": partial(GptOssRenderer, reasoning_effort="medium"),
    "gpt_oss_high_reasoning": partial(GptOssRenderer, reasoning_effort="high"),
    "role_colon": RoleColonRenderer,
}

# In order: the first that is found in the model's id, whatever its case.
_MODELS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"llama-?3", "llama3"),
        (r"qwen3[-_]?vl.*instruct", "qwen3_vl_instruct"),
        (r"qwen3[-_]?vl", "qwen3_vl"),
        (r"qwen3.*instruct", "qwen3_instruct"),
        (r"qwen3", "qwen3"),
        (r"deepseek", "deepseekv3"),
        (r"kimi", "kimi_k2"),
        (r"gpt[-_]oss", "gpt_oss_medium_reasoning"),
    )
)


def list_renderers() -> list[str]:
    """Return the names of all renderers, sorted."""
    return sorted(_FACTORIES)


def register_renderer(name: str, factory: RendererFactory) -> None:
    """Make a renderer known under `name`; one of that name is replaced.

    Args:
        name: Letters, digits, `_`, `-`, `.`.
        factory: Called with the tokenizer and the options of `get_renderer`.

    Raises:
        DataError: The name holds anything else.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise DataError(f"a renderer's name is made of letters, digits, '_', '-' and '.', got {name!r}")
    _FACTORIES[name] = factory


def lookup_renderer(name: str) -> str:
    """Return the name of the renderer for a renderer's name or a model's id, such as `Qwen/Qwen3-8B`.

    Raises:
        DataError: None is known for it.
    """
    if name in _FACTORIES:
        return name
    for pattern, renderer in _MODELS:
        if pattern.search(name):
            return renderer
    raise DataError(
        f"unknown renderer {name!r}{did_you_mean(name, list_renderers())}; known: {', '.join(list_renderers())}"
    )


def get_renderer(name: str, tokenizer: Tokenizer, **options: Any) -> Renderer:
    """Make the renderer of a name or of a model's id.

    Args:
        name: A renderer (`llama3`) or a model (`meta-llama/Llama-3.2-1B-Instruct`).
        tokenizer: The base model's.
        options: Those of the renderer: `reasoning_effort` and `current_date` of gpt-oss, `system_role_as_user` of
            DeepSeek, `strip_thinking_from_history` of Qwen3.

    Raises:
        DataError: No such renderer, the renderer has no such option, or the tokenizer has not its tokens.
    """
    found = lookup_renderer(name)
    factory = _FACTORIES[found]
    known = _options_of(factory)
    if known is not None:
        for option in options:
            if option not in known:
                listed = ", ".join(known) or "none"
                raise DataError(
                    f"renderer {found} has no option {option!r}{did_you_mean(option, known)}; it has: {listed}"
                )
    try:
        return factory(tokenizer, **options)
    except TypeError as error:
        raise DataError(f"renderer {found}: {error}") from error


def _options_of(factory: RendererFactory) -> list[str] | None:
    """Return the options that a factory takes beside the tokenizer; None where it does not say."""
    try:
        _, *parameters = inspect.signature(factory).parameters.values()  # the tokenizer comes first
    except (TypeError, ValueError):
        return None
    if any(each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL) for each in parameters):
        return None
    return [each.name for each in parameters if each.kind is not each.POSITIONAL_ONLY and each.name != "name"]
