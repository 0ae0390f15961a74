"""Every knob of the document: the fields of all its types, with the words that each one accepts.

Found by walking the pydantic models themselves, so that a new type, field or word cannot be overlooked.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from crucible import ir
from crucible.ir import Model, Words
from crucible.ir.words import Aliases

__all__ = ["ANY", "Knob", "document_types", "inner_types", "knobs_of", "words_of"]

ANY: typing.Final = ""
"""The word of a field that is no enumeration: whatever it may hold."""

_BARE: typing.Final = frozenset({"Document", "Model", "OpenModel"})
_NO_KNOBS: typing.Final = frozenset({"extra"})
"""Keys that nobody here knows; `validate` warns of them."""


class Knob(NamedTuple):
    """One value that one field of one type accepts.

    Args:
        type: Name of the type, such as `TrainingConfig`.
        field: Name of the field, as in a document.
        word: The word, `true` or `false`; `ANY` where the field is no enumeration.
    """

    type: str
    field: str
    word: str


@functools.cache
def document_types() -> tuple[type[Model], ...]:
    """Return the types of the document that `crucible.ir` offers, by name."""
    found = [getattr(ir, name) for name in sorted(ir.__all__) if name not in _BARE]
    return tuple(each for each in found if isinstance(each, type) and issubclass(each, Model))


def knobs_of(kind: type[Model]) -> Iterator[Knob]:
    """Yield the knobs of a type, in the order of its fields."""
    for name, field in kind.model_fields.items():
        if name not in _NO_KNOBS:
            for word in words_of(field) or (ANY,):
                yield Knob(kind.__name__, field.alias or name, word)


def words_of(field: FieldInfo) -> tuple[str, ...]:
    """Return the words that a field accepts: those of a closed or open enumeration, or of a switch; else none."""
    return tuple(dict.fromkeys(_words([field.annotation, *field.metadata])))


def inner_types(field: FieldInfo) -> tuple[type[Model], ...]:
    """Return the types that a field may hold, itself or in a list."""
    return tuple(each for each in _leaves([field.annotation]) if isinstance(each, type) and issubclass(each, Model))


def _words(annotations: list[Any]) -> Iterator[str]:
    for annotation in annotations:
        if isinstance(annotation, Words):
            yield from (*annotation.known, *annotation.also)
        elif isinstance(annotation, Aliases):
            yield from annotation.canonical
        elif annotation is bool:
            yield from ("false", "true")
        elif get_origin(annotation) is Literal:
            yield from (word for word in get_args(annotation) if isinstance(word, str))
        else:
            yield from _words(list(get_args(annotation)))


def _leaves(annotations: list[Any]) -> Iterator[Any]:
    for annotation in annotations:
        inner = list(get_args(annotation))
        yield from _leaves(inner) if inner else (annotation,)
