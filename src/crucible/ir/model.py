"""The frozen, strict model that every type of the document builds on, and how its errors are worded.

Unknown keys and wrong types are refused; nothing is coerced, so `rank: "16"` is an error and not a 16. All problems of
a value are reported at once, each with its path, as `SpecErrors`; pydantic's own error never leaves this module.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Strict, ValidationError

from crucible.errors import SpecError, SpecErrors

__all__ = ["Model", "Seq", "did_you_mean", "format_path", "read_plain", "spec_errors_of"]

T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)
Seq = Annotated[tuple[T, ...], Strict(strict=False)]
"""A tuple field that also takes a list."""

_EXPECTED = {
    "int_type": "integer",
    "int_parsing": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "finite number",
    "string_type": "string",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "mapping",
    "model_type": "mapping",
    "model_attributes_type": "mapping",
    "list_type": "list",
    "tuple_type": "list",
    "datetime_type": "date and time with offset",
    "datetime_parsing": "date and time with offset, such as 2026-01-31T12:00:00+00:00",
    "datetime_from_date_parsing": "date and time with offset, such as 2026-01-31T12:00:00+00:00",
    "timezone_aware": "date and time with offset, such as 2026-01-31T12:00:00+00:00",
    "none_required": "nothing (null)",
}
_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)  # pydantic has no public name for it


class _SpecMeta(ModelMetaclass):
    """Makes a bad constructor argument a `SpecErrors`, without slowing nested validation."""

    if not TYPE_CHECKING:

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  # a metaclass
            try:
                return super().__call__(*args, **kwargs)
            except ValidationError as error:
                raise SpecErrors(cls.__name__, spec_errors_of(error, cls)) from None


class Model(BaseModel, metaclass=_SpecMeta):
    """A frozen value of the document: strict types, no unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
        use_attribute_docstrings=False,
    )

    @classmethod
    def read(cls, data: Mapping[str, Any], *, source: str = "") -> Self:
        """Build the value from plain JSON-like data, strictly.

        Args:
            data: Mappings, lists, strings, numbers, booleans and None.
            source: What is being read, for the message; the type's name if empty.

        Raises:
            SpecErrors: Every problem of `data`, each with its path.
        """
        return read_plain(cls, data, source=source or cls.__name__)


def read_plain(kind: type[B], data: Mapping[str, Any], *, source: str, prefix: Sequence[str | int] = ()) -> B:
    """Build any pydantic value from plain JSON-like data, strictly.

    Args:
        kind: What to build.
        data: Mappings, lists, strings, finite numbers, booleans and None.
        source: What is being read, for the message.
        prefix: Path parts in front of each problem's own.

    Raises:
        SpecErrors: Every problem of `data`, each with its path.
    """
    strange = [
        SpecError(f"expected a plain JSON value, got {_show(value)}", path=format_path((*prefix, *path)), code="type")
        for path, value in _not_plain(data, ())
    ]
    if strange:
        raise SpecErrors(source, strange)
    try:
        return kind.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise SpecErrors(source, spec_errors_of(error, kind, prefix)) from None


def _not_plain(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield path and value of everything that JSON has no word for."""
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[Any, Any]", value).items():
            if isinstance(key, str):
                yield from _not_plain(inner, (*path, key))
            else:
                yield path, key
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(cast("Sequence[Any]", value)):
            yield from _not_plain(inner, (*path, place))
    elif not (value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and isfinite(value))):
        yield path, value


def spec_errors_of(error: ValidationError, model: type[BaseModel], prefix: Sequence[str | int] = ()) -> list[SpecError]:
    """Word pydantic's problems in our terms.

    Args:
        error: What pydantic raised.
        model: The model that was being built, for did-you-mean.
        prefix: Path parts in front of each problem's own.
    """
    details = error.errors(include_url=False)
    problems: list[SpecError] = []
    for detail in details:
        loc = tuple(detail["loc"])
        if detail["type"] == "too_short" and any(d["loc"][: len(loc)] == loc and d["loc"] != loc for d in details):
            continue  # pydantic counts the good items only; the bad ones are reported themselves
        code, message = _word(detail, model, loc)
        problems.append(SpecError(message, path=format_path((*prefix, *loc)), code=code))
    return problems


def _word(detail: Any, model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[str, str]:
    """Return (code, message) for one of pydantic's problems."""
    kind: str = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    got = _show(detail["input"])
    code, message = kind, f"{detail['msg']}, got {got}"
    if kind == "missing":
        code, message = "missing", "is required"
    elif kind == "extra_forbidden":
        code, message = "unknown_key", "unknown key" + did_you_mean(str(loc[-1]), _keys_at(model, loc[:-1]))
    elif kind in ("literal_error", "enum"):
        words = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        hint = did_you_mean(str(detail["input"]), words)
        code, message = "choice", f"expected one of {', '.join(words)}; got {got}{hint}"
    elif kind in _EXPECTED:
        code, message = "type", f"expected {_EXPECTED[kind]}, got {got}"
    elif kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        code, message = "range", f"expected a value {words} {context[key]}, got {got}"
    elif kind in ("string_too_short", "too_short"):
        code, message = "empty", f"must not be empty, got {got}"
    elif kind == "string_pattern_mismatch":
        code, message = "pattern", f"expected text that fits {context['pattern']}, got {got}"
    elif kind == "value_error":
        code, message = "invalid", str(context["error"])
    return code, message


def _show(value: Any, limit: int = 60) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except ValueError:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the nearest known word, or the empty string."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def format_path(parts: Sequence[str | int]) -> str:
    """Return a path such as `pipeline[2].options.rank`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _keys_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    for part in loc:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple, list, Annotated):
        for inner in typing.get_args(annotation):
            if found := _model_in(inner):
                return found
    return None
