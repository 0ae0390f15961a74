"""Rules for keys and passwords. They count as personal data: they must not reach a model, a log or a report either."""

from __future__ import annotations

import re
from typing import Final

from crucible.data.guardrails.finding import Category, Severity
from crucible.data.guardrails.rule import Accept, Rule

__all__ = ["SECRET_RULES"]

_DIFFERENT: Final = 8
"""A key of fewer different characters is a placeholder such as `sk-xxxx`."""


def _key(match: re.Match[str]) -> tuple[int, int] | None:
    return match.span() if len(set(match[0].lower())) >= _DIFFERENT + 2 else None


def _password(match: re.Match[str]) -> tuple[int, int] | None:
    value = match["value"]
    has_kinds = any(c.isdecimal() for c in value) and any(c.isalpha() for c in value)
    return match.span("value") if has_kinds and len(set(value)) > 3 else None


_NEXT_KEY: Final = "-----BEGIN"
_END_LINE: Final = re.compile(r"-----END[A-Z ]{0,60}(?:-----)?")
_LONGEST_BODY: Final = 100_000
_BREAK: Final = r"(?:[\s\"',>|]|\\{1,8}[nrt]){0,40}"  # a line break may be written out, and a line may be quoted
_HEADER: Final = re.compile(
    rf"{_BREAK}(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID):(?:(?!\\{{1,8}}[nr])[^\r\n]){{0,200}}"
)
_CHUNK: Final = re.compile(rf"{_BREAK}([A-Za-z0-9+/=]+)")
_LINE_ENDS: Final = re.compile(r"[\"',]{0,3}(?:\Z|[\r\n]|\\{1,8}[nr])")
_WORD: Final = re.compile(r"[A-Za-z]?[a-z]{0,15}|[A-Z]{1,15}")


def _private_key(match: re.Match[str]) -> tuple[int, int]:
    """Return the whole key: to its END line, or to the end of its body where there is none.

    No place is looked at for two keys, so many of them take no longer than one.
    """
    text, start = match.string, match.end()
    following = text.find(_NEXT_KEY, start)
    stop = len(text) if following < 0 else following
    ending = _END_LINE.search(text, start, min(stop, start + _LONGEST_BODY))
    return match.start(), ending.end() if ending else _body_end(text, start, stop)


def _body_end(text: str, start: int, stop: int) -> int:
    end = start
    while header := _HEADER.match(text, end, stop):
        end = header.end()
    while chunk := _CHUNK.match(text, end, stop):
        is_line = _LINE_ENDS.match(text, chunk.end(), stop)
        if _WORD.fullmatch(chunk[1]) and not is_line:  # prose goes on behind the key
            break
        end = chunk.end()
    return end


def _rule(name: str, pattern: str, hints: tuple[str, ...], accept: Accept | None = _key) -> Rule:
    return Rule(
        name=name,
        category=Category.PII,
        severity=Severity.CRITICAL,
        placeholder=f"[{name.upper()}]",
        pattern=re.compile(pattern),
        accept=accept,
        hints=hints,
    )


_BODY: Final = "[A-Za-z0-9_-]"

SECRET_RULES: Final = (
    _rule("api_key", rf"(?<![\w-])sk-(?:proj-|ant-|svcacct-|or-v1-)?{_BODY}{{20,200}}(?!{_BODY})", ("sk-",)),
    _rule("api_key", r"(?<!\w)(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?!\w)", ("akia", "asia", "abia", "acca")),
    _rule("api_key", r"(?<!\w)(?:gh[oprsu]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})(?!\w)", ("gh", "github_pat_")),
    _rule("api_key", rf"(?<![\w-])glpat-{_BODY}{{20,64}}(?!{_BODY})", ("glpat-",)),
    _rule("api_key", r"(?<!\w)xox[abeoprs]-[A-Za-z0-9-]{10,200}(?![\w-])", ("xox",)),
    _rule("api_key", r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,80}", ("hooks.slack.com",)),
    _rule("api_key", rf"(?<![\w-])AIza{_BODY}{{33,39}}(?!{_BODY})", ("aiza",)),
    _rule("api_key", r"(?<!\w)(?:hf|npm)_[A-Za-z0-9]{30,40}(?!\w)", ("hf_", "npm_")),
    _rule("api_key", r"(?<!\w)[rs]k_(?:live|test)_[A-Za-z0-9]{16,200}(?!\w)", ("k_live_", "k_test_")),
    _rule("api_key", rf"(?<!\w)SG\.{_BODY}{{16,32}}\.{_BODY}{{32,64}}(?!{_BODY})", ("sg.",)),
    _rule("api_key", rf"(?<![\w-])pypi-AgE{_BODY}{{50,250}}", ("pypi-age",)),
    _rule("api_key", rf"(?<!\w)ya29\.{_BODY}{{20,250}}", ("ya29.",)),
    _rule("api_key", rf"(?<![\w-])eyJ{_BODY}{{8,2000}}\.eyJ{_BODY}{{4,4000}}\.{_BODY}{{16,1000}}", ("eyj",)),
    _rule(
        "private_key",
        r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----",
        ("private key",),
        _private_key,
    ),
    _rule("url_credentials", r"(?<![\w+.-])[a-z][a-z0-9+.-]{1,15}://[^\s:/@]{0,64}:[^\s/@]{1,128}@", ("://",), None),
    _rule(
        "password",
        r"(?<![A-Za-z])(?i:password|passwd|passphrase|pwd)(?: is)?[\"']?(?: ?[:=]|(?<=is)) ?[\"']?"
        r"(?P<value>[^\s\"',;]{6,64})",
        ("passw", "passphrase", "pwd"),
        _password,
    ),
)
