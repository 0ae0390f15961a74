"""What documents of the Elixir predecessor hold that has no meaning here."""

from __future__ import annotations

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["NotElixir", "Percent"]


class Percent:
    """Marks a quantile that may be given in percent: 95 is read as 0.95, and written back so."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read percent before the bounds of a quantile are looked at."""
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Let editors take either form."""
        described = handler(schema)
        return {"anyOf": [described, {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 100}]}

    def is_percent(self, value: Any) -> bool:
        """Tell whether a value is a number above 1 and below 100."""
        return isinstance(value, (int, float)) and not isinstance(value, bool) and 1 < value < 100

    def read(self, value: Any) -> Any:
        """Return the quantile of a percentage, anything else as it is."""
        return round(value / 100, 12) if self.is_percent(value) else value


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
