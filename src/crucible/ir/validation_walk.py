"""One walk over a built value: what its rules say, words that look mistyped, maps that fit no type, secrets.

Only fields that were given are looked at: defaults hold nothing to warn of. The walk is the hot path of `validate`.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from pydantic import ValidationError

from crucible.ir.issue import Issue
from crucible.ir.model import Document, Model
from crucible.ir.rules import Rule, rules_of
from crucible.ir.secrets_scan import is_quiet, looks_secret, secrets_in
from crucible.ir.validation_plain import encode_plain, is_plain, strange_in
from crucible.ir.wording import problems_in
from crucible.ir.wording_schema import place_of
from crucible.ir.wording_text import did_you_mean, format_path, hidden, label_of, nearest, show
from crucible.ir.words import Words

__all__ = ["Walk", "secret_issue", "strange_issue"]

Path = tuple[str | int, ...]
Found = tuple[Path, Issue]

_PART = re.compile(r"[^.\[\]]+")
_PLAIN = frozenset((int, float, bool))
_SHORT = 15
"""Text of a field that is no longer cannot be a secret; the names of fields never say that something is one."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """What there is to look at in the values of a type, by field name.

    Args:
        words: Known words of open words.
        maps: Maps to warn of: what they could have been, or under `extra` the type itself.
        keys: Names in the document, where they differ from those of the fields.
        takes_extra: Whether the type keeps unknown keys as they are.
    """

    words: dict[str, frozenset[str]]
    maps: dict[str, type[Model]]
    keys: dict[str, str]
    takes_extra: bool


class Walk:
    """Collects what there is to say about a value and everything in it.

    Args:
        is_partial: Whether fields may be missing because they do not fit; a rule that asks for one is passed over.
    """

    def __init__(self, *, is_partial: bool = False) -> None:
        self.found: list[Found] = []
        self.is_unchecked = False
        self._is_partial = is_partial

    def model(self, value: Model, path: Path = ()) -> None:
        """Look at a value and what is in it."""
        names = value.__pydantic_fields_set__
        if names.__class__ is not set:
            self.is_unchecked = True
            return
        plan = _plans.get(value.__class__) or _plan_of(value.__class__)
        fields = value.__dict__
        for name in names:
            inner: Any = fields.get(name)  # None for what only `__pydantic_extra__` holds
            kind = inner.__class__
            if kind is str:
                if len(inner) > _SHORT or name in plan.words:
                    self._text(inner, plan.words.get(name), (*path, name))
            elif kind is dict:
                if name in plan.maps or not is_quiet(inner):
                    self._map(inner, name, plan, (*path, plan.keys.get(name, name)))
            elif inner is not None and kind not in _PLAIN:
                self._field(inner, name, plan, path)
        if plan.takes_extra and value.__pydantic_extra__:
            self._opaque(value.__pydantic_extra__, path)
        if rules := rules_of(value.__class__):
            self._ask(rules, value, path)

    def _ask(self, rules: Iterable[Rule[Any]], value: Model, path: Path) -> None:
        for check in rules:
            try:
                for issue in check(value):
                    self._add((*path, *_parts(issue.path)), issue.code, issue.message, issue.severity)
            except Exception as problem:  # noqa: BLE001  # a stranger's rule may do anything, and validate never raises
                if not (self._is_partial and isinstance(problem, AttributeError)):
                    name = f"{check.__module__}.{getattr(check, '__qualname__', type(check).__qualname__)}"
                    message = f"the rule {name} failed ({type(problem).__name__}); report it to whoever wrote it"
                    self._add(path, "rule", message, "error")

    def _field(self, inner: Any, name: str, plan: _Plan, path: Path) -> None:
        if inner.__class__ is tuple:
            self._items(inner, name, plan, path)
        elif isinstance(inner, Model):
            self.model(inner, (*path, plan.keys.get(name, name)))
        elif not isinstance(inner, datetime) and not is_quiet(inner):
            self._opaque(inner, (*path, name))

    def _items(self, items: tuple[Any, ...], name: str, plan: _Plan, path: Path) -> None:
        words = plan.words.get(name)
        key = plan.keys.get(name, name)
        for place, item in enumerate(items):
            if item.__class__ is str:
                if len(item) > _SHORT or words is not None:
                    self._text(item, words, (*path, key, place))
            elif isinstance(item, Model):
                self.model(item, (*path, key, place))
            elif not is_quiet(item):
                self._opaque(item, (*path, key, place))

    def _text(self, text: str, known: frozenset[str] | None, path: Path) -> None:
        if known is not None and text not in known and (near := nearest(text, known)):
            label = label_of(format_path(path))
            message = f'{label} is none of the known words, got {show(text)}; did you mean "{near}"?'
            self._add(path, "unknown_word", message, "warning")
        if what := looks_secret(text, _variable_field(path)):
            self._secret(path, what)

    def _map(self, inner: dict[str, Any], name: str, plan: _Plan, path: Path) -> None:
        kind = plan.maps.get(name)
        if kind is not None and name == "extra":
            for key in inner:
                message = f"{hidden(key)} is a key that nobody here knows, so it has no effect"
                hint = did_you_mean(key, place_of(kind).fields())
                self._add((*path, key), "unknown_key", message + hint, "warning")
        elif kind is not None:
            self._loose(inner, kind, path)
        self._opaque(inner, path)

    def _opaque(self, value: Any, path: Path) -> None:
        for place, what in secrets_in(value, path):
            self._secret(place, what)
        for place, strange in strange_in(value, path):
            self.found.append((place, strange_issue(place, strange)))

    def _loose(self, value: dict[str, Any], kind: type[Model], path: Path) -> None:
        """Say why a map was not read as the type that it could have been."""
        if not is_plain(value):
            return  # that is said of it anyway
        try:
            kind.__pydantic_validator__.validate_json(encode_plain(value))
        except ValidationError as error:
            first, *others = problems_in(error, kind)
            where = format_path(first.parts)
            words = f'"{where}": {first.message}' if first.code == "unknown_key" else first.message
            more = f", and {len(others)} more" if others else ""
            message = f"{path[-1]} is kept as a plain map, because it does not fit {kind.__name__}: {words}{more}"
            self._add(path, "loose", message, "warning")
        except ValueError:
            pass  # a number of more digits than can be written

    def _secret(self, path: Path, what: str) -> None:
        self.found.append((path, secret_issue(path, what)))

    def _add(self, path: Path, code: str, message: str, severity: Any) -> None:
        self.found.append((path, Issue(format_path(path), code, message, severity)))


def secret_issue(path: Path, what: str) -> Issue:
    """Return the warning of a secret, without the secret.

    Args:
        path: Where it is.
        what: What it looks like.
    """
    where = format_path(path)
    message = (
        f"{label_of(where)} looks like {what}, and documents are kept and shared; "
        "name an environment variable instead (api_key_env: …)"
    )
    return Issue(where, "secret", message, "warning")


def strange_issue(path: Path, value: Any) -> Issue:
    """Return the error of a value that JSON has no word for."""
    where = format_path(path)
    label = label_of(where)
    return Issue(where, "type", f"{label} must be a plain JSON value, got {show(value, label)}")


def _variable_field(path: Path) -> str:
    """Return the name of a field that holds the name of a variable; the names of other fields say nothing."""
    name = path[-1]
    return name if isinstance(name, str) and name.endswith("_env") else ""


def _parts(path: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in _PART.findall(path)) if path else ()


_plans: dict[type[Model], _Plan] = {}


def _plan_of(kind: type[Model]) -> _Plan:
    place = place_of(kind)
    words: dict[str, frozenset[str]] = {}
    maps: dict[str, type[Model]] = {"extra": kind} if issubclass(kind, Document) else {}
    keys: dict[str, str] = {}
    for name, field in kind.model_fields.items():
        key = field.alias or name
        if key != name:
            keys[name] = key
        if found := _words_of([field.annotation, *field.metadata]):
            words[name] = found
        inner = place.child(key)
        branches = inner.choices()
        if inner.get("mode") == "left_to_right" and isinstance(branches, list):
            maps[name] = cast("type[Model]", branches[0].cls)
    plan = _plans[kind] = _Plan(words, maps, keys, kind.model_config.get("extra") == "allow")
    return plan


def _words_of(annotations: list[Any]) -> frozenset[str]:
    """Return the known words of an open word, wherever it stands in an annotation."""
    for annotation in annotations:
        if isinstance(annotation, Words):
            return annotation.all
        if found := _words_of(list(typing.get_args(annotation))):
            return found
    return frozenset()
