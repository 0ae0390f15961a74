"""The small words of messages: paths, labels, values as they are shown, and guesses at what was meant."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crucible.ir.secrets_scan import looks_secret, secrets_in

__all__ = ["did_you_mean", "format_path", "hidden", "label_of", "listed", "nearest", "show"]

_SHOWN = 60
_LISTED = 20


def format_path(parts: Sequence[str | int]) -> str:
    """Return a path such as `pipeline[2].options.rank`; a name that is a secret itself is not shown."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{hidden(part)}" if text else hidden(part)
    return text


def hidden(name: str) -> str:
    """Return a name as a path may show it: never a secret, and text that can be printed."""
    if looks_secret(name):
        return "<a secret>"
    return name if name.isascii() else name.encode(errors="replace").decode()


def listed(names: Iterable[str]) -> str:
    """Return names as a message lists them, or `none`: not too many, and never a secret."""
    shown = [hidden(name) for name in names]
    more = len(shown) - _LISTED
    return ", ".join(shown[:_LISTED] + ([f"and {more} more"] if more > 0 else [])) or "none"


def label_of(path: str, whole: str = "the value") -> str:
    """Return the last name of a path with its indices, such as `content[0]` for `messages[1].content[0]`.

    Args:
        path: The path.
        whole: What to call the whole value, whose path is empty.
    """
    return path.rsplit(".", 1)[-1] or whole


def show(value: Any, key: str = "") -> str:
    """Return a value as a message may show it: as JSON, cut short, and never a secret.

    Args:
        value: Anything.
        key: The name under which it stands, because a name can make a secret of a word.
    """
    if not _is_data(value):
        return _as_text(value)
    try:
        if next(secrets_in(value, (key,)), None):
            return "a value that looks like a secret and is not shown"
        text = json.dumps(value, ensure_ascii=False, default=_as_text)
        if not text.isascii() and text != text.encode(errors="replace").decode():
            text = json.dumps(value, default=_as_text)  # half of a surrogate pair, as its number
    except Exception:  # noqa: BLE001  # odd keys, a loop, a number of too many digits, a mapping that raises
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _is_data(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float, Mapping, list, tuple))


def _as_text(value: object) -> str:
    """Return what stands for an object that JSON has no word for; its own words may hold anything, or fail."""
    return f"<{type(value).__name__}>"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the nearest known word, or the empty string."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near and not looks_secret(near[0]) else ""


@functools.lru_cache(maxsize=1024)
def nearest(word: str, known: frozenset[str]) -> str:
    """Return the known word that somebody meant who made a slip of the keyboard; empty if it may well be another word.

    One slip is allowed in words of four to seven letters and two in longer ones: `tpu` is no slip of `cpu`.

    Args:
        word: What was written; not a known word.
        known: The known words.
    """
    limit = 0 if len(word) < 4 else 1 if len(word) < 8 else 2
    slips = {name: _distance(word.lower(), name, limit) for name in sorted(known)}
    return min((name for name in slips if slips[name] <= limit), key=slips.__getitem__, default="")


def _distance(a: str, b: str, limit: int) -> int:
    """Return how many letters to insert, leave out, replace or swap with their neighbour; above `limit`, any above."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, previous, row = row, before, [i]
        for j, right in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
    return row[-1]
