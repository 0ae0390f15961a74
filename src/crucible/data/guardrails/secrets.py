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
    _rule("private_key", r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----", ("private key",), None),
    _rule("url_credentials", r"(?<![\w+.-])[a-z][a-z0-9+.-]{1,15}://[^\s:/@]{1,64}:[^\s:/@]{3,128}@", ("://",), None),
    _rule(
        "password",
        r"(?<![A-Za-z])(?i:password|passwd|passphrase|pwd)(?: is)?[\"']?(?: ?[:=]|(?<=is)) ?[\"']?"
        r"(?P<value>[^\s\"',;]{6,64})",
        ("passw", "passphrase", "pwd"),
        _password,
    ),
)
