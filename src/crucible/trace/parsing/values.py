"""What is written in a field, read as a value: confidence, lists, metadata, types.

Each returns what was said or says that it was not understood; nothing is clamped or made up.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from crucible.trace.parsing.entities import read_text
from crucible.trace.plain import not_plain
from crucible.trace.vocabulary import event_types

__all__ = ["elements", "listed", "read_confidence", "read_list", "read_metadata", "squeezed", "type_names"]

_NUMBER = r"[+-]?(?:\d{1,40}(?:[.,]\d{0,40})?|[.,]\d{1,40})(?:[eE][+-]?\d{1,4})?"
_CONFIDENCE = re.compile(
    rf"[~≈]?\s*(?P<number>{_NUMBER})\s*(?:(?P<percent>%|percent)|(?:/|out\s+of)\s*(?P<whole>{_NUMBER}))?\s*(?:\([^()\d]*\))?",
    re.IGNORECASE | re.ASCII,
)
_TAG = re.compile(r"<(?P<close>/\s*)?(?P<name>[A-Za-z_][A-Za-z0-9_.:-]*)[^<>]*>", re.ASCII)
_LIST_TAG = re.compile(r"</?(?:ul|ol)(?![\w.:-])[^<>]*>", re.IGNORECASE | re.ASCII)
_ITEM = re.compile(r"\s*(?:[-*•–]|\(?\d{1,3}[.)]|\(?[A-Za-z]\))\s+(.*)", re.DOTALL)
_NOTHING = frozenset({"none", "none.", "n/a", "na", "-", "–", "null", "[]"})
_PAIR = re.compile(r"\s*(?:[-*•]\s+)?[\"']?(\w[\w .-]{0,60}?)[\"']?\s*[:=]\s*(.*)", re.DOTALL)
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def read_confidence(text: str) -> float | None:
    """Return a confidence as it is said in words or figures; None for what is no number from 0 to 1.

    Args:
        text: Such as `0.85`, `.85`, `0,85` (a decimal comma), `85%`, `85 percent`, `8/10`, `8 out of 10`, `~0.9` or
            `0.85 (fairly sure)`.
    """
    found = _CONFIDENCE.fullmatch(text.strip()) if len(text) < 300 else None
    if found is None:
        return None
    value = _number(found["number"])
    if found["percent"]:
        value /= 100
    elif found["whole"]:
        whole = _number(found["whole"])
        value = value / whole if whole > 0 else -1.0
    return value if 0 <= value <= 1 else None


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def elements(raw: str, names: frozenset[str] | None = None) -> list[tuple[str, str]]:
    """Return the tags at the top of a piece of markup, as names in lower case and contents; "" names text between them.

    A tag that begins again before it ended counts as ended.

    Args:
        raw: Markup without comments.
        names: The tags that count; None counts all.
    """
    found: list[tuple[str, str]] = []
    mark, name = 0, ""
    for tag in _TAG.finditer(raw):
        word = tag["name"].lower()
        if names is not None and word not in names:
            continue
        is_empty = tag[0].endswith("/>") and not tag["close"]
        if (not name and tag["close"]) or (name and word != name) or (name and is_empty):
            continue
        found.append((name, raw[mark : tag.start()]))
        mark, name = tag.end(), "" if tag["close"] else word
        if is_empty:
            found.append((word, ""))
            name = ""
    found.append((name, raw[mark:]))
    return [(name, inner) for name, inner in found if name or inner.strip()]


def read_list(raw: str, names: frozenset[str]) -> list[str]:
    """Return a list that is written as tags, as list items, as a JSON list or with commas and semicolons.

    Args:
        raw: Markup without comments.
        names: The tags, in lower case, that hold one entry each; any other is text.
    """
    parts = elements(_LIST_TAG.sub("", raw), names)
    if not any(name for name, _ in parts):
        return listed(read_text(raw))
    found: list[str] = []
    for name, inner in parts:
        found += [read_text(inner)] if name else listed(read_text(inner))
    return [entry for entry in found if entry]


def listed(text: str) -> list[str]:
    """Return the entries of a list in plain text.

    Lines that begin with a dash, a star or a number are entries; else commas and semicolons outside of brackets and
    double quotes part them; else lines do.
    """
    text = text.strip()
    if text.casefold() in _NOTHING:
        return []
    if text.startswith("[") and (entries := _json_list(text)) is not None:
        return entries
    lines = [line for line in text.split("\n") if line.strip()]
    if lines and _ITEM.match(lines[0]):
        return _items(lines)
    parts = _parted(text)
    return [part.strip() for part in (lines if len(parts) == 1 else parts) if part.strip()]


def _json_list(text: str) -> list[str] | None:
    try:
        entries = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entries, list):
        return None
    words = cast("list[Any]", entries)
    return [word for word in words if word.strip()] if all(isinstance(word, str) for word in words) else None


def _items(lines: list[str]) -> list[str]:
    found: list[list[str]] = []
    for line in lines:
        item = _ITEM.match(line)
        if item or not found:
            found.append([(item[1] if item else line).strip()])
        else:
            found[-1].append(line.strip())
    return [entry for lines in found if (entry := "\n".join(lines).strip())]


def _parted(text: str) -> list[str]:
    """Split at commas and semicolons outside of brackets and quotes; at all of them if brackets or quotes are odd."""
    cuts: list[int] = []
    depth, is_quoted = 0, False
    for place, letter in enumerate(text):
        if letter == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += _BRACKETS.get(letter, 0)
            if letter in ",;" and depth == 0:
                cuts.append(place)
            if depth < 0:
                break
    if depth != 0 or is_quoted:
        return re.split("[,;]", text)
    return [text[start + 1 : end] for start, end in zip([-1, *cuts], [*cuts, len(text)], strict=True)]


def read_metadata(raw: str) -> tuple[dict[str, Any], str | None]:
    """Return metadata and, where it could not be read, what is wrong; then it is the text under the key `text`.

    Args:
        raw: A JSON object, tags (`<key>value</key>`) or lines (`key: value`); values of the latter two are text.
    """
    text = read_text(raw)
    if text.startswith("{"):
        found, problem = _json_object(text)
        return ({"text": text}, problem) if found is None else (found, None)
    parts = elements(raw)
    if parts and all(name for name, _ in parts):
        return {name: read_text(inner) for name, inner in parts}, None
    pairs = [_PAIR.fullmatch(line) for line in text.split("\n") if line.strip()]
    if all(pairs):
        return {pair[1]: pair[2].strip() for pair in pairs if pair}, None
    return {"text": text}, "it is no JSON object, no tags and no lines of key: value"


def _json_object(text: str) -> tuple[dict[str, Any] | None, str | None]:
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError) as problem:
        return None, f"it is no JSON: {str(problem)[:80]}"
    problem = not_plain(found)
    if problem or not isinstance(found, dict):
        return None, problem or "it is no JSON object"
    return cast("dict[str, Any]", found), None


def squeezed(word: str) -> str:
    """Return the letters and digits of a word in lower case, by which spellings of a type are compared."""
    return "".join(letter for letter in word.casefold() if letter.isalnum())


def type_names() -> dict[str, str]:
    """Return the registered types by the squeezed form of their names and aliases."""
    return {squeezed(word): entry.name for entry in event_types() for word in (*entry.aliases, entry.name)}
