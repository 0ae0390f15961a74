"""Changing single values of a document before it is read, as `--set path=value` does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from crucible.errors import SpecError
from crucible.ir.yaml_text import parse_yaml

__all__ = ["apply_overrides"]

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PATH = re.compile(r"[^.\[\]]+(\[\d+\])*(\.[^.\[\]]+(\[\d+\])*)*")


def apply_overrides(data: dict[str, Any], overrides: Iterable[str]) -> None:
    """Set values in plain document data, in place.

    Args:
        data: The document, as read from its file.
        overrides: Such as `pipeline[2].options.rank=8`; the value is YAML. Mappings on the way are made.

    Raises:
        SpecError: An override has no `=`, its path leads through something that is no mapping or list, or its value
            is not YAML.
    """
    for override in overrides:
        path, equals, text = override.partition("=")
        parts = _parts(path)
        if not equals or not parts:
            raise SpecError(f'expected --set path=value, got "{override}"', code="override")
        try:
            value = parse_yaml(text)
        except ValueError as error:
            raise SpecError(f"the value of --set is not YAML: {error}", path=path, code="override") from None
        _assign(data, parts, value, path)


def _parts(path: str) -> list[str | int]:
    """Return `["a", 2, "b"]` for `a[2].b`; empty for anything else."""
    if not _PATH.fullmatch(path):
        return []
    return [int(place) if place else name for name, place in _PART.findall(path)]


def _assign(data: dict[str, Any], parts: list[str | int], value: Any, path: str) -> None:
    here: Any = data
    for part in parts[:-1]:
        _require_place(here, part, path)
        if isinstance(part, str) and here.get(part) is None:
            here[part] = {}
        here = here[part]
    _require_place(here, parts[-1], path)
    here[parts[-1]] = value


def _require_place(here: Any, part: str | int, path: str) -> None:
    if isinstance(part, str):
        if not isinstance(here, dict):
            raise SpecError(f'"{part}" leads through something that is no mapping', path=path, code="override")
    elif not isinstance(here, list) or part >= len(cast("list[Any]", here)):
        raise SpecError(f"there is no [{part}] in the document", path=path, code="override")
