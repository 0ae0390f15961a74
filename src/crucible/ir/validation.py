"""Everything that can be said about a document without carrying it out: `validate`, `is_valid`, `errors`.

Types, ranges and words, rules across fields, words that look mistyped, keys without effect and secrets, in the order of
the document. What was handed in may be anything: what is no document is an issue, never an exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import ValidationError

from crucible.errors import SpecErrors
from crucible.ir import (
    rules_deployment,
    rules_experiment,
    rules_pipeline,
    rules_prompt,
    rules_reliability,
    rules_training,
)
from crucible.ir.experiment import Experiment
from crucible.ir.issue import Issue
from crucible.ir.model import Model
from crucible.ir.predecessor import Percent
from crucible.ir.reliability import HedgingConfig, ReliabilityConfig
from crucible.ir.secrets_scan import secrets_in
from crucible.ir.validation_fit import fitting
from crucible.ir.validation_plain import encode_plain, is_plain, is_text, strange_in
from crucible.ir.validation_walk import Walk, secret_issue, strange_issue
from crucible.ir.wording import problems_in
from crucible.ir.wording_schema import Place, place_of
from crucible.ir.wording_text import format_path, show

__all__ = ["Unreadable", "errors", "is_valid", "validate"]

RULES = (rules_deployment, rules_experiment, rules_pipeline, rules_prompt, rules_reliability, rules_training)
"""Modules whose import registers the rules of the document itself."""

Path = tuple[str | int, ...]
Found = tuple[Path, Issue]


def validate(x: Any, kind: type[Model] | None = None) -> list[Issue]:
    """Return everything that is wrong with a value of the document, or looks wrong, in document order.

    Args:
        x: A value of any type of the document, or plain data that should be one; anything else is one issue.
        kind: What it should be; None: its own type, and an experiment where it is plain data.

    Returns:
        Errors and warnings; empty if there is nothing to say.
    """
    asked: Any = kind or (type(x) if isinstance(x, Model) else Experiment)
    name = getattr(asked, "__name__", str(asked))
    if not isinstance(asked, type) or not issubclass(asked, Model):
        return [Issue("", "kind", f"{name} is no type of the document; expected one such as {Experiment.__name__}")]
    if isinstance(x, Model) and not isinstance(x, asked):
        return [Issue("", "type", f"the value must be of the type {name}, got {type(x).__name__}")]
    try:
        if isinstance(x, Model):
            return _in_order(_of_value(x), type(x))
        found = _of_plain(cast("Mapping[Any, Any]", x), asked) if isinstance(x, Mapping) else [_no_map(x, name)]
        return _in_order([*found, *_in_percent(x, asked)], asked)
    except RecursionError:
        return [Issue("", "depth", f"{name} is nested too deeply, or holds itself")]
    except Exception as problem:  # noqa: BLE001  # an object that raises when it is looked at
        return [Issue("", "type", f"{name} cannot be looked at: it raises {type(problem).__name__}")]


def is_valid(x: Any, kind: type[Model] | None = None) -> bool:
    """Tell whether `validate` finds no error; warnings do not count."""
    return not errors(x, kind)


def errors(x: Any, kind: type[Model] | None = None) -> list[str]:
    """Return the errors that `validate` finds, as sentences with their paths; warnings are left out."""
    return [str(issue) for issue in validate(x, kind) if issue.severity == "error"]


def _of_value(value: Model) -> Sequence[Found]:
    """Return what there is to say about a built value; its types are checked again only if somebody went past them."""
    walk = Walk()
    walk.model(value)
    return _of_plain(_plain(value), type(value)) if walk.is_unchecked else walk.found


def _of_plain(data: Mapping[Any, Any], kind: type[Model]) -> list[Found]:
    """Return what there is to say about plain data, built values in it included."""
    strange: list[Found] = []
    if not is_plain(data):
        plain = _plain(data)
        if not isinstance(plain, Mapping):
            return [((), Issue("", "type", f"{kind.__name__} must be a map that can be read; this one raises"))]
        data = cast("Mapping[Any, Any]", plain)
        strange = _strange(data)
    migrations = getattr(kind, "migrations", None)
    try:
        if strange:
            data = _without(data, {path for path, _ in strange})
        if migrations is not None:
            data = migrations.apply(data, source=kind.__name__)
        text = encode_plain(data)
    except SpecErrors as problems:
        return [*strange, *(((problem.path,), Issue.of(problem)) for problem in problems.errors)]
    except ValueError as problem:
        return [((), Issue("", "type", f"{kind.__name__} must be plain JSON data ({problem})"))]
    walk = Walk(is_partial=bool(strange))
    try:
        walk.model(kind.__pydantic_validator__.validate_json(text))
    except ValidationError as error:
        if not strange and _strange(data) and isinstance(data, dict):
            return _of_plain(_Seen(data), kind)  # half of a surrogate pair, which the quick look passes over
        walk = Walk(is_partial=True)
        if (partial := fitting(kind, text)) is not None:
            walk.model(cast("Model", partial))
        problems = [
            (parts, Issue(format_path(parts), code, message)) for parts, code, message in problems_in(error, kind)
        ]
        secrets = [(path, secret_issue(path, what)) for path, what in secrets_in(data)]
        more = [(path, issue) for path, issue in walk.found if issue.code != "secret"]
        return _without_repeats(strange, [*problems, *secrets], more)
    return _without_repeats(strange, [], walk.found)


_HEDGING: dict[type[Model], Path] = {
    Experiment: ("reliability", "hedging"),
    ReliabilityConfig: ("hedging",),
    HedgingConfig: (),
}


def _in_percent(data: Any, kind: type[Model]) -> list[Found]:
    """Return the warning of a percentile that is given in percent, which the value that is built does not tell."""
    path = _HEDGING.get(kind)
    for part in path or ():
        data = cast("Mapping[str, Any]", data).get(str(part)) if isinstance(data, Mapping) else None
    if path is None or not isinstance(data, Mapping):
        return []
    value = cast("Mapping[str, Any]", data).get("percentile")
    if not Percent().is_percent(value):
        return []
    place = (*path, "percentile")
    message = f"percentile should be a quantile, got {show(value)}, which is read as percent: {Percent().read(value):g}"
    return [(place, Issue(format_path(place), "deprecated", message, "warning"))]


def _no_map(x: Any, name: str) -> Found:
    return (), Issue("", "type", f"{name} must be a map, got {show(x)}")


class _Seen(dict[Any, Any]):
    """Plain data that is not taken for plain at a quick look."""


class Unreadable:
    """Stands for a mapping or a list that raises when it is read."""


def _strange(data: Any) -> list[Found]:
    return [(path, strange_issue(path, value)) for path, value in strange_in(data)]


def _without_repeats(strange: Iterable[Found], problems: Iterable[Found], more: Iterable[Found]) -> list[Found]:
    """Join findings; of one place that does not fit, and of what is in it, nothing else is said."""
    kept = list(strange)
    for batch in (problems, more):
        taken = {path for path, issue in kept if issue.severity == "error"}
        kept += [
            (path, issue) for path, issue in batch if not any(path[:size] in taken for size in range(len(path) + 1))
        ]
    return kept


def _plain(value: Any) -> Any:
    """Return a built value as plain data; what JSON has no word for stays, to be named."""
    try:
        return _opened(value)
    except (RecursionError, SpecErrors):
        raise
    except Exception:  # noqa: BLE001  # a subclass of dict may do anything
        return Unreadable()


def _opened(value: Any) -> Any:
    if isinstance(value, Model):
        fields = type(value).model_fields.items()
        given = {field.alias or name: vars(value)[name] for name, field in fields if name in vars(value)}
        return {key: _plain(inner) for key, inner in (given | (value.__pydantic_extra__ or {})).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in cast("Sequence[Any]", value)]
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in cast("Mapping[Any, Any]", value).items()}
    return value.isoformat() if isinstance(value, datetime) else value


def _without(value: Any, paths: set[Path], path: Path = ()) -> Any:
    """Return plain data with null at the places that hold no JSON, and without the keys that are no text."""
    if path in paths and not isinstance(value, (Mapping, list, tuple)):
        return None
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {
            key: _without(inner, paths, (*path, key)) for key, inner in items if isinstance(key, str) and is_text(key)
        }
    if isinstance(value, (list, tuple)):
        return [_without(inner, paths, (*path, i)) for i, inner in enumerate(cast("Sequence[Any]", value))]
    return value


def _in_order(found: Sequence[Found], kind: type[Model]) -> list[Issue]:
    """Sort by the order of fields and items; what is said of one place stays as it came, errors first."""
    if not found:
        return []
    whole = place_of(kind)
    ranked = sorted(found, key=lambda item: (_ranks(whole, item[0]), item[1].severity))
    return list(dict.fromkeys(issue for _, issue in ranked))


def _ranks(place: Place, parts: Path) -> tuple[int, ...]:
    """Return the place of each part among its siblings; keys that the type does not list come last, in their order."""
    ranks: list[int] = []
    for part in parts:
        place = _with_fields(place)
        keys = [key for key in place.fields() if key != "extra"]
        ranks.append(part if isinstance(part, int) else keys.index(part) if part in keys else len(keys))
        place = place.child(part)
    return tuple(ranks)


def _with_fields(place: Place) -> Place:
    """Return the branch of a union that has fields."""
    choices = place.choices()
    branches = choices.values() if isinstance(choices, dict) else choices
    return next((branch for branch in branches if branch.fields()), place)
