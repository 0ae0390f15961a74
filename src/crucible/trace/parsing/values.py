"""What is written in a field, read as a value: confidence, lists, metadata, types.

Each returns what was said or says that it was not understood; nothing is clamped or made up.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, cast

from crucible.trace.parsing.attributes import Attribute, naming, read_head
from crucible.trace.parsing.entities import read_text
from crucible.trace.parsing.gathering import gathered
from crucible.trace.parsing.places import Places
from crucible.trace.plain import not_plain
from crucible.trace.vocabulary import event_types

__all__ = [
    "Element",
    "elements",
    "is_nothing",
    "listed",
    "read_confidence",
    "read_list",
    "read_metadata",
    "squeezed",
    "type_names",
    "worded",
]

_NUMBER = r"[+-]?(?:\d{1,40}(?:[.,]\d{0,40})?|[.,]\d{1,40})(?:[eE][+-]?\d{1,4})?"
_CONFIDENCE = re.compile(
    rf"[~≈]?\s*(?P<number>{_NUMBER})\s*(?:(?P<percent>%|percent)|(?:/|out\s+of)\s*(?P<whole>{_NUMBER}))?\s*(?:\([^()\d]*\))?",
    re.IGNORECASE | re.ASCII,
)
_TAG = re.compile(r"<(?P<close>/\s*)?(?P<name>[A-Za-z_][A-Za-z0-9_.:-]*)[^<>]*>", re.ASCII)
_LIST_TAG = re.compile(r"</?(?:ul|ol)(?![\w.:-])[^<>]*>", re.IGNORECASE | re.ASCII)
_ITEM = re.compile(r"\s*(?:[-*•–]|\(?\d{1,3}[.)]|\(?[A-Za-z]\))\s+(.*)", re.DOTALL)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_UNSAID = frozenset({"none", "null", "n/a"})
_CHOICES = frozenset({"alternative", "alt", "item", "li", "option", "choice"})
_NOTHING = frozenset({"none", "none.", "n/a", "na", "-", "–", "null", "[]"})
_PAIR = re.compile(r"\s*(?:[-*•]\s+)?[\"']?(\w[\w .-]{0,60}?)[\"']?\s*[:=]\s*(.*)", re.DOTALL)
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


class Element(NamedTuple):
    """A tag in a field, or the text between two.

    Args:
        name: In lower case; empty for text.
        inner: Markup.
        attributes: Of the opening tag.
    """

    name: str
    inner: str
    attributes: list[Attribute]


def is_nothing(raw: str) -> bool:
    """Return whether markup says in a word that there is no value: none, null or n/a."""
    return len(raw) < 100 and raw.strip().casefold() in _UNSAID


def read_confidence(text: str) -> float | None:
    """Return a confidence as it is said in words or figures; None for what is no number from 0 to 1.

    Args:
        text: Such as `0.85`, `.85`, `0,85` (a decimal comma), `85%`, `85 percent`, `8/10`, `8 out of 10`, `~0.9` or
            `0.85 (fairly sure)`. A comma before three digits, as in `1,000`, is no decimal comma, but for `0,125`.
    """
    found = _CONFIDENCE.fullmatch(text.strip()) if len(text) < 300 else None
    if found is None or any(_GROUPED.fullmatch(found[part] or "") for part in ("number", "whole")):
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


def elements(raw: str, names: frozenset[str] | None = None) -> list[Element]:
    """Return the tags at the top of a piece of markup, and the text between them.

    A tag that begins again before it ended counts as ended.

    Args:
        raw: Markup without comments.
        names: The tags that count; None counts all.
    """
    found: list[Element] = []
    mark, name = 0, ""
    attributes: list[Attribute] = []
    for tag in _TAG.finditer(raw):
        word = tag["name"].lower()
        if names is not None and word not in names:
            continue
        is_empty = tag[0].endswith("/>") and not tag["close"]
        if (not name and tag["close"]) or (name and word != name) or (name and is_empty):
            continue
        found.append(Element(name, raw[mark : tag.start()], attributes))
        mark, name = tag.end(), "" if tag["close"] else word
        attributes = _attributes(tag)
        if is_empty:
            found.append(Element(word, "", attributes))
            name, attributes = "", []
    found.append(Element(name, raw[mark:], attributes))
    return [element for element in found if element.name or element.inner.strip()]


def _attributes(tag: re.Match[str]) -> list[Attribute]:
    is_bare = tag["close"] or tag.end("name") == tag.end() - 1
    return [] if is_bare else read_head(Places(tag[0]), tag.end("name") - tag.start()).attributes


def read_list(raw: str, names: frozenset[str], left: list[Attribute], *, skips_nothing: bool = False) -> list[str]:
    """Return a list that is written as tags, as list items, as a JSON list or with commas and semicolons.

    Args:
        raw: Markup without comments.
        names: The tags, in lower case, that hold one entry each; any other is text.
        left: Takes the attributes of such tags that are no part of an entry.
        skips_nothing: Whether a tag that holds `none`, `null` or `n/a` is no entry.
    """
    parts = elements(_LIST_TAG.sub("", raw), names)
    if not any(element.name for element in parts):
        return listed(read_text(raw))
    found: list[str] = []
    for element in parts:
        found += [] if element.name else listed(read_text(element.inner))
        if element.name and not (skips_nothing and is_nothing(element.inner)):
            entry, others = worded(element)
            found.append(read_text(entry))
            left += others
    return [entry for entry in found if entry]


def worded(element: Element) -> tuple[str, list[Attribute]]:
    """Return what a tag says, as markup, and the attributes that are no part of that.

    A tag without content says what its `id`, `ref`, `value` or `name` does. `<alternative name="Redis">too slow` says
    "Redis: too slow".
    """
    attributes = element.attributes
    named = naming(attributes) if attributes else None
    is_empty = not element.inner.strip()
    if named is None or named.value is None or not (is_empty or element.name in _CHOICES):
        return element.inner, attributes
    others = [attribute for attribute in attributes if attribute is not named]
    return named.value if is_empty else f"{named.value.strip()}: {element.inner.strip()}", others


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
    if parts and all(element.name for element in parts):
        return gathered(entry for element in parts for entry in _entries(element)), None
    pairs = [_PAIR.fullmatch(line) for line in text.split("\n") if line.strip()]
    if all(pairs):
        return gathered((pair[1], pair[2].strip()) for pair in pairs if pair), None
    return {"text": text}, "it is no JSON object, no tags and no lines of key: value"


def _entries(element: Element) -> list[tuple[str, str | bool]]:
    """Return what a tag in metadata says: its text, if any, and its attributes as `tag.attribute`."""
    named: list[tuple[str, str | bool]] = [
        (f"{element.name}.{attribute.name}", True if attribute.value is None else read_text(attribute.value))
        for attribute in element.attributes
    ]
    text = read_text(element.inner)
    return [(element.name, text), *named] if text or not named else named


def _json_object(text: str) -> tuple[dict[str, Any] | None, str | None]:
    try:
        found = json.loads(text, strict=False, object_pairs_hook=gathered)  # json itself keeps the last of two keys
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
    """Return the registered types by the squeezed form of their names and aliases.

    Where two are squeezed to the same, names come before aliases, and what was registered first before what came later.
    """
    known = event_types()
    names = [(entry.name, entry.name) for entry in known]
    aliases = [(word, entry.name) for entry in known for word in entry.aliases]
    return {squeezed(word): name for word, name in reversed([*names, *aliases])}
