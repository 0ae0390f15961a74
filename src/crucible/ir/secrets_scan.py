"""What looks like a key, a token or a password: by its form, or by the name it stands under.

Documents are kept, hashed and shared, so that a secret in one is a secret lost. Precision comes first: digests, uuids,
revisions, images and names of environment variables are not keys. Nothing here hands out the value itself.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, log2
from typing import Any, cast

__all__ = ["is_quiet", "looks_secret", "secrets_in"]

_SHORTEST_PASSWORD = 8
_SHORTEST_FORM = 16

_MARKERS = (
    "://", "sk-", "sk_", "rk_", "hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "eyJ", "AKIA",
    "ASIA", "AIza", "xox", "pypi-", "-----BEGIN",
)  # fmt: skip
_START = r"(?<![A-Za-z0-9+/_-])"
_FORMS = (
    ("an Anthropic key", _START + r"sk-ant-[A-Za-z0-9_-]{16,}"),
    ("an OpenRouter key", _START + r"sk-or-v1-[0-9a-f]{32,}"),
    ("an OpenAI key", _START + r"sk-(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{20,}"),
    ("a Hugging Face token", _START + r"hf_[A-Za-z0-9]{30,}"),
    ("a GitHub token", _START + r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    ("a GitLab token", _START + r"glpat-[A-Za-z0-9_-]{20,}"),
    ("an AWS access key", _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9+/=])"),
    ("a Google API key", _START + r"AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_+/=-])"),
    ("a Slack token", _START + r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Stripe key", _START + r"[sr]k_live_[A-Za-z0-9]{16,}"),
    ("a PyPI token", _START + r"pypi-[A-Za-z0-9_-]{50,}"),
    ("a JSON Web Token", _START + r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    (
        "a URL with a password",
        r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/?#:@]*:(?![${<*%]|(?i:pass|password|pwd|secret|x+|\.+)@)[^\s/?#@]+@[A-Za-z0-9\[]",
    ),
)
_FORM = re.compile("|".join(f"({pattern})" for _, pattern in _FORMS))
_PASSWORD_KEY = re.compile(r"(^|[_-])(password|passwd|passphrase|pwd)$")
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|secret|secret[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|signing[_-]?key|credentials?"
    r"|(?:api|auth|access|refresh|bearer|session|secret|hf|github|gitlab|slack|bot)[_-]?token|authorization)$|^token$"
)
_OPAQUE = re.compile(r"(?:(?:Bearer|Basic|Token) +)?[A-Za-z0-9_\-+/=.~]{16,}")
_VARIABLE = re.compile(r"\$\{?\w+\}?|[A-Z][A-Z0-9_]*|env:\w+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def looks_secret(text: str, key: str = "") -> str:
    """Return what a text looks like, such as `an OpenAI key`; empty if like no secret.

    Args:
        text: The text.
        key: The name under which it stands, such as `api_key`; empty if under none.
    """
    if len(text) < _SHORTEST_PASSWORD:
        return ""
    if len(text) >= _SHORTEST_FORM:
        for marker in _MARKERS:
            if marker in text and (match := _FORM.search(text)):
                return _FORMS[(match.lastindex or 1) - 1][0]
    kind = _kind_of_key(key) if key.__class__ is str else ""
    if not kind or _VARIABLE.fullmatch(text):
        return ""
    if kind == "password":
        return "a password" if " " not in text and _is_mixed(text) else ""
    return "a key" if _OPAQUE.fullmatch(text) and _is_mixed(text) and _entropy(text) >= 3 else ""


def is_quiet(value: Any, key: str = "") -> bool:
    """Tell whether plain data surely holds no secret and nothing that JSON has no word for; quick, and without a path.

    Args:
        value: Anything.
        key: The name under which it stands.
    """
    kind = value.__class__
    if kind is dict:
        return _is_quiet_map(value)
    if kind is list or kind is tuple:
        for inner in value:  # noqa: SIM110  # twice as quick as all(), and lists of numbers are long
            if inner.__class__ is not int and not is_quiet(inner, key):
                return False
        return True
    if kind is str:
        return not looks_secret(value, key)
    return value is None or kind is int or kind is bool or (kind is float and isfinite(value))


def _is_quiet_map(value: dict[Any, Any]) -> bool:
    for key, inner in value.items():
        kind = inner.__class__
        if key.__class__ is not str:
            return False
        if kind is str:
            if len(inner) >= _SHORTEST_PASSWORD and looks_secret(inner, key):
                return False
        elif kind is not int and not is_quiet(inner, key):
            return False
    return True


def secrets_in(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield path and kind of everything in plain data that looks like a secret, in document order.

    Args:
        value: Mappings, lists and scalars; anything else is passed over.
        path: Where the value stands; its last name counts as the name of what it holds.
    """
    if isinstance(value, str):
        if what := looks_secret(value, _key_of(path)):
            yield path, what
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[Any, Any]", value).items():
            yield from secrets_in(inner, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(cast("Sequence[Any]", value)):
            yield from secrets_in(inner, (*path, place))


def _key_of(path: tuple[str | int, ...]) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


@functools.lru_cache(maxsize=4096)
def _kind_of_key(key: str) -> str:
    """Return `password` or `key` for the name of a secret, and nothing for `api_key_env` or `pad_token`."""
    snake = _CAMEL.sub("_", key).lower()
    if _PASSWORD_KEY.search(snake):
        return "password"
    return "key" if _SECRET_KEY.search(snake) else ""


def _is_mixed(text: str) -> bool:
    return any(char.isdigit() for char in text) and any(char.isalpha() for char in text)


def _entropy(text: str) -> float:
    """Return the Shannon entropy of the characters, in bits a character."""
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values())
