"""The frozen, strict model that every type of the document builds on.

Unknown keys and wrong types are refused; nothing is coerced, so `rank: "16"` is an error and not a 16. All problems of
a value are reported at once, each with its path, as `SpecErrors`; pydantic's own error never leaves this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from crucible.errors import SpecError, SpecErrors
from crucible.ir.validation_plain import encode_plain, is_plain, strange_in
from crucible.ir.wording import spec_errors_of
from crucible.ir.wording_text import did_you_mean, format_path, label_of, show

__all__ = [
    "Document",
    "Model",
    "OpenModel",
    "Seq",
    "did_you_mean",
    "format_path",
    "read_plain",
    "spec_errors_of",
]

T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)
M = TypeVar("M", bound="Model")
Seq = Annotated[tuple[T, ...], Strict(strict=False)]
"""A tuple field that also takes a list."""


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

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Build a value without looking at its fields, and remember that nobody did: `validate` will."""
        return _marked(super().model_construct(_fields_set, **values))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; what `update` brings is not looked at, and `validate` will know.

        Args:
            update: New values by field name.
            deep: Whether inner values are copied too.
        """
        copied = super().model_copy(update=update, deep=deep)
        return _marked(copied) if update else copied


class _Unchecked(set[str]):
    """The names of a value's fields, where nobody has looked at what they hold; `validate` tells it by its class."""


def _marked(value: M) -> M:
    object.__setattr__(value, "__pydantic_fields_set__", _Unchecked(value.model_fields_set))
    return value


class Document(Model):
    """A type of the document: a `Model` that can keep what a newer or foreign writer added."""

    extra: dict[str, Any] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Keys that were not known when the document was read leniently.",
    )


class OpenModel(Model):
    """A part of a provider's answer: keys that nobody here knows, such as `logprobs`, are kept."""

    model_config = ConfigDict(extra="allow")


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
    if not is_plain(data):
        found = [(format_path((*prefix, *path)), value) for path, value in strange_in(data)]
        if found:
            raise SpecErrors(source, [_strange(path, value, kind) for path, value in found])
    try:
        return kind.__pydantic_validator__.validate_json(encode_plain(data))
    except ValidationError as error:
        raise SpecErrors(source, spec_errors_of(error, kind, prefix)) from None


def _strange(path: str, value: Any, kind: type[BaseModel]) -> SpecError:
    label = label_of(path, kind.__name__)
    return SpecError(f"{label} must be a plain JSON value, got {show(value, label)}", path=path, code="type")
