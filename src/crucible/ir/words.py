"""Words of the document's enumerations: closed ones are `Literal`s, open ones are text with a list of known words.

An open word that is not known still loads, because a stranger's stage or backend may understand it; whether somebody
does is for `crucible validate` to say. Aliases are read and written back as the word that they stand for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

__all__ = ["SEMVER", "Aliases", "Name", "SemVer", "Words", "aliased"]


@dataclasses.dataclass(frozen=True)
class Words:
    """Marks a text field as an open word, and lists the words that Crucible knows.

    Args:
        known: Known words, in the order in which they are shown.
        also: Further words that somebody understands: near to a known one, and yet no slip of the keyboard.
    """

    known: tuple[str, ...]
    also: tuple[str, ...] = ()

    @property
    def all(self) -> frozenset[str]:
        """Every word that is understood."""
        return frozenset((*self.known, *self.also))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Offer the known words to editors without refusing others."""
        return {**handler(schema), "examples": list(self.known)}


@dataclasses.dataclass(frozen=True)
class Aliases:
    """Marks a field whose words have other names.

    Args:
        canonical: Word to write, by the name that is read.
    """

    canonical: Mapping[str, str]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Let editors take the other names as well."""
        described = handler(schema)
        words = described.get("enum")
        return (
            {**described, "enum": [*words, *(name for name in self.canonical if name not in words)]}
            if words
            else described
        )

    def resolve(self, value: Any) -> Any:
        """Return the canonical word for an alias, anything else as it is."""
        return self.canonical.get(value, value) if isinstance(value, str) else value


def aliased(**canonical: str) -> tuple[BeforeValidator, Aliases]:
    """Return the annotations of a field whose words have aliases, to be unpacked into `Annotated`."""
    aliases = Aliases(canonical)
    return BeforeValidator(aliases.resolve), aliases


Name = Annotated[str, StringConstraints(min_length=1)]
"""Text that is not empty."""

SEMVER = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$"
)
"""Semantic Versioning 2.0.0, https://semver.org."""

SemVer = Annotated[str, StringConstraints(pattern=SEMVER)]
"""A version such as `1.0.0` or `1.2.0-rc.1+build.5`."""
