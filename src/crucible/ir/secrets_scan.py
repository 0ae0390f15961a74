"""What looks like a key, a token or a password: by its form, or by the name it stands under.

Documents are kept, hashed and shared, so that a secret in one is a secret lost. Precision comes first: digests, uuids,
revisions, images and names of environment variables are not keys. Nothing here hands out the value itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, log2
from typing import Any, cast

from crucible.ir.secrets_forms import ASSIGNED, FORM, FORMS, MARKERS, is_reference, is_slug, kind_of_key

__all__ = ["is_quiet", "looks_secret", "secrets_in"]

_SHORTEST_PASSWORD = 6
_SHORTEST_FORM = 16

_OPAQUE = re.compile(r"(?:(?:Bearer|Basic|Token) +)?[A-Za-z0-9_\-+/=.~]{16,}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES_OF_PAIRS = ("name", "key", "header")


def looks_secret(text: str, key: str = "") -> str:
    """Return what a text looks like, such as `an OpenAI key`; empty if like no secret.

    Args:
        text: The text.
        key: The name under which it stands, such as `api_key`; empty if under none.
    """
    if len(text) < _SHORTEST_PASSWORD:
        return ""
    if len(text) >= _SHORTEST_FORM:
        for marker in MARKERS:
            if marker in text:
                if what := _form_of(text):
                    return what
                break
        if "=" in text and (what := _assigned_in(text)):
            return what
    kind = kind_of_key(key) if key.__class__ is str else ""
    return _named(text, kind) if kind else ""


def _form_of(text: str) -> str:
    """Return what a text holds by its form; a URL whose password is a placeholder holds nothing."""
    for match in FORM.finditer(text):
        password = match["password"]
        if password is None or not is_reference(password):
            return FORMS[(match.lastindex or 1) - 1][0]
    return ""


def _assigned_in(text: str) -> str:
    """Return what a text assigns to the name of a secret, as shells and addresses do."""
    for match in ASSIGNED.finditer(text):
        kind, value = kind_of_key(match[1]), match[2]
        if kind == "key" and (what := _named(value, kind)):
            return what
        if kind in ("password", "pass") and len(value) >= 8 and not set(value) & set("()[]{}"):
            return _named(value, "pass")
    return ""


def _named(text: str, kind: str) -> str:
    """Return what a text is under a name of that kind."""
    if is_reference(text):
        return ""
    if kind == "env":
        return "a secret in the place of a variable's name" if not _is_name(text) else ""
    if kind in ("password", "pass"):
        return "a password" if " " not in text and (kind == "password" or _is_mixed(text)) else ""
    if not (_OPAQUE.fullmatch(text) and _is_mixed(text)) or is_slug(text):
        return ""
    return "a key" if _entropy(text) >= 3 else ""


def _is_name(text: str) -> bool:
    """Tell whether a text may be the name of a variable, and no token made of letters and digits."""
    is_token = len(text) >= 20 and "_" not in text and _is_mixed(text) and not (text.isupper() or text.islower())
    return " " in text or (_NAME.fullmatch(text) is not None and not is_token)


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
        if key.__class__ is not str or (len(key) >= _SHORTEST_FORM and looks_secret(key)):
            return False
        if kind is str:
            if len(inner) >= _SHORTEST_PASSWORD and looks_secret(inner, _name_in(value) if key == "value" else key):
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
        entries = cast("Mapping[Any, Any]", value)
        for key, inner in entries.items():
            place = (*path, str(key))
            if isinstance(key, str) and (what := looks_secret(key)):
                yield place, what
            elif key == "value" and isinstance(inner, str):
                if what := looks_secret(inner, _name_in(entries)):
                    yield place, what
            else:
                yield from secrets_in(inner, place)
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(cast("Sequence[Any]", value)):
            yield from secrets_in(inner, (*path, place))


def _key_of(path: tuple[str | int, ...]) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _name_in(entries: Mapping[Any, Any]) -> str:
    """Return the name in a pair such as `{name: Authorization, value: …}`."""
    for key in _NAMES_OF_PAIRS:
        if isinstance(name := entries.get(key), str):
            return name
    return "value"


def _is_mixed(text: str) -> bool:
    return any(char.isdigit() for char in text) and any(char.isalpha() for char in text)


def _entropy(text: str) -> float:
    """Return the Shannon entropy of the characters, in bits a character."""
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values())
