"""Forms of keys and tokens, names under which secrets stand, and what stands in for a secret without being one."""

from __future__ import annotations

import functools
import re

__all__ = ["ASSIGNED", "FORM", "FORMS", "MARKERS", "is_reference", "is_slug", "kind_of_key"]

MARKERS = (
    "://", "sk-", "k_live_", "hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "eyJ", "AKIA",
    "ASIA", "AIza", "xox", "pypi-", "-----BEGIN", "tml-", "gsk_", "xai-", "npm_", "Bearer ",
)  # fmt: skip
"""A text that holds none of them has none of the forms."""
_START = r"(?:(?<![A-Za-z0-9+/_-])|(?<=://))"
FORMS = (
    ("an Anthropic key", _START + r"sk-ant-[A-Za-z0-9_-]{16,}"),
    ("an OpenRouter key", _START + r"sk-or-v1-[0-9a-f]{32,}"),
    (
        "an OpenAI key",
        _START + r"sk-(?:(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{20,}|"
        r"(?=[a-z]*[0-9])[a-z0-9]{40,})",
    ),
    ("a Hugging Face token", _START + r"hf_[A-Za-z0-9]{30,}"),
    ("a GitHub token", _START + r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    ("a GitLab token", _START + r"glpat-[A-Za-z0-9_-]{20,}"),
    ("an AWS access key", _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9+/=])"),
    ("a Google API key", _START + r"AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_+/=-])"),
    ("a Slack token", _START + r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Stripe key", _START + r"[sr]k_live_[A-Za-z0-9]{16,}"),
    ("a PyPI token", _START + r"pypi-[A-Za-z0-9_-]{50,}"),
    ("an npm token", _START + r"npm_[A-Za-z0-9]{30,}"),
    ("a Groq key", _START + r"gsk_[A-Za-z0-9]{20,}"),
    ("an xAI key", _START + r"xai-(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}"),
    (
        "a Thinking Machines key",
        _START + r"tml-(?:(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{20,}|"
        r"(?=[a-z]*[0-9])[a-z0-9]{20,})",
    ),
    ("a JSON Web Token", _START + r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    ("a key", r"\bBearer (?=[A-Za-z._~+/=-]*[0-9])(?=[0-9._~+/=-]*[A-Za-z])[A-Za-z0-9._~+/=-]{16,}"),
    (
        "a URL with a password",
        r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/?#:@]*:(?P<password>[^\s/?#@]+)@(?!sha[0-9]+:)[A-Za-z0-9\[]",
    ),
)
"""What a secret is called, and its form; the one with a group of its own comes last, for the count of groups."""
FORM = re.compile("|".join(f"({pattern})" for _, pattern in FORMS))
ASSIGNED = re.compile(r"(?:^|(?<=[\s?&;,'\"]))([A-Za-z][A-Za-z0-9_.-]{0,63})=['\"]?([^\s;,&'\"]+)")
"""A name and a value such as `DB_PASSWORD=…` or `?api_key=…`."""

_PASSWORD_KEY = re.compile(r"(^|[_-])(password|passwd|passphrase|pwd)$|^secret$")
_PASS_KEY = re.compile(r"^(?:(?:db|smtp|ftp|user|root|admin|proxy|basic|mysql|pg|redis)[_-]?)?pass$")
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|secret|secret[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|signing[_-]?key|credentials?"
    r"|(?:api|auth|access|refresh|bearer|session|secret|bot)[_-]?token|authorization"
    r"|(?:openai|anthropic|wandb|hf|hugging_?face|github|gitlab|slack|groq|mistral|cohere|tinker|together|openrouter|gemini"
    r"|google|azure|aws|xai|deepseek|replicate|npm|pypi)[_-]?(?:key|token|secret|pat))$|^token$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_VARIABLE = r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+|\{\{.*\}\}|%\w+%|%\(\w+\)s|[A-Z][A-Z0-9_]*"
_SCHEME = r"[a-z][a-z0-9+.-]*://.*|(?:file|env|vault|op|arn|keyring|keychain|secret|ssm|gcp|aws|azure):.*"
_PATH = (
    r"[~.]{0,2}/.*|[A-Za-z]:[\\/].*|[a-z0-9._-]+(?:/[a-z0-9._-]+)+"
    r"|[\w./ -]+\.(?:json|ya?ml|toml|txt|pem|key|crt|env|ini|cfg)"
)
_STAND_IN = (
    r"<.*>|\[.*\]|\W+|x+|(?:your|the)[-_ ].*|.*(?:change[-_]?me|placeholder|redacted|replace[-_]?me|dummy|example).*"
    r"|(?:pass|password|passwd|pwd|secret|token|key|api[-_]?key|user|username|hidden|masked|prompt|none|null|nil|true|false"
    r"|string|str|text|integer|int|number|float|boolean|bool|binary|any|list|map|object|categorical|utf8|(?:int|float)[0-9]+"
    r"|required|optional|enabled|disabled|unset|empty|todo|test|plain|basic|bearer|oauth2?)"
)
_REFERENCE = re.compile(f"(?:{_VARIABLE}|{_SCHEME}|{_PATH}|(?i:{_STAND_IN}))", re.DOTALL)
_SLUG = re.compile(
    r"(?:[a-z]{3,}[0-9]{0,4}|v?[0-9]{1,4}|[a-z]{1,2})(?:[-_.](?:[a-z]{3,}[0-9]{0,4}|v?[0-9]{1,4}|[a-z]{1,2}))+"
)


def is_reference(text: str) -> bool:
    """Tell whether a text only stands for a secret: a variable, a path, an address, a placeholder, a type."""
    return _REFERENCE.fullmatch(text) is not None


def is_slug(text: str) -> bool:
    """Tell whether a text is made of words, such as `oauth2-client-credentials`."""
    return _SLUG.fullmatch(text) is not None


@functools.lru_cache(maxsize=4096)
def kind_of_key(key: str) -> str:
    """Return what stands under a name: `password`, `pass`, `key`, `env` (a variable of one of these), or nothing."""
    snake = _CAMEL.sub("_", key).lower()
    if snake.endswith("_env"):
        return "env" if kind_of_key(snake.removesuffix("_env")) else ""
    if _PASSWORD_KEY.search(snake):
        return "password"
    if _PASS_KEY.search(snake):
        return "pass"
    return "key" if _SECRET_KEY.search(snake) else ""
