"""Events out of what an LLM wrote, and the prompt that asks for them.

`parse` reads any text and never fails; what it could not make sense of is an issue with its place. `to_tags` writes the
same format.
"""

from crucible.trace.parsing.code import CodeBlock, code_blocks, extract_code, split_events_and_code
from crucible.trace.parsing.issue import ParseIssue
from crucible.trace.parsing.parsed import Parsed, extract_metadata, parse, parse_to_chain, validate_events
from crucible.trace.parsing.prompt import build_causal_prompt
from crucible.trace.parsing.tags import to_tags

__all__ = [
    "CodeBlock",
    "ParseIssue",
    "Parsed",
    "build_causal_prompt",
    "code_blocks",
    "extract_code",
    "extract_metadata",
    "parse",
    "parse_to_chain",
    "split_events_and_code",
    "to_tags",
    "validate_events",
]
