"""Fields that go by two names: both are read, and the first one is written.

The second name stands for the first everywhere that a value is read. Schemas, hashes and differences know the first
alone; giving both is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

__all__ = ["either", "in_first_names", "names_of"]


def either(first: str, second: str) -> AliasChoices:
    """Return the `validation_alias` of a field that may be given by either name.

    Args:
        first: Its own name, which is written.
        second: The other one.
    """
    return AliasChoices(first, second)


def names_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    """Return every name by which a field can be given: its own, the one that is written, other spellings."""
    choices = field.validation_alias
    others = [each for each in choices.choices if isinstance(each, str)] if isinstance(choices, AliasChoices) else []
    return tuple(dict.fromkeys((name, field.alias or name, *others)))


def in_first_names(kind: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with every second name replaced by the first; keys that the type does not know stay.

    Args:
        kind: Whose fields they are.
        values: By name; of a field that is given by both, the later one counts.
    """
    first = {each: name for name, field in kind.model_fields.items() for each in names_of(name, field)}
    return {first.get(key, key): value for key, value in values.items()}
