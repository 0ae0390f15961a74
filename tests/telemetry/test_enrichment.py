"""What is found in events, and that nothing which an event holds stops it."""

from __future__ import annotations

import decimal
import enum
import fractions
import math
import pathlib
import types
import uuid
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy
import pytest

from crucible import events
from crucible.errors import UnpricedModelWarning
from crucible.events import Event, Scope
from crucible.events.registry import EventInfo, register, standard_events, unregister
from crucible.store import decode, encode
from crucible.telemetry.enrichment import Enriched, Enricher
from crucible.telemetry.prices import PriceTable

_NATS = {"loss_function": "cross_entropy"}

PRICES = PriceTable.from_dict(
    {
        "source": "a list",
        "date": "2026-11-21",
        "prices": [
            {"model": "m", "input_usd_per_1m": 10, "output_usd_per_1m": 20, "cached_input_usd_per_1m": 1},
            {"model": "of-north", "provider": "north", "input_usd_per_1m": 1, "output_usd_per_1m": 1},
        ],
    }
)


def event(name: Any, measurements: Any = None, metadata: Any = None, *, span_id: str | None = None) -> Event:
    """Return an event."""
    return Event(
        name, {} if measurements is None else measurements, {} if metadata is None else metadata, 77, Scope(), span_id
    )


def enrich(name: Any, measurements: Any = None, metadata: Any = None, *, span_id: str | None = None) -> Enriched:
    """Return what a fresh enricher without prices finds."""
    return Enricher()(event(name, measurements, metadata, span_id=span_id))


@pytest.fixture
def registered() -> Iterator[Any]:
    """A function that registers an event for the time of a test."""
    names: list[str] = []

    def add(name: str, category: str = "lab", **units: str) -> None:
        register(EventInfo(name, category, "Something happened.", "external", units))
        names.append(name)

    yield add
    for name in names:
        unregister(name)


# --- latency ---


@pytest.mark.parametrize(
    ("measurements", "expected"),
    [
        ({"duration_ns": 1_500_000}, 1.5),
        ({"duration_us": 1500}, 1.5),
        ({"duration_ms": 1.5}, 1.5),
        ({"duration_s": 0.0015}, 1.5),
        ({"duration": 1_500_000}, 1.5),
        ({"start": 1_000_000, "stop": 2_500_000}, 1.5),
        ({"duration_ns": 0}, 0.0),
        ({"duration_ns": numpy.int64(1_500_000)}, 1.5),
        ({"duration_s": decimal.Decimal("0.0015")}, 1.5),
        ({"duration_ns": None, "duration_ms": 1.5}, 1.5),
        ({"duration_ns": 1_500_000, "duration_s": 9}, 1.5),
        ({"start": 5}, None),
        ({}, None),
    ],
)
def test_a_latency_is_the_duration_in_its_unit(measurements: dict[str, Any], expected: float | None) -> None:
    """Keys with a unit go before `duration`, which is nanoseconds, and that before start and stop."""
    found = enrich("x.y", measurements)
    assert found.latency_ms == (None if expected is None else pytest.approx(expected))
    assert "malformed" not in found.fields


def test_the_registry_says_in_which_unit_a_plain_duration_is(registered: Any) -> None:
    """Other libraries emit milliseconds; a registered unit is heeded from the next event on."""
    enricher = Enricher()
    told = event("lab.probe.read", {"duration": 1500})
    assert enricher(told).latency_ms == pytest.approx(0.0015)
    registered("lab.probe.read", duration="ms")
    assert enricher(told).latency_ms == 1500.0
    unregister("lab.probe.read")
    registered("lab.probe.read", duration="s", stop="s")
    assert enricher(told).latency_ms == 1_500_000.0
    assert enricher(event("lab.probe.read", {"start": 1.0, "stop": 1.25})).latency_ms == 250.0


def test_a_unit_that_is_no_time_is_told(registered: Any) -> None:
    """Nothing is guessed from it."""
    registered("lab.probe.read", duration="nat")
    found = enrich("lab.probe.read", {"duration": 3})
    assert found.latency_ms is None
    assert found.fields["malformed"] == "duration: the registry has it in 'nat', expected one of ns, us, ms, s"


# --- cost ---


@pytest.mark.parametrize(
    ("measurements", "metadata", "expected"),
    [
        ({"cost": 5}, {"cost": 0.25}, 0.25),
        ({"cost": 5}, {"cost": 0}, 0.0),
        ({"cost": 5}, {"cost_usd": 0.5}, 0.5),
        ({"cost": 5}, {"cost": None}, 5.0),
        ({"cost_usd": 5}, {}, 5.0),
        ({"total_cost": 0.75}, {}, 0.75),
        ({"cost": numpy.float32(0.5)}, {}, 0.5),
        ({"cost": 3}, {"tokens": [1, 2]}, 3.0),
        ({"cost": 3}, {"cost": "free"}, 3.0),
        ({}, {}, None),
    ],
)
def test_a_cost_that_is_said_goes_before_prices(
    measurements: dict[str, Any], metadata: dict[str, Any], expected: float | None
) -> None:
    """What was told goes before what was measured, nothing is a cost as well, and a broken word hides no other."""
    told = event("ensemble.prediction.stop", measurements, {"model": "m", **metadata})
    assert Enricher(PRICES)(told).cost_usd == expected


def test_tokens_cost_what_the_table_says() -> None:
    """Both spellings of tokens; cached ones at their price."""
    enricher = Enricher(PRICES)
    measured = event("req_llm.request.stop", {"prompt_tokens": 1000, "completion_tokens": 100}, {"model": "m"})
    assert enricher(measured).cost_usd == pytest.approx(0.012)
    tokens = {"prompt": 1000, "completion": 100, "cached": 500}
    assert enricher(event("x.y", {}, {"model": "m", "tokens": tokens})).cost_usd == pytest.approx(0.0075)
    of_north = {"model": "of-north", "provider": "north", "tokens": {"prompt": 1_000_000, "completion": 0}}
    assert enricher(event("x.y", {}, of_north)).cost_usd == 1.0
    half = event("x.y", {}, {**of_north, "tokens": {"prompt": 1_000_000}})
    assert enricher(half).cost_usd is None  # what the answer cost, nobody knows
    assert enricher.unpriced == {}


def test_a_model_without_a_price_is_warned_of_once_and_counted() -> None:
    """Its cost is unknown, not guessed."""
    enricher = Enricher(PRICES)
    told = event("req_llm.request.stop", {"prompt_tokens": 10, "completion_tokens": 1}, {"model": "other"})
    with pytest.warns(UnpricedModelWarning, match="no price for the model 'other'") as caught:
        assert [enricher(told).cost_usd for _ in range(3)] == [None] * 3
    assert len(caught) == 1
    assert enricher.unpriced == {"other": 3}


def test_where_warnings_are_errors_collection_goes_on() -> None:
    """The count still says what is missing."""
    enricher = Enricher(PRICES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = enricher(event("x.y", {"prompt_tokens": 1}, {"model": "other"}))
    assert (found.cost_usd, found.fields["model"], enricher.unpriced) == (None, "other", {"other": 1})


def test_without_a_table_nothing_is_warned_of() -> None:
    """Who brings no prices asks for no costs; the count is there all the same, and bounded."""
    enricher = Enricher()
    for number in range(1100):
        assert enricher(event("x.y", {"prompt_tokens": 1}, {"model": f"m{number}"})).cost_usd is None
    assert len(enricher.unpriced) == 1001
    assert enricher.unpriced["(other models)"] == 100


@pytest.mark.parametrize(
    ("measurements", "metadata"),
    [
        ({"prompt_tokens": 10}, {}),
        ({"completion_tokens": 10}, {"model": "m"}),
        ({"total_tokens": 10}, {"model": "m"}),
        ({"prompt_tokens": 10}, {"model": 7}),
    ],
)
def test_what_is_not_known_costs_nothing_that_could_be_said(
    measurements: dict[str, Any], metadata: dict[str, Any]
) -> None:
    """No model, no prompt, or only a total: no cost."""
    assert Enricher(PRICES)(event("x.y", measurements, metadata)).cost_usd is None


def test_sums_over_requests_are_not_priced_again() -> None:
    """An evaluation repeats the tokens of its requests, each of which was priced."""
    told = event("crucible_data.evaluation.stop", {"prompt_tokens": 10, "completion_tokens": 2}, {"model": "m"})
    found = Enricher(PRICES)(told)
    assert found.cost_usd is None
    assert found.fields == {"model": "m"}


# --- success ---


@pytest.mark.parametrize(
    ("name", "measurements", "metadata", "expected"),
    [
        ("lab.thing.exception", {}, {}, False),
        ("lab.thing.exception", {"status": "ok"}, {"response": "x"}, False),
        ("req_llm.request.stop", {}, {}, True),
        ("req_llm.request.stop", {}, {"error": "boom"}, False),
        ("req_llm.request.stop", {}, {"exception": ValueError("x")}, False),
        ("req_llm.request.stop", {}, {"error_type": "ValueError"}, False),
        ("req_llm.request.stop", {}, {"error": None, "exception": False, "error_type": ""}, True),
        ("req_llm.request.stop", {}, {"status": "error"}, False),
        ("req_llm.request.stop", {"status": "error"}, {"response": "x"}, False),
        ("req_llm.request.stop", {"status": False}, {}, False),
        ("req_llm.request.stop", {}, {"status": "cached"}, None),
        ("req_llm.request.stop", {}, {"status": 500}, None),
        ("req_llm.request.stop", {}, {"status": "cached", "response": "x"}, True),
        ("req_llm.request.start", {}, {"status": "ok", "response": "x"}, None),
        ("crucible_train.batch.stop", {}, {}, True),
        ("crucible_train.checkpoint.saved", {}, {}, None),
        ("lab.thing.stop", {}, {}, None),
        ("lab.thing", {"status": "ok"}, {}, True),
        ("lab.thing", {}, {"status": " OK "}, True),
        ("lab.thing", {}, {"status": "True"}, True),
        ("lab.thing", {"status": True}, {}, True),
        ("lab.thing", {"success": False}, {}, False),
        ("lab.thing", {}, {"success": True}, True),
        ("lab.thing", {}, {"response": ""}, True),
        ("lab.thing", {}, {"response": None}, None),
        ("lab.thing", {}, {"error": numpy.array([1, 2])}, False),
        ("lab.thing", {}, {"success": numpy.bool_(False)}, False),
        ("crucible_framework.stage.retry", {}, {"error": "x"}, False),
        ("crucible_deployment.health_check.completed", {}, {"status": "healthy"}, True),
        ("crucible_deployment.health_check.completed", {}, {"status": "degraded"}, None),
        ("crucible_adversary.attack.executed", {}, {"success": True}, None),
        ("crucible_adversary.attack.executed", {}, {"success": False, "status": "ok"}, True),
        ("stop", {}, {}, None),
    ],
)
def test_an_outcome_is_what_the_event_says(
    name: str, measurements: dict[str, Any], metadata: dict[str, Any], expected: bool | None
) -> None:
    """Any sign of failure is one; then any sign of success; a silent end that the registry knows went well."""
    assert enrich(name, measurements, metadata).success is expected


def test_a_span_of_ones_own_that_closes_without_an_error_went_well() -> None:
    """The bus knows how it ended, registered or not; its start says nothing yet."""
    with events.collect() as found:
        with events.span("my_lab.work"):
            pass
        with pytest.raises(ValueError, match="boom"), events.span("my_lab.work"):
            raise ValueError("boom")
    enricher = Enricher()
    outcomes = [enricher(each) for each in found]
    assert [each.success for each in outcomes] == [None, True, None, False]
    assert [each.latency_ms is None for each in outcomes] == [True, False, True, False]


# --- tokens ---


@pytest.mark.parametrize(
    ("measurements", "metadata", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, {}, (3, 4, 7)),
        ({"input_tokens": 3, "output_tokens": 4}, {}, (3, 4, 7)),
        ({"prompt_tokens": 3}, {}, (3, None, None)),
        ({"prompt_tokens": 3, "total_tokens": 9}, {}, (3, 6, 9)),
        ({"completion_tokens": 3, "total_tokens": 9}, {}, (6, 3, 9)),
        ({"tokens": 9}, {}, (None, None, 9)),
        ({}, {"tokens": 9}, (None, None, 9)),
        ({}, {"tokens": {"prompt": 3, "completion": 4}}, (3, 4, 7)),
        ({}, {"tokens": {"input_tokens": 3, "output_tokens": 4, "total": 8}}, (3, 4, 8)),
        ({"prompt_tokens": 30, "completion_tokens": 4}, {"tokens": {"prompt": 3}}, (3, 4, 7)),
        ({"prompt_tokens": numpy.int32(3), "completion_tokens": 4.0}, {}, (3, 4, 7)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, {}, (0, 0, 0)),
    ],
)
def test_tokens_are_read_in_every_spelling(
    measurements: dict[str, Any], metadata: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    """What metadata tell goes first, and what follows from two counts is derived."""
    found = enrich("x.y", measurements, metadata)
    assert tuple(found.fields.get(f"{part}_tokens") for part in ("prompt", "completion", "total")) == expected
    assert "malformed" not in found.fields


def test_a_start_counts_nothing() -> None:
    """A span's metadata are in both its events, and its end would count them again."""
    metadata = {"model": "m", "tokens": {"prompt": 5}, "cost": 3, "session_id": "s"}
    found = Enricher(PRICES)(event("x.y.start", {"duration_ns": 5, "prompt_tokens": 5}, metadata, span_id="1"))
    assert found == Enriched(None, None, None, {"session_id": "s", "model": "m"})


# --- fields ---


def test_who_and_what_are_fields() -> None:
    """What is absent or None is not there."""
    metadata = {
        "session_id": uuid.UUID(int=5),
        "user_id": 7,
        "sample_id": None,
        "cohort": "a",
        "provider": enum.Enum("P", {"NORTH": "north"})["NORTH"],
    }
    assert enrich("anything.at_all", {}, metadata).fields == {
        "session_id": "00000000-0000-0000-0000-000000000005",
        "user_id": 7,
        "cohort": "a",
        "provider": "north",
    }


def test_a_training_step() -> None:
    """As the trainer emits it: perplexity from a cross-entropy in nats, throughput from tokens and duration."""
    measurements = {
        "step": 3,
        "loss": 0.5,
        "gradient_norm": 1.5,
        "learning_rate": 1e-4,
        "tokens": 500,
        "duration_ns": 250_000_000,
    }
    about = {"model": "r16", "total_steps": 9, "epoch": 2, "loss_function": "cross_entropy"}
    found = enrich("crucible_train.batch.stop", measurements, about)
    assert found == Enriched(
        250.0,
        None,
        True,
        {
            **{key: measurements[key] for key in ("step", "loss", "gradient_norm", "learning_rate", "tokens")},
            "model": "r16",
            "epoch": 2,
            "perplexity": math.exp(0.5),
            "tokens_per_s": 2000.0,
        },
    )


def test_training_fields_under_other_names() -> None:
    """As other trainers call them; metadata win for epoch, batch and learning rate, and what is given is kept."""
    measurements = {
        "epoch": 1,
        "batch": 5,
        "lr": 0.1,
        "grad_norm": 2.0,
        "eval_loss": 0.7,
        "reward": 0.9,
        "accuracy": 0.8,
        "loss": 1.0,
        "perplexity": 9.0,
        "tokens": 10,
        "tokens_per_second": 3.5,
        "duration_s": 1,
    }
    found = enrich("crucible_train.epoch.stop", measurements, {"epoch": 2, "learning_rate": 0.2})
    assert found.fields == {
        "epoch": 2,
        "batch": 5,
        "learning_rate": 0.2,
        "gradient_norm": 2.0,
        "val_loss": 0.7,
        "reward": 0.9,
        "accuracy": 0.8,
        "loss": 1.0,
        "perplexity": 9.0,
        "tokens": 10,
        "tokens_per_s": 3.5,
    }


def test_a_validation_loss_is_no_training_loss() -> None:
    """Our trainer emits it as the `loss` of another event."""
    found = enrich("crucible_train.validation.stop", {"step": 4, "loss": 0.25}, {"model": "r16", **_NATS})
    assert found.fields == {"step": 4, "val_loss": 0.25, "model": "r16", "perplexity": math.exp(0.25)}


def test_a_checkpoint_has_its_path() -> None:
    """Ours say `path`, the predecessor's `checkpoint_path`; both may be a path of Python's."""
    for key in ("path", "checkpoint_path"):
        found = enrich("crucible_train.checkpoint.saved", {"step": 4}, {key: pathlib.PurePosixPath("/a/b")})
        assert found.fields == {"step": 4, "checkpoint_path": "/a/b"}


@pytest.mark.parametrize(
    ("loss", "perplexity"), [(800.0, math.inf), (-800.0, 0.0), (math.inf, math.inf), (10**400, math.inf)]
)
def test_a_perplexity_beyond_floats(loss: float, perplexity: float) -> None:
    """It overflows to infinity."""
    assert enrich("crucible_train.batch.stop", {"loss": loss}, _NATS).fields["perplexity"] == perplexity


def test_a_loss_of_nan_survives() -> None:
    """It is what a diverging run measured, and is kept through the store's text, too."""
    fields = decode(encode(enrich("crucible_train.batch.stop", {"loss": math.nan}, _NATS).fields))
    assert math.isnan(fields["loss"])
    assert math.isnan(fields["perplexity"])


def test_without_a_unit_there_is_no_perplexity(registered: Any) -> None:
    """A loss of who knows what has none; a registered one in nats has, whatever the event is called."""
    assert "perplexity" not in enrich("crucible_train.rl.stop", {"loss": 0.5}, _NATS).fields
    registered("my_lab.fit.stop", "training", loss="nat")
    assert enrich("my_lab.fit.stop", {"loss": 0.0}, _NATS).fields == {"loss": 0.0, "perplexity": 1.0}


@pytest.mark.parametrize("about", [{}, {"loss_function": "mse"}, {"loss_function": "dpo"}, {"loss_function": None}])
def test_only_a_cross_entropy_has_a_perplexity(about: dict[str, Any]) -> None:
    """Of a squared error or a preference, or of a loss that nobody named, the exponential is no perplexity."""
    for event in ("batch", "epoch", "validation"):
        assert "perplexity" not in enrich(f"crucible_train.{event}.stop", {"loss": 0.5}, about).fields


@pytest.mark.parametrize(
    ("name", "measurements", "metadata", "expected"),
    [
        (
            "crucible_deployment.inference.stop",
            {"input_size": 3, "output_size": 4},
            {"model_name": "n", "model_version": 2, "batch_size": 8, "status": "ok"},
            {"input_size": 3, "output_size": 4, "model_name": "n", "model_version": 2, "batch_size": 8, "status": "ok"},
        ),
        (
            "crucible_deployment.health_check.completed",
            {"latency_p50_ms": 3.0, "latency_p99": 9, "error_rate": 0.1, "batch_size": 2, "status": "down"},
            {},
            {"latency_p50_ms": 3.0, "latency_p99": 9, "error_rate": 0.1, "batch_size": 2, "status": "down"},
        ),
        (
            "crucible_framework.stage.stop",
            {"attempts": 2},
            {"stage": "train", "stage_index": 1, "pipeline_id": "p"},
            {"attempts": 2, "stage_name": "train", "stage_index": 1, "pipeline_id": "p"},
        ),
        (
            "ensemble.vote.completed",
            {"votes": 3, "agreement": 0.5, "confidence": 0.75},
            {"strategy": "majority", "answer": ["not", "kept"]},
            {"votes": 3, "agreement": 0.5, "confidence": 0.75, "strategy": "majority"},
        ),
        (
            "crucible_ensemble.predict.stop",
            {"models": 3, "succeeded": 2, "failed": 1},
            {},
            {"models": 3, "succeeded": 2, "failed": 1},
        ),
        (
            "hedging.request.stop",
            {"requests": 2, "duplicates": 1},
            {"winner": 1},
            {"requests": 2, "duplicates": 1, "winner": 1},
        ),
        ("altar.tool.stop", {}, {"tool_name": "search"}, {"tool": "search"}),
        (
            "crucible_data.evaluation.stop",
            {"items": 5},
            {"dataset": "gsm8k", "total_items": 5, "means": {"exact": 0.5, "odd": "x"}},
            {"items": 5, "dataset": "gsm8k", "total_items": 5, "mean_exact": 0.5},
        ),
        ("crucible_xai.explanation.generated", {}, {"method": "lime"}, {"method": "lime"}),
        (
            "crucible_adversary.attack.executed",
            {},
            {"attack": "typos", "success": True},
            {"attack": "typos", "attack_success": True},
        ),
        ("crucible_trace.decision.made", {}, {"decision": "d", "confidence": 0.5}, {}),
        ("somebody.elses", {"loss": 1.0}, {"epoch": 3}, {}),
    ],
)
def test_each_category_has_its_fields(
    name: str, measurements: dict[str, Any], metadata: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Those of the spec and of what Crucible's rooms emit; others' events have none of them."""
    assert enrich(name, measurements, metadata).fields == expected


def test_numbers_of_other_libraries_become_pythons() -> None:
    """NumPy's scalars and 0-d arrays, fractions, decimals: JSON has them all."""
    values = {
        "loss": numpy.float32(0.5),
        "step": numpy.int64(3),
        "reward": numpy.array(2.0),
        "accuracy": fractions.Fraction(1, 2),
        "gradient_norm": numpy.float64(4.0),
        "learning_rate": decimal.Decimal("0.25"),
    }
    fields = enrich("crucible_train.rl.stop", values).fields
    assert fields == {
        "loss": 0.5,
        "step": 3,
        "reward": 2.0,
        "accuracy": 0.5,
        "gradient_norm": 4.0,
        "learning_rate": 0.25,
    }
    assert {type(value) for value in fields.values()} == {int, float}


def test_tensors_of_no_dimension_become_pythons() -> None:
    """One of several numbers is no number."""
    torch = pytest.importorskip("torch")
    values = {"loss": torch.tensor(0.5), "reward": torch.tensor([1.0, 2.0]), "step": torch.tensor(True)}
    fields = enrich("crucible_train.rl.stop", values).fields
    assert fields["loss"] == 0.5
    assert fields["malformed"] == "reward: expected a number, got Tensor; step: expected a number, got Tensor"


# --- malformed ---


@pytest.mark.parametrize(
    ("measurements", "metadata", "note"),
    [
        ({"duration_ns": "x"}, {}, "duration_ns: expected a number, got str 'x'"),
        ({"duration_ns": -5}, {}, "duration_ns: expected a finite duration of 0 or more, got int -5"),
        ({"duration_ms": math.nan}, {}, "duration_ms: expected a finite duration of 0 or more, got float nan"),
        ({"duration": True}, {}, "duration: expected a number, got bool True"),
        ({"duration_ns": 10**400}, {}, "duration_ns: expected a finite duration of 0 or more, got int"),
        ({"start": 5, "stop": 3}, {}, "stop: expected a finite time not before start"),
        ({"start": "a", "stop": 3}, {}, "start: expected a number, got str 'a'"),
        ({"cost": "1.5"}, {}, "cost: expected a number, got str '1.5'"),
        ({"cost": -1.0}, {}, "cost: expected a finite cost of 0 or more, got float -1.0"),
        ({"prompt_tokens": 1.5}, {}, "prompt_tokens: expected a whole number of 0 or more, got float 1.5"),
        ({"input_tokens": -1}, {}, "input_tokens: expected a whole number of 0 or more, got int -1"),
        ({"prompt_tokens": 1, "cached_tokens": 2}, {}, "cached_tokens: expected no more than the prompt's 1, got 2"),
        ({}, {"tokens": [1]}, "tokens: expected a mapping of counts, or a whole number of 0 or more, got list"),
        ({}, {"tokens": {"prompt": "9"}}, "tokens.prompt: expected a whole number of 0 or more, got str '9'"),
        ({"loss": "0.5"}, {}, "loss: expected a number, got str '0.5'"),
        ({"loss": True}, {}, "loss: expected a number, got bool True"),
        ({}, {"model": ["m"]}, "model: expected a word or a number, got list"),
        ({}, {"user_id": b"u"}, "user_id: expected a word or a number, got bytes"),
        ({}, {"epoch": "3"}, "epoch: expected a number, got str '3'"),
        ([1, 2], {}, "measurements: expected a mapping, got list"),
        ({}, "words", "metadata: expected a mapping, got str 'words'"),
        ({"loss": "y" * 100}, {}, f"loss: expected a number, got str '{'y' * 40}'…"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_said_and_the_rest_is_kept(measurements: Any, metadata: Any, note: str) -> None:
    """The other half of the event is understood as ever."""
    if isinstance(measurements, dict):
        measurements = {"reward": 0.5, **measurements}
    if isinstance(metadata, dict):
        metadata = {"cohort": "a", **metadata}
    found = enrich("crucible_train.rl.stop", measurements, metadata, span_id="1")
    assert found.fields["malformed"] == note
    assert found.fields.get("reward") == (0.5 if isinstance(measurements, dict) else None)
    assert found.fields.get("cohort") == ("a" if isinstance(metadata, dict) else None)
    assert found.success is True
    assert (found.latency_ms, found.cost_usd) == (None, None)


def test_many_problems_stay_short() -> None:
    """Eight are said, the others counted."""
    keys = ("loss", "val_loss", "accuracy", "reward", "learning_rate", "gradient_norm", "perplexity", "step", "tokens")
    said = enrich("crucible_train.batch.stop", dict.fromkeys((*keys, "batch"), "z" * 1000)).fields["malformed"]
    assert said.count("expected a number") == 8
    assert said.endswith("; and 2 more")
    assert len(said) < 900


class Hostile:  # noqa: PLW1641  # it has a hash that raises
    """Raises whatever is asked of it."""

    ndim = 0

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __bool__ = __float__ = __hash__ = item = __str__  # type: ignore[assignment]

    __eq__ = __str__  # type: ignore[assignment]


class Torn(Mapping[str, Any]):
    """A mapping that breaks off."""

    def __getitem__(self, key: str) -> Any:
        if key == "late":
            raise RuntimeError("no")
        return {"reward": 0.5, "cohort": "a"}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("reward", "cohort", "late"))

    def __len__(self) -> int:
        return 3


@pytest.mark.parametrize("name", [*standard_events(), "x.y", "", ".", "x.stop", "\ud800.stop"])
@pytest.mark.parametrize(
    "value",
    [Hostile(), 10**400, -(10**400), math.nan, -math.inf, b"\xff", "\ud800", object(), {}, [], {1: Hostile()}, Torn()],
    ids=lambda value: type(value).__name__,
)
def test_nothing_that_an_event_holds_stops_it(name: str, value: Any) -> None:
    """Every known key with every odd value, one at a time and all together; the result is text for the store."""
    enricher = Enricher(PRICES)
    keys = [
        *("duration_ns", "duration", "start", "stop", "cost", "status", "success", "prompt_tokens", "tokens", "loss"),
        *("epoch", "model", "error", "response", "session_id", "provider", "means", "completion_tokens", "batch_size"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnpricedModelWarning)
        for key in keys:
            for measurements, metadata in (({key: value}, {}), ({}, {key: value})):
                found = enricher(event(name, measurements, metadata))
                assert decode(encode(found.fields)) is not None
        every = dict.fromkeys(keys, value)
        found = enricher(event(name, every, every, span_id="1"))
    assert found.latency_ms is None or math.isfinite(found.latency_ms)
    assert found.cost_usd is None or math.isfinite(found.cost_usd)
    assert found.success in (None, True, False)


@pytest.mark.parametrize("name", [None, 5, ["a"], Hostile()])
def test_a_name_that_is_none_does_not_stop_it(name: Any) -> None:
    """Somebody may build events by hand."""
    found = enrich(name, {}, {"cohort": "a"})
    assert isinstance(found, Enriched)


def test_a_mapping_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    """And its error is named."""
    found = enrich("crucible_train.rl.stop", Torn(), Torn())
    assert (found.fields["reward"], found.fields["cohort"]) == (0.5, "a")
    assert "measurements: could not be read to its end (RuntimeError)" in found.fields["malformed"]


def test_a_hostile_value_beside_a_good_one() -> None:
    """Only the hostile one is lost."""
    found = enrich("crucible_train.rl.stop", {"reward": 0.5, "loss": Hostile()}, {"model": Hostile(), "cohort": "a"})
    assert (found.fields["reward"], found.fields["cohort"]) == (0.5, "a")
    expected = "loss: expected a number, got Hostile; model: expected a word or a number, got Hostile"
    assert found.fields["malformed"] == expected


def test_counts_that_no_float_can_hold() -> None:
    """They cannot be priced, and are said to be malformed; mappings of any kind beside them are read."""
    tokens = types.MappingProxyType({"completion": 5})
    measurements = {"prompt_tokens": 10**400, "completion_tokens": 1, "duration_ms": 2}
    found = Enricher(PRICES)(event("x.y", measurements, {"model": "m", 5: 6}))
    assert found.fields["malformed"] == "prompt_tokens: expected a number that a float can hold, got int"
    assert (found.latency_ms, found.cost_usd, found.fields["completion_tokens"]) == (2.0, None, 1)
    throughput = event("crucible_train.batch.stop", {"tokens": 10**400, "duration_ms": 2}, {"extra": tokens})
    assert Enricher()(throughput).latency_ms == 2.0


def test_payloads_are_not_changed() -> None:
    """They are the emitter's."""
    measurements, metadata = {"prompt_tokens": 1, "completion_tokens": 2}, {"tokens": {"prompt": 3}, "model": "m"}
    enrich("req_llm.request.stop", measurements, metadata)
    assert (measurements, metadata) == (
        {"prompt_tokens": 1, "completion_tokens": 2},
        {"tokens": {"prompt": 3}, "model": "m"},
    )


# --- custom enrichers ---


def test_custom_enrichers_add_and_replace() -> None:
    """Each sees what was found before it; None adds nothing."""

    def first(told: Event, found: Enriched) -> Mapping[str, Any]:
        return {"length": len(told.name), "latency_ms": (found.latency_ms or 0) * 2}

    def second(_: Event, found: Enriched) -> Mapping[str, Any]:
        return {"again": found.fields["length"], "success": False, "cost_usd": numpy.float64(0.5)}

    enricher = Enricher(custom=[first, lambda *_: None, second])
    found = enricher(event("x.stop", {"duration_ms": 2}))
    assert found == Enriched(4.0, 0.5, False, {"length": 6, "again": 6})
    assert enricher.errors == {}


def test_a_custom_enricher_that_raises_is_counted_and_stops_nothing() -> None:
    """By its name, with the last error; the others go on."""

    def broken(told: Event, _: Enriched) -> Mapping[str, Any]:
        raise KeyError(told.name)

    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    def silent(*_: Any) -> Mapping[str, Any]:
        raise Silent

    enricher = Enricher(custom=[broken, silent, lambda *_: {"kept": True}])
    assert [enricher(event(name)).fields for name in ("a.b", "c.d")] == [{"kept": True}] * 2
    assert {name: (each.count, each.last) for name, each in enricher.errors.items()} == {
        "broken": (2, "KeyError: 'c.d'"),
        "silent": (2, "Silent"),
    }


@pytest.mark.parametrize(
    "result", [5, ["a"], {1: 2}, {"success": "yes"}, {"latency_ms": "fast"}, {"cost_usd": -1}, {"latency_ms": math.nan}]
)
def test_what_cannot_be_kept_of_a_custom_enricher_is_an_error_of_its(result: Any) -> None:
    """All of its result is left out then, so that no half of it is kept."""
    good = result | {"more": 1} if isinstance(result, dict) else result
    enricher = Enricher(custom=[lambda *_: good])
    assert enricher(event("a.stop", {"duration_ms": 1})) == Enriched(1.0, None, None, {})
    assert enricher.errors["<lambda>"].count == 1


def test_custom_enrichers_may_take_away() -> None:
    """None replaces what was found, and namesakes are told apart."""
    enricher = Enricher(custom=[lambda *_: {"latency_ms": None}, lambda *_: 1 / 0])  # type: ignore[list-item]
    assert enricher(event("a.stop", {"duration_ms": 1})).latency_ms is None
    assert list(enricher.errors) == ["<lambda>#2"]
