"""A tokenizer's own chat template: found, read, and rendered where it can do no harm.

A template is a program that came with a model. It is rendered by a process of its own, in Jinja's sandbox, with bounds
on time, memory and what it may write; what it renders is what transformers' `apply_chat_template` renders.
"""

from crucible.text.template.chat_template import ChatTemplate, RenderedText, RenderJob
from crucible.text.template.files import read_templates

__all__ = ["ChatTemplate", "RenderJob", "RenderedText", "read_templates"]
