"""Multiple choice: the letter that an answer chooses, however it says so: `B`, `(B)`, `**B**`, `The answer is B`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

from crucible.data.final_answer import answered_part, declared_answers
from crucible.data.items import Item
from crucible.data.scoring.scorer import NO_ANSWER, bounded
from crucible.errors import DataError
from crucible.ir import Failed, Outcome, Scored

__all__ = ["choice_match", "read_choice"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DRESS = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{|[*_$`\"{}“”]+|(?<!\w)'|'(?!\w)")
_ALONE = re.compile(r"\W*([A-Za-z])\W*")
_LEADING = re.compile(
    r"""
    \s* (?:(?:option|choice|letter)\s+)?
    (?: [(\[]\s*(?P<in_brackets>[A-Za-z])\s*[)\]]
      | (?P<letter>[A-Z])(?P<mark>[ \t]*[).:,;!\]]|[ \t]*(?=\n|$)|[ \t]+[-–—](?=\s))?(?!\w)
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ANOTHER = re.compile(
    r"[\s).:,;\]]*(?:or|and|&|/|,|;)\s*(?:option\s+|choice\s+)?[(\[]?(?-i:[A-Z])(?!\w)", re.IGNORECASE
)
_LISTED = re.compile(r"[(\[]?A(?P<mark>[).:\]])\s.*?(?<!\w)[(\[]?B(?P=mark)\s", re.DOTALL)
_RIGHT = re.compile(
    r"(?:\(([A-Z])\)|\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nswer)\s+([A-Z]))"
    r"\s+is\s+(?:clearly\s+|indeed\s+)?(?:the\s+)?(?:only\s+)?(?:correct|right|best|true)\b"
)
_NAMED = re.compile(r"\(([A-Z])\)|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+([A-Z])\b")
_DENIAL = re.compile(r"\b(?:not|no|neither|wrong|incorrect|false|cannot|eliminated?)\b|n't\b", re.IGNORECASE)
_DENIED = re.compile(
    r"\s+(?:is|was|are|would\s+be|can|could|does|do|seems)(?:\s+not\b|n't\b|not\b|\s+(?:wrong|incorrect|false)\b)",
    re.IGNORECASE,
)
_AFTER_ARTICLE = re.compile(r"\s+(?:because|since|as|for|due|is|was|and|or)\b|\s*[^\w\s]|\s*$")


def read_choice(text: str, choices: int | Sequence[str] = 10) -> str | None:
    r"""Return the letter that an answer chooses, in upper case, or None if it chooses none, or several.

    In this order: the whole answer is a letter; the letter where the text says that its answer is (`####`, `\boxed{…}`,
    `answer is`); a letter that the text begins with (`B.`, `(b)`, `B: Paris`), where it does not go through the choices
    (`A. Paris B. Rome`); the text of one choice; the only letter that is said to be right (`Option B is correct`), else
    the only one that is named (`(B)`, `option B`) in a text that denies nothing. The article `A` and the pronoun `I`
    are no letters: `The answer is a cat` chooses nothing.

    Args:
        text: The answer.
        choices: How many there are, 2 to 26, or their texts.

    Raises:
        DataError: There are fewer than 2 choices, or more than 26.
    """
    texts = () if isinstance(choices, int) else tuple(choices)
    count = choices if isinstance(choices, int) else len(texts)
    if not 2 <= count <= len(_LETTERS):
        raise DataError(f"a multiple-choice question has 2 to {len(_LETTERS)} choices, got {count}")
    text = answered_part(text)
    for how, span in declared_answers(text):
        found = _whole(_plain(span), texts) or _leading(_plain(span))
        if found or how == "boxed":
            return _among(found, count)
    plain = _plain(text)
    found = _whole(plain, texts) or _leading(plain, is_declared=False) or _only_named(plain)
    return _among(found, count)


def _plain(text: str) -> str:
    return _DRESS.sub("", text.replace("’", "'")).strip()


def _among(letter: str | None, count: int) -> str | None:
    return letter if letter and len(letter) == 1 and letter in _LETTERS[:count] else None


def _whole(text: str, texts: Sequence[str]) -> str | None:
    """Return the letter that a text is, or whose choice it is."""
    for letter, choice in zip(_LETTERS, texts, strict=False):
        if _folded(text) == _folded(choice):
            return letter
    alone = _ALONE.fullmatch(text)
    return None if alone is None else alone[1].upper()


def _leading(text: str, *, is_declared: bool = True) -> str | None:
    """Return the letter that a text begins with; `?` where it begins with several."""
    match = _LEADING.match(text)
    if match is None:
        return None
    letter = match["in_brackets"] or match["letter"]
    if not is_declared and _LISTED.match(text):
        return None
    if _ANOTHER.match(text, match.end()) or (match["mark"] and _ANOTHER.match(text, match.start("mark"))):
        return "?"
    is_marked = match["in_brackets"] is not None or (match["mark"] is not None and letter.isupper())
    is_marked = is_marked or (match["mark"] or "").strip().startswith((")", ".", ":"))
    is_word = letter.islower() or (letter in "AI" and not _AFTER_ARTICLE.match(text, match.end()))
    if _DENIED.match(text, match.end()) or not (is_marked or (is_declared and not is_word)):
        return None
    return letter.upper()


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def _only_named(text: str) -> str | None:
    right = {one or two for one, two in _RIGHT.findall(text)}
    if len(right) == 1:
        return right.pop()
    named = {one or two for one, two in _NAMED.findall(text)}
    return named.pop() if len(named) == 1 and not _DENIAL.search(text) else None


@bounded(0.0, 1.0)
def choice_match(item: Item, output: str) -> Outcome:
    """Score 1.0 if the answer chooses the expected letter, else 0.0; an answer that chooses none, or several, is 0.0.

    Args:
        item: Skipped without an expected answer: a letter, or the text of one of `metadata["choices"]`. These texts,
            where they are given, are answers too, and no letter beyond them is one.
        output: The model's answer; see `read_choice`.
    """
    if item.expected is None:
        return NO_ANSWER
    given = item.metadata.get("choices", 10)
    is_texts = isinstance(given, (list, tuple)) and all(isinstance(each, str) for each in cast("list[object]", given))
    if not (is_texts or isinstance(given, int)):
        return Failed('"choices" is a list of texts')
    choices = cast("Sequence[str] | int", given)
    try:
        wanted = read_choice(item.expected, choices)
    except DataError as error:
        return Failed(str(error))
    if wanted is None:
        return Failed(f'the expected answer "{item.expected:.40}" is no choice')
    return Scored(float(read_choice(output, choices) == wanted))
