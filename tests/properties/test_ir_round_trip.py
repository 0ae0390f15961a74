"""Any value of any type of the document goes to text and back unharmed, and has one hash."""

import functools
import json
import re
import types
import typing
import warnings
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from crucible import ir
from crucible.errors import SpecErrors, UnknownKeyWarning

KINDS = [
    kind
    for name in ir.__all__
    if isinstance(kind := getattr(ir, name), type)
    and issubclass(kind, ir.Model)
    and kind not in (ir.Model, ir.Document, ir.OpenModel)
]
WORDS = st.text(max_size=8)
KEYS = st.text(max_size=4)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
OPAQUE = st.dictionaries(KEYS, PLAIN, max_size=3)
TIMES = st.datetimes(
    min_value=datetime(2, 1, 1),  # the zone comes beside it
    max_value=datetime(9998, 12, 31),
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
_QUICK = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def bounds(marks: typing.Iterable[Any]) -> dict[str, Any]:
    """Return the limits among the marks of a field, such as `{"ge": 0}`."""
    found: dict[str, Any] = {}
    for mark in marks:
        parts = mark.metadata if isinstance(mark, FieldInfo) else [mark]
        for part in parts:
            for name in ("gt", "ge", "lt", "le", "min_length", "pattern"):
                if getattr(part, name, None) is not None:
                    found[name] = getattr(part, name)
    return found


def values(annotation: Any, limits: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    """Return a strategy of what may stand in a field."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return values(inner[0], {**limits, **bounds(inner[1:])}, depth)
    if origin in (typing.Union, types.UnionType):
        choices = [each for each in inner if depth < 2 or not is_model(each)]
        return st.one_of([values(each, limits, depth) for each in choices])
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        least = limits.get("min_length", 0)
        return st.lists(values(inner[0], {}, depth), min_size=least, max_size=max(2, least)).map(tuple)
    if origin is dict:
        return OPAQUE if inner[1] is Any else st.dictionaries(KEYS, values(inner[1], {}, depth), max_size=2)
    return models(annotation, depth + 1) if is_model(annotation) else scalars(annotation, limits)


def scalars(annotation: Any, limits: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy of a value without parts, within its limits."""
    if annotation is str and "pattern" in limits:
        # ASCII: pydantic's engine and Python's disagree on which letters of rare scripts are letters
        pattern = re.compile(limits["pattern"], re.ASCII)
        return st.from_regex(pattern, fullmatch=True).filter(lambda text: text and not text.endswith("\n"))
    if annotation is int:
        low = limits.get("ge", limits.get("gt", -(2**60)) + 1)
        return st.integers(low, min(limits.get("le", 2**60), limits.get("lt", 2**60) - 1))
    if annotation is float:
        return st.floats(
            min_value=limits.get("ge", limits.get("gt")),
            max_value=limits.get("le", limits.get("lt")),
            exclude_min="gt" in limits,
            exclude_max="lt" in limits,
            allow_nan=False,
            allow_infinity=False,
        )
    simple = {Any: PLAIN, type(None): st.none(), bool: st.booleans()}
    if annotation is str:
        return st.text(min_size=limits.get("min_length", 0), max_size=8)
    return simple.get(annotation, TIMES)  # times are the only other type that a document has


def is_model(annotation: Any) -> bool:
    """Tell whether an annotation is, or marks, a type of the document."""
    if typing.get_origin(annotation) is Annotated:
        return is_model(typing.get_args(annotation)[0])
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


@functools.cache
def models(kind: type[BaseModel], depth: int = 0) -> st.SearchStrategy[Any]:
    """Return a strategy of values of a type, required fields always and others mostly left out when deep."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in kind.model_fields.items():
        if name == "schema_version" or (depth >= 2 and not field.is_required()):
            continue
        found = values(field.annotation, bounds(field.metadata), depth)
        (required if field.is_required() else optional)[name] = found
    if kind.model_config.get("extra") == "allow":
        optional["logprobs"] = PLAIN
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind(**agreeing(kind, fields)))


def agreeing(kind: type[BaseModel], fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields without those that another one rules out: an optimiser has its own settings alone."""
    if kind is not ir.LoraConfig:
        return fields
    lacks = {"sgd": {"beta1", "beta2", "eps"}, "rmsprop": {"beta1", "beta2"}}
    unset = lacks.get(fields.get("optimizer", "adamw"), {"momentum"})
    if fields.get("gradient_hooks"):  # each once
        fields = {**fields, "gradient_hooks": tuple(dict.fromkeys(fields["gradient_hooks"]))}
    if fields.get("target_modules"):  # names, each once
        fields = {**fields, "target_modules": tuple(f"{n}{name}" for n, name in enumerate(fields["target_modules"]))}
    return {name: value for name, value in fields.items() if name not in unset}


def reversed_keys(data: Any) -> Any:
    """Return the same data with the keys of each mapping in the opposite order."""
    if isinstance(data, dict):
        return {key: reversed_keys(data[key]) for key in reversed(data)}
    return [reversed_keys(inner) for inner in data] if isinstance(data, list) else data


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore::crucible.errors.UnknownKeyWarning")  # a plain map's key may be near a typed one
def test_round_trips(kind: type[ir.Model]) -> None:
    """JSON, YAML and plain data give the value back, strictly and leniently, whatever the order of the keys."""

    @_QUICK
    @given(value=models(kind))
    def check(value: ir.Model) -> None:
        text = ir.to_json(value)
        plain = json.loads(text)
        assert ir.to_dict(value) == plain
        assert ir.to_json(ir.from_json(text, kind)) == text
        for again in (
            ir.from_json(text, kind),
            ir.from_json(json.dumps(reversed_keys(plain), indent=1), kind),
            ir.from_dict(reversed_keys(plain), kind, strict=False),
            ir.from_yaml(ir.to_yaml(value), kind),
            ir.from_yaml(ir.to_yaml(value, defaults=False), kind),
        ):
            assert again == value
            assert ir.content_hash(again) == ir.content_hash(value)

    check()


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if issubclass(kind, ir.Document)], ids=lambda kind: kind.__name__
)
def test_lenient_reading_loses_no_key(kind: type[ir.Document]) -> None:
    """A key that is not known is in what is written afterwards, wherever it stood."""

    @_QUICK
    @given(value=models(kind), key=st.text(min_size=1, max_size=6), foreign=PLAIN)
    def check(value: ir.Document, key: str, foreign: Any) -> None:
        data = json.loads(ir.to_json(value))
        if key in kind.model_fields or any(field.alias == key for field in kind.model_fields.values()):
            key += "'"
        if key in (data.get("extra") or {}):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownKeyWarning)
            kept = ir.from_dict({**data, key: foreign}, kind, strict=False)
        assert json.loads(ir.to_json(kept))["extra"] == {**(data.get("extra") or {}), key: foreign}
        assert ir.from_json(ir.to_json(kept), kind) == kept

    check()


@settings(deadline=None)
@given(
    data=OPAQUE, indent=st.none() | st.integers(0, 3), separators=st.sampled_from([None, (",", ":"), (" , ", "\n: ")])
)
def test_any_spelling_of_json_reads_the_same(data: dict[str, Any], indent: int | None, separators: Any) -> None:
    """White space, escapes and order of a text change nothing of what is read."""
    document = {"name": "s", "options": data}
    for ensure_ascii in (True, False):
        text = json.dumps(document, indent=indent, separators=separators, ensure_ascii=ensure_ascii)
        assert ir.from_json(text, ir.StageDef).options == data


@settings(deadline=None)
@given(
    keys=st.lists(st.sampled_from(['"', ":", '":', " :", "a", "\\", "\u00e9"]), min_size=1, max_size=3).map("".join),
    others=st.dictionaries(st.text(max_size=3), st.sampled_from([":", '":', "x"]), max_size=3),
    escapes=st.booleans(),
)
def test_a_key_given_twice_is_always_found(keys: str, others: dict[str, str], escapes: bool) -> None:
    """No text with a repeated key reads, however the key and the strings around it look."""
    one, two = (json.dumps(keys, ensure_ascii=each) for each in (True, False))
    if escapes:
        two = '"' + "".join(f"\\u{ord(character):04x}" for character in keys) + '"'
    rest = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in others.items() if key != keys)
    text = f'{{"name": "s", "options": {{"in": {{{one}: 1{rest}, {two} : 2}}}}}}'
    with pytest.raises(SpecErrors) as caught:
        ir.from_json(text, ir.StageDef)
    assert "given twice" in str(caught.value)
