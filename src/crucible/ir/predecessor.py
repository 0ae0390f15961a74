"""What documents of the Elixir predecessor hold that has no meaning here."""

from __future__ import annotations

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["NotElixir"]


class NotElixir:
    """Marks a field that must not name an Elixir module, as the predecessor's stages did: `Elixir.My.Stage`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuse such a name before its form is looked at, and say what to do."""
        return core_schema.no_info_before_validator_function(self._refuse, handler(source))

    def is_foreign(self, value: Any) -> bool:
        """Tell whether a value is the name of an Elixir module."""
        return isinstance(value, str) and value.startswith("Elixir.")

    def _refuse(self, value: Any) -> Any:
        if self.is_foreign(value):
            message = "names an Elixir module; leave it out, and the stage that is registered under the name is used"
            raise PydanticCustomError("elixir_module", message)
        return value
