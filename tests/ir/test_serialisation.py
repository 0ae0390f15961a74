"""To text and back: JSON, YAML and plain data, strictly and leniently, with one hash for one content."""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import pytest

from crucible import ir
from crucible.errors import SpecErrors, UnknownKeyWarning

MINIMAL: dict[str, Any] = {"id": "e", "backend": {"id": "local"}, "pipeline": [{"name": "validate"}]}
FULL = Path(__file__).parent / "data" / "experiment_v1.json"


@contextlib.contextmanager
def complains(words: str) -> Iterator[None]:
    """Expect SpecErrors whose whole text holds these words."""
    with pytest.raises(SpecErrors) as caught:
        yield
    assert words in str(caught.value)


def at(text: str) -> ir.TelemetryEvent:
    """Return an event with this timestamp."""
    return ir.from_dict({"event_name": "e", "timestamp": text}, ir.TelemetryEvent)


# Text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not valid JSON: it is empty"),
        (" \n", "not valid JSON: it is empty"),
        ("{", "not valid JSON"),
        ("[1]", "expected a mapping at the top level, got list"),
        ("null", "expected a mapping at the top level, got nothing"),
        ('{"id": "a", "id": "b"}', 'key "id" is given twice'),
        ('{"metadata": {"a": {"b": 1, "c": 2, "b": 3}}}', 'key "b" is given twice'),
        ('{"metadata": {"a:": 1, "a\\u003a": 2}}', 'key "a:" is given twice'),
        ('{"metadata" : {"x": ":"}, "metadata": null}', 'key "metadata" is given twice'),
        ('{"metadata": {"x": NaN}}', "NaN is not a JSON number"),
        ('{"metadata": {"x": -Infinity}}', "-Infinity is not a JSON number"),
        ('{"metadata": {"x": 1e999}}', "metadata.x"),
        ('{"metadata": {"x": "\\ud800"}}', "half of a surrogate pair"),
        ('{"metadata": {"x": ' + "9" * 5000 + "}}", "more digits than can be read"),
        ('{"metadata": {"x": ' + "[" * 250 + "]" * 250 + "}}", "nested too deeply (at most 200 levels)"),
        ('{"metadata": {"x": ' + "[" * 990 + "]" * 990 + "}}", "nested too deeply"),
        ('{"metadata": {"x": ' + "[" * 100_000 + "]" * 100_000 + "}}", "nested too deeply"),
    ],
)
def test_bad_json_text_is_refused_in_words(text: str, complaint: str) -> None:
    """Text that is not JSON of our kind is a SpecErrors that says why; keys are unique and numbers are numbers."""
    with complains(complaint):
        ir.from_json(text, ir.Experiment)


@pytest.mark.parametrize(
    "text",
    [
        '{"metadata":{"a":":","b":"\\":","c\\":":"x : y"},"id":"e","backend":{"id":"l"},"pipeline":[{"name":"s"}]}',
        '{"metadata" :{"a" : {"b"\n: 1}},"id":"e","backend":{"id":"l"},"pipeline":[{"name":"s"}]}',
        '{"metadata":{"a":"\\u003a\\u0022:"},"id":"e","backend":{"id":"l"},"pipeline":[{"name":"s"}]}',
        '\ufeff{"metadata":{"a":"\\ud83d\\ude00 😀"},"id":"e","backend":{"id":"l"},"pipeline":[{"name":"s"}]}',
        '{"metadata":{"n":123456789012345678901234567890},"id":"e","backend":{"id":"l"},"pipeline":[{"name":"s"}]}',
    ],
)
def test_unusual_json_text_reads_as_it_says(text: str) -> None:
    """Colons in strings, escapes, white space, a byte-order mark, huge integers are read as any parser reads them."""
    value = ir.from_json(text, ir.Experiment)
    assert value.metadata == json.loads(text.removeprefix("\ufeff"))["metadata"]
    assert ir.from_json(ir.to_json(value), ir.Experiment) == value


def test_bytes_are_utf_8() -> None:
    """What came over a wire need not be decoded first."""
    assert ir.from_json('{"id": "ü"}'.encode(), ir.BackendRef).id == "ü"
    with complains("is not UTF-8 text (byte 8)"):
        ir.from_json(b'{"id": "\xff"}', ir.BackendRef)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """What editors of some systems put in front of a file is skipped, in both formats."""
    for name, text in (("e.json", ir.to_json(ir.Experiment.read(MINIMAL))), ("e.yaml", "id: e\n")):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert ir.read_mapping(tmp_path / name)["id"] == "e"


def test_bad_yaml_text_is_refused() -> None:
    """YAML text has the reader of YAML files."""
    with complains("not valid YAML: line 1"):
        ir.from_yaml("a: [", ir.Experiment)
    with complains("expected a mapping at the top level, got nothing"):
        ir.from_yaml("", ir.Experiment)
    with complains("half of a surrogate pair"):
        ir.from_yaml('{id: e, backend: {id: l}, pipeline: [{name: s}], metadata: {x: "\\uD800"}}', ir.Experiment)
    with complains("nested too deeply"):
        ir.from_yaml("{id: e, metadata: {x: " + "[" * 220 + "]" * 220 + "}}", ir.Experiment)


def test_every_field_is_written_in_the_order_of_the_type() -> None:
    """JSON, YAML and plain data hold every field, nulls too, in one order; the short YAML leaves defaults out."""
    value = ir.Experiment.read(dict(reversed(MINIMAL.items())))
    expected = [name for name in ir.Experiment.model_fields if name != "extra"]
    assert list(ir.to_dict(value)) == expected
    assert list(json.loads(ir.to_json(value))) == expected
    assert list(json.loads(ir.to_json(value, indent=2))) == expected
    assert "baseline: null" in ir.to_yaml(value)
    short = ir.to_yaml(value, defaults=False)
    assert short == "schema_version: 1\nid: e\nbackend:\n  id: local\npipeline:\n- name: validate\n"
    assert ir.from_yaml(short, ir.Experiment) == value


def test_the_name_in_the_document_is_the_alias() -> None:
    """`schema` of a dataset is `schema` in every format, although Python calls it `schema_`."""
    value = ir.DatasetRef(name="d", schema={"text": "string"})  # type: ignore[call-arg]
    assert ir.to_dict(value)["schema"] == {"text": "string"}
    assert ir.from_json(ir.to_json(value), ir.DatasetRef) == value


# Plain data


def test_plain_data_may_hold_built_parts_and_times() -> None:
    """A part that is built already and an aware time need no detour; a naive time is refused with its path."""
    now = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    data = {**MINIMAL, "backend": ir.BackendRef(id="local"), "pipeline": (ir.StageDef(name="s"),), "created_at": now}
    value = ir.from_dict(data, ir.Experiment)
    assert value.backend == ir.BackendRef(id="local")
    assert value.created_at == now
    with complains("created_at"):
        ir.from_dict({**MINIMAL, "created_at": datetime(2026, 1, 31)}, ir.Experiment)


def test_plain_data_that_holds_itself_is_refused() -> None:
    """A mapping that contains itself has no text."""
    data: dict[str, Any] = dict(MINIMAL)
    data["metadata"] = {"self": [data, data]}
    with complains("nested too deeply"):
        ir.from_dict(data, ir.Experiment)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({1: 2}, "a key that is no text: 1"),
        ({"x": [1, {"y": math.nan}]}, "found at x[1].y a number that JSON has not: nan"),
        ({"x": object()}, "found at x object"),
        ({"x": {1, 2}}, "found at x set"),
        ({"x": "\udc00"}, "half of a surrogate pair"),
        ({"x": b"0" * 100}, "…"),
    ],
)
def test_what_text_cannot_hold_is_refused_where_it_enters(value: dict[Any, Any], complaint: str) -> None:
    """An opaque mapping given in Python is as plain as one that was read, or is refused with the place."""
    with complains(complaint):
        ir.StageDef(name="s", options=value)


def test_nesting_in_python_has_an_end_too() -> None:
    """A mapping deeper than text may be is refused."""
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"x": deep}
    with complains("must not be nested deeper than 150 levels"):
        ir.StageDef(name="s", options=deep)


def test_opaque_mappings_are_copied_and_normalised() -> None:
    """Changing what was handed in changes no document, and tuples are the lists that they will be on disk."""
    given = {"list": [1], "pair": (1, 2)}
    value = ir.StageDef(name="s", options=given)
    given["list"].append(2)  # type: ignore[union-attr]
    assert value.options == {"list": [1], "pair": [1, 2]}
    assert ir.from_json(ir.to_json(value), ir.StageDef) == value


# Times


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-31T14:00:00+02:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31t12:00:00z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00+0000", "2026-01-31T12:00:00Z"),
        ("2024-02-29T23:59:59.25-23:59", "2024-03-01T23:58:59.250000Z"),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_with_offset_are_instants(text: str, utc: str) -> None:
    """A time reads as the instant that it means: equal, hashed alike, written back with the offset that it had."""
    one, two = at(text), at(utc)
    assert one == two
    assert hash(one.timestamp) == hash(two.timestamp)
    assert ir.content_hash(one) == ir.content_hash(two)
    assert f'"timestamp":"{utc}"' in ir.canonical_json(one)
    again = ir.from_json(ir.to_json(one), ir.TelemetryEvent)
    assert again == one
    assert again.timestamp is not None
    assert one.timestamp is not None
    assert again.timestamp.utcoffset() == one.timestamp.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00",
        "2026-01-31",
        "2026-01-31 12:00:00Z",
        "2026-01-31_12:00:00Z",
        "2026-01-31T12:00:00 +02:00",
        "2026-01-31T12:00:00\u221202:00",
        "2026-01-31T12:00:60Z",
        "2026-01-31T24:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-31T12:00:00+24:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-00:01",
        "20260131T120000Z",
        "1767225600",
        "now",
        "",
    ],
)
def test_times_that_are_none_are_refused_with_their_path(text: str) -> None:
    """Naive and unparsable times are an error; nothing is taken for a Unix timestamp by chance."""
    with complains("timestamp"):
        at(text)
    with complains("timestamp"):
        ir.from_dict({"event_name": "e", "timestamp": 1767225600}, ir.TelemetryEvent)


class _Autumn(tzinfo):
    """A zone whose clocks are put back, so that an hour comes twice."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(hours=1 if moment and moment.fold else 2)

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta()


def test_times_given_in_python() -> None:
    """A zone becomes its offset, so that the value equals the one that is read back; text is no time in Python."""
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=_Autumn(), fold=1)
    before_zones = datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=19, seconds=32)))
    for moment in (twice, before_zones, datetime(2026, 1, 1, tzinfo=UTC)):
        value = ir.TelemetryEvent(event_name="e", timestamp=moment)
        assert value.timestamp is not None
        assert value.timestamp.astimezone(UTC) == moment.astimezone(UTC)
        assert ir.from_json(ir.to_json(value), ir.TelemetryEvent) == value
    for wrong in ("2026-01-01T00:00:00Z", datetime(2026, 1, 1), 0):
        with complains("timestamp"):
            ir.TelemetryEvent(event_name="e", timestamp=wrong)  # type: ignore[arg-type]


# One hash a content


def test_equal_values_have_one_hash() -> None:
    """Order of keys, spelling of numbers, tuples, defaults that are written out and the format make no difference."""
    text = FULL.read_text(encoding="utf-8")
    value = ir.from_json(text, ir.Experiment)
    turned = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert ir.content_hash(ir.from_dict(turned, ir.Experiment)) == ir.content_hash(value)
    assert ir.content_hash(ir.from_yaml(ir.to_yaml(value), ir.Experiment)) == ir.content_hash(value)

    def stage(options: dict[str, Any]) -> str:
        return ir.content_hash(ir.StageDef(name="s", options=options, enabled=True))

    assert stage({"a": 1, "b": [0.5]}) == stage({"b": (0.5,), "a": 1.0})
    assert stage({"a": -0.0}) == stage({"a": 0})
    assert stage({"a": 1e22}) == stage({"a": 10**22})
    assert stage({"a": True}) != stage({"a": 1})
    assert stage({"a": "1"}) != stage({"a": 1})
    assert stage({"a": None}) != stage({})


def test_the_hash_is_that_of_the_canonical_text() -> None:
    """Anybody can make the hash: keys sorted, no white space, UTF-8, fields at their default left out."""
    value = ir.DatasetRef(name="ü", split="test", schema={"b": 1.0, "a": [None]})  # type: ignore[call-arg]
    assert ir.canonical_json(value) == '{"name":"ü","schema":{"a":[null],"b":1},"split":"test"}'
    assert ir.content_hash(value) == hashlib.sha256(ir.canonical_json(value).encode()).hexdigest()


def test_what_was_changed_past_the_checks_is_not_hashed_as_something_else() -> None:
    """A copy that was updated without checks may hold what JSON has no word for: that is an error, not null."""
    for wrong in (math.inf, object()):
        copied = ir.StageDef(name="s").model_copy(update={"options": {"x": wrong}})
        with complains("which JSON has no word for"):
            ir.content_hash(copied)


# Lenient reading


def test_unknown_keys_are_an_error_unless_asked() -> None:
    """Strict is the default in every reader."""
    text = json.dumps({**MINIMAL, "enabeld": True})
    for read in (ir.from_json, ir.from_yaml):
        with complains("enabeld: unknown key"):
            read(text, ir.Experiment)


def test_lenient_reading_keeps_and_names_what_it_does_not_know(tmp_path: Path) -> None:
    """Each unknown key is kept under `extra` of the value that it stands in, named in one warning, and written back."""
    data = {
        "id": "e",
        "backend": {"id": "local", "zone": "eu", "fallback": {"id": "x", "zone": None}},
        "pipeline": [{"name": "a"}, {"name": "b", "enable": False, "options": {"anything": 1}}],
        "future": {"deep": [1]},
    }
    paths = ("future", "backend.zone", "backend.fallback.zone", 'pipeline[1].enable (did you mean "enabled"?)')
    (tmp_path / "e.json").write_text(json.dumps(data))
    (tmp_path / "e.yaml").write_text(json.dumps(data))
    reads = [
        lambda: ir.from_dict(data, ir.Experiment, strict=False),
        lambda: ir.from_json(json.dumps(data), ir.Experiment, strict=False),
        lambda: ir.from_yaml(json.dumps(data), ir.Experiment, strict=False),
        lambda: ir.load(tmp_path / "e.json", strict=False),
        lambda: ir.load(tmp_path / "e.yaml", strict=False),
    ]
    for read in reads:
        with pytest.warns(UnknownKeyWarning) as caught:
            value = read()
        assert len(caught) == 1
        assert all(path in str(caught[0].message) for path in paths)
        assert value.extra == {"future": {"deep": [1]}}
        assert value.backend.extra == {"zone": "eu"}
        assert value.backend.fallback is not None
        assert value.backend.fallback.extra == {"zone": None}
        assert value.pipeline[1].extra == {"enable": False}
        assert value.pipeline[1].options == {"anything": 1}
        assert value.pipeline[0].extra is None
        assert ir.from_json(ir.to_json(value), ir.Experiment) == value
        assert ir.from_yaml(ir.to_yaml(value), ir.Experiment) == value


def test_extra_is_written_only_where_it_is() -> None:
    """A value without unknown keys shows no trace of the possibility."""
    assert "extra" not in ir.to_json(ir.Experiment.read(MINIMAL))


def test_null_reads_as_the_default_leniently() -> None:
    """The predecessor wrote null where somebody set it; strictly that is an error, leniently the default."""
    data = {**MINIMAL, "backend": {"id": "b", "profile": None}, "pipeline": [{"name": None, "enabled": None}]}
    with complains("backend.profile"):
        ir.from_dict(data, ir.Experiment)
    words = r"null read as the default: backend.profile, pipeline\[0\].enabled"
    with pytest.warns(UnknownKeyWarning, match=words), complains("pipeline[0].name"):
        ir.from_dict(data, ir.Experiment, strict=False)
    data["pipeline"] = [{"name": "s", "enabled": None}]
    with pytest.warns(UnknownKeyWarning):
        value = ir.from_dict(data, ir.Experiment, strict=False)
    assert value.pipeline[0].enabled
    assert value.backend.profile == "default"


def test_lenient_reading_warns_only_of_something() -> None:
    """A document that reads strictly reads leniently to the same value, in silence."""
    for data in (MINIMAL, json.loads(FULL.read_text(encoding="utf-8"))):
        assert ir.from_dict(data, ir.Experiment, strict=False) == ir.Experiment.read(data)


def test_lenient_reading_still_checks_types() -> None:
    """What is wrong beyond names stays wrong."""
    with complains("training_config"):
        ir.from_dict({**MINIMAL, "training_config": 3}, ir.Experiment, strict=False)
    with pytest.warns(UnknownKeyWarning), complains("stats.alpha"):
        ir.from_dict({**MINIMAL, "reliability": {"stats": {"alpha": "x", "new": 1}}}, ir.Experiment, strict=False)
    with complains("unknown key"):  # no type of the document, so there is no place to keep it
        ir.from_dict({"base_model": "m", "new": 1}, ir.LoraConfig, strict=False)
    with complains("must"):
        ir.from_dict({1: 2}, ir.BackendRef, strict=False)  # type: ignore[dict-item]


def test_lenient_reading_adds_to_what_was_kept_before() -> None:
    """A document that was read leniently once may meet another unknown key; the same key twice is a question."""
    kept = {"name": "s", "extra": {"a": 1}}
    with pytest.warns(UnknownKeyWarning, match="b"):
        value = ir.from_dict({**kept, "b": 2}, ir.StageDef, strict=False)
    assert value.extra == {"a": 1, "b": 2}
    with complains("a: is given here and under `extra`"):
        ir.from_dict({**kept, "a": 2}, ir.StageDef, strict=False)
    with complains("extra"):
        ir.from_dict({"name": "s", "extra": 3, "b": 2}, ir.StageDef, strict=False)


def test_options_have_their_own_extra() -> None:
    """Options that only a provider knows land where such options belong."""
    with pytest.warns(UnknownKeyWarning, match="options.top_a"):
        value = ir.from_dict({"options": {"top_a": 0.5}, "messages": [{"role": "user"}]}, ir.Prompt, strict=False)
    assert value.options.extra == {"top_a": 0.5}


def test_elixir_modules_are_kept_aside_leniently() -> None:
    """A stage of the predecessor loads without its module, which stays under `extra` and is named."""
    data = {**MINIMAL, "pipeline": [{"name": "bench", "module": "Elixir.Crucible.Stage.Bench"}]}
    with pytest.warns(UnknownKeyWarning, match=r"pipeline\[0\].module"):
        value = ir.from_dict(data, ir.Experiment, strict=False)
    assert value.pipeline[0].module is None
    assert value.pipeline[0].extra == {"module": "Elixir.Crucible.Stage.Bench"}


def test_loose_parts_stay_as_they_are() -> None:
    """A mapping that does not fit its typed form is a plain mapping in either way of reading: nothing moves."""
    data = {**MINIMAL, "reliability": {"drift": {"methd": "ks"}, "monitoring": {"metrics": ["loss"]}}}
    with pytest.warns(UnknownKeyWarning) as warned:
        value = ir.from_dict(data, ir.Experiment, strict=False)
    assert str(warned[0].message) == (
        'Experiment: read as a plain map: reliability.drift (for methd, did you mean "method"?)'
    )
    assert value.reliability is not None
    assert value.reliability.drift == {"methd": "ks"}
    assert value.reliability.monitoring == ir.MonitoringConfig(metrics=("loss",))
