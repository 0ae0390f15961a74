"""What is wrong with a value, in the document's own words: `epochs must be an integer, got "ten"`.

One engine words the problems that pydantic finds, for constructors, for reading, for the options of stages and for
`validate`. A path never holds the name of a union's branch, and a value that fits no branch is one problem.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core.core_schema import ErrorType

from crucible.errors import SpecError
from crucible.ir.wording_schema import Place, place_of
from crucible.ir.wording_terms import bounds_words, item_word, type_words, union_words
from crucible.ir.wording_text import did_you_mean, format_path, label_of, show
from crucible.ir.words import SEMVER

__all__ = ["Problem", "problems_in", "spec_errors_of"]

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """One thing that is wrong.

    Args:
        parts: Where, as keys and indices.
        code: A stable word for programs.
        message: What is wrong, beginning with the last name of the path.
    """

    parts: Path
    code: str
    message: str


class _Found(NamedTuple):
    """One of pydantic's problems: what is left of its place, and what it says."""

    rest: Path
    detail: Mapping[str, Any]


_PATTERNS = {
    SEMVER: "must be a valid semver format (e.g., 1.0.0)",
    r"^[\w.]+:[\w.]+$": "must be an import path (e.g., package.module:Name)",
    r"^[^\x00-\x1f\x7f]*$": "must be text without control characters",
    "^/": 'must begin with "/"',
    "^[0-9a-f]{64}$": "must be a SHA-256 digest (64 hex digits)",
    r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$": 'must be letters, digits, spaces and "._-", and begin with a letter or digit',
}
_ALSO_TYPES = ("finite_number", "timezone_aware", "int_from_float", "none_required")
_RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
_FOREIGN = re.compile(r"^(Input|Value|String|List|Tuple|Set|Dictionary|Data) should ")
_CODES = {"choice": 2, "type": 3}


def spec_errors_of(error: ValidationError, model: type[BaseModel], prefix: Sequence[str | int] = ()) -> list[SpecError]:
    """Word pydantic's problems in our terms.

    Args:
        error: What pydantic raised.
        model: The model that was being built.
        prefix: Path parts in front of each problem's own.
    """
    found = problems_in(error, model, tuple(prefix))
    return [SpecError(message, path=format_path(parts), code=code) for parts, code, message in found]


def problems_in(error: ValidationError, model: type[BaseModel], prefix: Path = ()) -> list[Problem]:
    """Return pydantic's problems in our terms, in the order in which it met them.

    Args:
        error: What pydantic raised.
        model: The model that was being built.
        prefix: Path parts in front of each problem's own.
    """
    found = [_Found(detail["loc"], cast("Mapping[str, Any]", detail)) for detail in error.errors(include_url=False)]
    whole = place_of(model)
    return list(_problems(found, whole, whole, prefix, model.__name__))


def _problems(found: Sequence[_Found], place: Place, parent: Place, path: Path, whole: str) -> Iterator[Problem]:
    """Yield the problems at a place and below it; `whole` names the whole value, whose path may be empty."""
    if place.choices():
        yield from _of_union(found, place, parent, path, whole)
        return
    below: dict[str | int, list[_Found]] = {}
    for rest, detail in found:
        if rest:
            below.setdefault(rest[0], []).append(_Found(rest[1:], detail))
    is_deeper = bool(below)
    for rest, detail in found:
        if rest and (inner := below.pop(rest[0], None)):
            part = rest[0]
            is_named = place.kind or not _is_label(part)
            deeper = (*path, part) if is_named and part != "[key]" else path
            yield from _problems(inner, place.child(part), place, deeper, whole)
        elif not rest and not (detail["type"] == "too_short" and is_deeper):
            # pydantic counts the good items only; the bad ones are reported themselves
            yield _worded(detail, place, parent, path, whole)


def _is_label(part: str | int) -> bool:
    """Whether a part looks like the name of a union's branch: only asked where the type is not known."""
    return isinstance(part, str) and ("[" in part or part == "constrained-str")


def _of_union(found: Sequence[_Found], place: Place, parent: Place, path: Path, whole: str) -> Iterator[Problem]:
    """Yield the problems of the branch that fits best, or the one that no branch fits."""
    groups: dict[str | int, list[_Found]] = {}
    for rest, detail in found:
        if rest:
            groups.setdefault(rest[0], []).append(_Found(rest[1:], detail))
        else:  # of the tag itself
            yield _worded(detail, place, parent, path, whole)
    branches = _branches(list(groups), place)
    worded = [list(_problems(group, branches[label], parent, path, whole)) for label, group in groups.items()]
    if not worded:
        return
    best = min(worded, key=lambda problems: (_misfit(problems, path), len(problems)))
    if _misfit(best, path) < _CODES["choice"]:
        first = [problem for problem in best if problem.parts == path][
            :1
        ]  # branches of one name are told apart no more
        yield from first or best
    else:
        value = next(detail["input"] for rest, detail in found if len(rest) == 1)
        label = label_of(format_path(path), whole)
        message, words = union_words(place)
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        code = "choice" if words else "type"
        yield Problem(path, code, f"{label} {message}, got {show(value, label)}{hint}")


def _misfit(problems: Sequence[Problem], path: Path) -> int:
    """Return how badly a branch fits: 0 if only parts are wrong, up to 3 if the value is of another kind."""
    return max((_CODES.get(code, 1) for parts, code, _ in problems if parts == path), default=0)


def _branches(labels: Sequence[str | int], place: Place) -> dict[str | int, Place]:
    """Return the branch of each label; pydantic tries them in order and names them by their kind."""
    choices = place.choices()
    if isinstance(choices, dict):
        return {label: choices.get(str(label), place.at(None)) for label in labels}
    if len(choices) == len(labels):
        return dict(zip(labels, choices, strict=True))
    left, found = iter(choices), dict.fromkeys(labels, place.at(None))
    for label in labels:  # two branches of one name have one label
        found[label] = next((branch for branch in left if _is_named(branch, str(label))), place.at(None))
    return found


def _is_named(branch: Place, label: str) -> bool:
    name = branch.cls.__name__ if branch.cls else "str" if branch.kind == "str" else branch.kind
    return name in label


def _worded(detail: Mapping[str, Any], place: Place, parent: Place, path: Path, whole: str) -> Problem:
    """Return one of pydantic's problems in our terms."""
    label = label_of(format_path(path), whole)
    code, words, hint = _words(detail, place, parent, str(path[-1]) if path else "")
    if detail["input"] is None and path and (default := parent.default_of(str(path[-1]))) is not None:
        words = type_words(place) if code == "missing" else words
        code = "type" if code == "missing" else code
        words += f" (leave it out for the default {show(default)})"
    if code in ("unknown_key", "clash", "invalid"):
        return Problem(path, code, words)
    if detail["type"] in ("missing", "json_invalid") or detail["type"] not in _known_kinds():
        return Problem(path, code, f"{label} {words}")
    return Problem(path, code, f"{label} {words}, got {show(detail['input'], label)}{hint}")


def _words(detail: Mapping[str, Any], place: Place, parent: Place, key: str) -> tuple[str, str, str]:
    """Return code, words and hint."""
    kind: str = detail["type"]
    value = detail["input"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    is_bound = kind in _RANGE and place.kind in ("int", "float")
    if kind == "missing":
        return "missing", "is required", ""
    if kind == "extra_forbidden":
        return *_of_key(key, parent), ""
    if kind == "value_error":
        return "invalid", str(context["error"]), ""
    if is_bound or kind.endswith(("_type", "_parsing")) or kind in _ALSO_TYPES:
        return ("range", bounds_words(place, value), "") if is_bound else _of_type(place, value, detail)
    if kind in ("literal_error", "enum"):
        return _of_choice(place, value)
    return *_of_form(kind, place, context, detail["msg"]), ""


def _of_key(key: str, parent: Place) -> tuple[str, str]:
    """Word a key that the type does not have, or that it has under another name and got by that."""
    if (first := parent.first_name_of(key)) != key:
        return "clash", f"is another name of {first}, which is given, too; leave one of them out"
    return "unknown_key", "unknown key" + did_you_mean(key, parent.fields())


def _of_type(place: Place, value: Any, detail: Mapping[str, Any]) -> tuple[str, str, str]:
    """Word a value of another type; a null where something must stand is a missing value."""
    if value is None and place.kind in ("str", "datetime", "model-fields"):
        return "missing", "is required", ""
    if detail["type"] == "finite_number":
        return "type", "must be a finite number", ""
    return "type", type_words(place) or _foreign(detail["msg"]), ""


def _of_choice(place: Place, value: Any) -> tuple[str, str, str]:
    """Word a value that is none of certain words, or of certain numbers."""
    expected: Sequence[Any] = place.get("expected") or ()
    if expected and not isinstance(value, int) and all(isinstance(word, int) for word in expected):
        return "type", "must be an integer", ""
    words, known = union_words(place)
    return "choice", words, did_you_mean(value, known) if isinstance(value, str) else ""


def _of_form(kind: str, place: Place, context: Mapping[str, Any], message: str) -> tuple[str, str]:
    """Word a value of the right type that is too short, of another form, or wrong in a stranger's eyes."""
    if kind == "too_short":
        least = context["min_length"]
        return "empty", f"must contain at least {'one' if least == 1 else least} {item_word(place)}"
    if kind == "string_too_short" and context["min_length"] == 1:
        return "empty", "must be a non-empty string"
    if kind == "string_pattern_mismatch":
        return "pattern", _PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    if kind == "json_invalid" and "recursion" in context["error"]:
        return "depth", "is nested too deeply"
    if kind == "json_invalid":
        return kind, f"must be plain JSON data ({context['error']})"
    return kind, _foreign(message)


@functools.cache
def _known_kinds() -> frozenset[str]:
    """Return pydantic's own kinds of problems; the message of any other was made with care, and says it all."""
    return frozenset(cast("Sequence[str]", get_args(ErrorType)))


def _foreign(message: str) -> str:
    return _FOREIGN.sub("must ", message)
