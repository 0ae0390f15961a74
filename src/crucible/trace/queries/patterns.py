"""Regular expressions that cannot hang: google-re2, whose time grows linearly with the text.

Patterns are case-sensitive and found anywhere; `(?i)` at the start makes one case-insensitive, `(?s)` lets the dot
match line ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crucible.errors import SpecError, require

__all__ = ["finder"]

_LONGEST = 10_000  # characters of a pattern; RE2 takes seconds to refuse a megabyte of classes
_LARGEST = 4_000  # instructions of a compiled pattern; RE2 may take a step for each of them and character of the text
_MAX_MEM_BYTES = 8 << 20  # a pattern; past that RE2 refuses it, or matches more slowly but still in linear time


def finder(pattern: object) -> Callable[[str], bool]:
    """Return a function that says whether a text holds a match.

    Args:
        pattern: In RE2's syntax, which is Perl's without lookaround and backreferences.

    Raises:
        SpecError: It is no pattern, one that RE2 does not have, longer than 10,000 characters, or one that compiles to
            more than 4,000 instructions.
        MissingExtra: google-re2 is not installed.
    """
    if not isinstance(pattern, str):
        raise SpecError(
            f"expected a regular expression as text, got a {type(pattern).__name__}; pass the pattern itself",
            code="type",
        )
    if len(pattern) > _LONGEST:
        raise SpecError(
            f"the pattern has {len(pattern):,} characters, at most {_LONGEST:,} can be used; shorten it, or join "
            "several conditions with `or`",
            code="pattern",
        )
    re2: Any = require("re2", extra="trace", feature="searching by a regular expression")
    options = re2.Options()
    options.max_mem = _MAX_MEM_BYTES
    options.never_capture = True
    options.log_errors = False
    try:
        compiled = re2.compile(pattern.encode(), options)
    except UnicodeEncodeError:
        raise SpecError(
            f"the pattern {pattern[:80]!r} holds half a surrogate pair, which is no text", code="pattern"
        ) from None
    except re2.error as error:
        raise SpecError(_explained(pattern, error), code="pattern") from None
    if compiled.programsize > _LARGEST:
        raise SpecError(
            f"the pattern {pattern[:80]!r} compiles to {compiled.programsize:,} instructions, at most {_LARGEST:,} can "
            "be used, since each may take a step for every character of a text; use smaller repetitions such as "
            "{30}, or join several conditions with `and`",
            code="pattern",
        )
    search = compiled.search
    return lambda text: search(text.encode("utf-8", "surrogatepass")) is not None


def _explained(pattern: str, error: Exception) -> str:
    said = error.args[0] if error.args else error
    said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    message = f"the pattern {pattern[:80]!r} cannot be used ({said[:120]})"
    if said.startswith(("invalid perl operator: (?=", "invalid perl operator: (?!", "invalid perl operator: (?<")):
        return f"{message}: lookahead and lookbehind are not available, since they cannot be matched in linear time"
    if said.startswith("invalid escape sequence: \\") and said[-1:].isdigit():
        return f"{message}: backreferences are not available, since they cannot be matched in linear time"
    return f"{message}; see https://github.com/google/re2/wiki/Syntax"
