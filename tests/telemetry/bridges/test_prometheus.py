"""Text for Prometheus, held to its grammar and, where it is installed, read by its own parser."""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible import events
from crucible.errors import ContractError
from crucible.store import Aggregate, EventQuery, Store
from crucible.telemetry import Experiment
from crucible.telemetry.bridges import MEDIA_TYPES, Exposition, to_prometheus
from crucible.telemetry.bridges.exposition import Families

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)")
ENDINGS = {"counter": ("_total",), "gauge": ("",), "summary": ("", "_sum", "_count")}
UNESCAPED = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def strictly(text: str, *, is_open: bool) -> Samples:
    """Return the samples of a page, after holding every line of it to the grammar."""
    assert text.endswith("# EOF\n" if is_open else "\n") or not text
    lines = text.removesuffix("\n").split("\n")
    if is_open:
        assert lines.pop() == "# EOF"
    samples: Samples = {}
    kinds: dict[str, str] = {}
    family = ""
    for line in filter(None, lines):
        if line.startswith("#"):
            _, word, name, rest = line.split(" ", 3)
            assert re.fullmatch(NAME, name)
            if word == "HELP":
                assert name not in kinds, "a family stands in one piece"
                family = name
            elif word == "TYPE":
                kinds[name] = rest
            else:
                assert (word, is_open) == ("UNIT", True)
                assert name.endswith(f"_{rest}")
            assert name == family
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        base = family if is_open or kinds[family] != "counter" else family.removesuffix("_total")
        assert match[1] in {base + ending for ending in ENDINGS[kinds[family]]}, (match[1], family)
        pairs = [each.split("=", 1) for each in re.findall(LABEL, match[2] or "")]
        labels = {name: re.sub(r"\\.", lambda found: UNESCAPED[found[0]], value[1:-1]) for name, value in pairs}
        assert len(labels) == len(pairs), "a label stands once"
        assert not any(name.startswith("__") for name in labels)
        key = (match[1], frozenset(labels.items()))
        assert key not in samples, "a sample stands once"
        samples[key] = float(match[3])
        if is_open and kinds[family] != "gauge":
            is_quantile = kinds[family] == "summary" and match[1] == family
            assert samples[key] >= 0 or (is_quantile and math.isnan(samples[key])), line
            assert samples[key].is_integer() or not (kinds[family] == "summary" and match[1].endswith("_count")), line
    return samples


def parsed(page: Exposition | Mapping[str, Any], labels: Mapping[str, object] | None = None) -> Samples:
    """Return the samples of a page, read from both formats, by every reader that there is."""
    if not isinstance(page, Exposition):
        made = Exposition()
        made.add(page, labels)
        assert made.text() == to_prometheus(page, labels)
        page = made
    texts = {"prometheus": page.text(), "openmetrics": page.text("openmetrics")}
    samples = strictly(texts["prometheus"], is_open=False)
    assert strictly(texts["openmetrics"], is_open=True).keys() <= samples.keys()
    if importlib.util.find_spec("prometheus_client"):
        for name, module in (("prometheus", "parser"), ("openmetrics", "openmetrics.parser")):
            reader = importlib.import_module(f"prometheus_client.{module}")
            families = list(reader.text_string_to_metric_families(texts[name]))
            found = {(each.name, frozenset(each.labels.items())) for one in families for each in one.samples}
            assert found == strictly(texts[name], is_open=name == "openmetrics").keys()
    return samples


def plain(samples: Samples) -> dict[str, float]:
    """Return the samples as a page shows them."""
    return {
        name + "".join(f"[{key}={text}]" for key, text in sorted(labels)): value
        for (name, labels), value in samples.items()
    }


SNAPSHOT: dict[str, Any] = {
    "events": 7,
    "malformed": 1,
    "last_timestamp_ns": 1_790_000_000_500_000_000,
    "as_of_ns": 1_790_000_000_500_000_000,
    "events_per_s": 3.5,
    "event_counts": {"req_llm.request.stop": 4, "mine": 3},
    "latency": {
        "count": 4, "sum": 1000.0, "mean": 250.0, "std_dev": 20.0, "min": 59.0, "max": 400.0,
        "p50": 240.0, "p99": 399.0, "p999": 400.0, "ewma": 260.0, "not_finite": 1,
    },
    "cost": {"count": 2, "total": 0.5, "mean_per_request": 0.25, "cost_per_1k_requests": 250.0, "p50": 0.25},
    "reliability": {
        "total_requests": 4, "successful": 3, "failed": 1, "success_rate": 0.75, "sla_99": False, "sla_999": True,
    },
    "tokens": {"count": 4, "total_prompt": 40, "total_completion": 8, "total": 48, "mean_prompt": 10.0},
    "training": [{"model": "rank16", "epoch": 2, "loss": {"last": 0.5, "count": 3}}, {"model": None, "tokens": 9}],
    "custom": {"reward": {"count": 2, "mean": -1.5, "p50": -1.0, "not_finite": 0}},
    "windows": {
        "events": {"60s": {"count": 7, "rate_per_s": 3.5, "mean": 1.0, "span_s": 60}},
        "latency_ms": {"60s": {"count": 4, "mean": 250.0, "sum": 1000.0}},
    },
}  # fmt: skip


def test_a_snapshot_becomes_a_page() -> None:
    """Names, units and suffixes are Prometheus's: seconds, dollars, ratios, `_total` on counters; all numbers come."""
    assert plain(parsed(SNAPSHOT)) == {
        "crucible_malformed_events_total": 1,
        "crucible_last_event_timestamp_seconds": 1_790_000_000.5,
        "crucible_events_per_second": 3.5,
        "crucible_events_total[event=req_llm.request.stop]": 4,
        "crucible_events_total[event=mine]": 3,
        "crucible_request_latency_seconds[quantile=0.5]": 0.24,
        "crucible_request_latency_seconds[quantile=0.99]": 0.399,
        "crucible_request_latency_seconds[quantile=0.999]": 0.4,
        "crucible_request_latency_seconds_sum": 1.0,
        "crucible_request_latency_seconds_count": 4,
        "crucible_request_latency_min_seconds": 0.059,
        "crucible_request_latency_max_seconds": 0.4,
        "crucible_request_latency_std_dev_seconds": 0.02,
        "crucible_request_latency_ewma_seconds": 0.26,
        "crucible_request_latency_not_finite": 1,
        "crucible_request_cost_usd_total": 0.5,
        "crucible_request_cost_mean_usd": 0.25,
        "crucible_request_cost_quantile_usd[quantile=0.5]": 0.25,
        "crucible_priced_requests_total": 2,
        "crucible_requests_total[outcome=success]": 3,
        "crucible_requests_total[outcome=failure]": 1,
        "crucible_request_success_ratio": 0.75,
        "crucible_sla_met[target=0.99]": 0,
        "crucible_sla_met[target=0.999]": 1,
        "crucible_token_requests_total": 4,
        "crucible_tokens_total[type=prompt]": 40,
        "crucible_tokens_total[type=completion]": 8,
        "crucible_request_tokens_mean[type=prompt]": 10,
        "crucible_training_epoch[model=rank16]": 2,
        "crucible_training_loss_last[model=rank16]": 0.5,
        "crucible_training_loss_number[model=rank16]": 3,
        "crucible_training_tokens": 9,
        "crucible_custom_number[metric=reward]": 2,
        "crucible_custom_mean[metric=reward]": -1.5,
        "crucible_custom_quantile[metric=reward][quantile=0.5]": -1,
        "crucible_custom_not_finite[metric=reward]": 0,
        "crucible_window_events_number[window=60s]": 7,
        "crucible_window_events_rate_per_second[window=60s]": 3.5,
        "crucible_window_latency_number[window=60s]": 4,
        "crucible_window_latency_mean_seconds[window=60s]": 0.25,
        "crucible_window_latency_sum_seconds[window=60s]": 1,
    }


def test_an_empty_snapshot_says_what_it_can() -> None:
    """Of nothing there are counts of zero and no rate; of no section there is no line."""
    empty = {
        "latency": {"count": 0},
        "cost": {"count": 0, "total": 0.0},
        "reliability": {"total_requests": 0, "successful": 0, "failed": 0, "success_rate": None},
    }
    assert set(plain(parsed(empty)).values()) == {0}
    assert "success_ratio" not in to_prometheus(empty)
    assert to_prometheus({}) == ""
    assert to_prometheus({}, format="openmetrics") == "# EOF\n"


def test_the_lines_are_as_prometheus_wants_them() -> None:
    """A family has its help and type before it; OpenMetrics names a counter without `_total` and adds the unit."""
    cost = {"cost": {"total": 0.5}}
    assert to_prometheus(cost, {"run": "a"}).splitlines() == [
        "# HELP crucible_request_cost_usd_total What requests cost, US dollars.",
        "# TYPE crucible_request_cost_usd_total counter",
        'crucible_request_cost_usd_total{run="a"} 0.5',
    ]
    assert to_prometheus(cost, {"run": "a"}, format="openmetrics").splitlines() == [
        "# HELP crucible_request_cost_usd What requests cost, US dollars.",
        "# TYPE crucible_request_cost_usd counter",
        "# UNIT crucible_request_cost_usd usd",
        'crucible_request_cost_usd_total{run="a"} 0.5',
        "# EOF",
    ]
    assert MEDIA_TYPES["prometheus"].startswith("text/plain; version=0.0.4")
    assert MEDIA_TYPES["openmetrics"].startswith("application/openmetrics-text; version=1.0.0")


@pytest.mark.parametrize(
    "label", ['say "hi"', "two\nlines", "back\\slash", "\\n", "∑ ü", "", "tab\t", "{a=1}", "\ud800", None, 7]
)
def test_labels_arrive_as_they_were(label: Any) -> None:
    """Quotes, line ends and backslashes in a label are escaped; half a surrogate pair becomes its number."""
    expected = "\\ud800" if label == "\ud800" else str(label)
    (found,) = parsed({"event_counts": {"a": 1}}, {"name": label})
    assert dict(found[1]) == {"name": expected, "event": "a"}


def test_names_of_labels_become_legal() -> None:
    """A label's name is changed to the nearest; one that the family itself has gets `exported_` before it."""
    labels = {"my-label": 1, "9th": 2, "__name__": 3, "event": "mine", "": 4}
    (found,) = parsed({"event_counts": {"a": 1}}, labels)
    assert dict(found[1]) == {
        "my_label": "1", "_9th": "2", "name__": "3", "exported_event": "mine", "unnamed": "4", "event": "a",
    }  # fmt: skip


def test_names_of_labels_in_other_letters_stay_apart() -> None:
    """A letter that ASCII lacks becomes its number, and of two names that become one the legal one keeps it."""
    labels = {"é": 1, "ö": 2, "a-b": 3, "a b": 4, "a_b": 5, "u00e9_": 6, "event": 7, "exported_event": 8, "-": 9}
    for told in (labels, dict(reversed(labels.items()))):
        (found,) = parsed({"event_counts": {"a": 1}}, told)
        assert dict(found[1]) == {
            "u00e9__2": "1", "u00f6_": "2", "a_b_3": "3", "a_b_2": "4", "a_b": "5", "u00e9_": "6",
            "exported_event": "7", "exported_event_2": "8", "unnamed": "9", "event": "a",
        }  # fmt: skip


def test_names_of_metrics_in_other_letters_stay_apart() -> None:
    """Each number of a snapshot has its own family, called alike whatever the order, with its unit at the end."""
    page = {"é": 1, "ö": 2, "u00e9": 3, "a-b": 4, "a b": 5, "a_b": 6, "x_sum": 7, "x_amount": 8}
    expected = {
        "crucible_u00e9": 3, "crucible_u00e9_2": 1, "crucible_u00f6": 2, "crucible_a_b": 6, "crucible_a_b_2": 5,
        "crucible_a_b_3": 4, "crucible_x_amount": 8, "crucible_x_sum_2": 7,
    }  # fmt: skip
    assert plain(parsed(page)) == expected
    assert plain(parsed(dict(reversed(page.items())))) == expected


def test_a_collision_leaves_the_unit_at_the_end() -> None:
    """Families of one legal name, or of another kind, get their number before the unit, as OpenMetrics asks."""
    families = Families()
    about: dict[str, Any] = {"description": "Time.", "unit": "seconds"}
    families.add("wait-time", "gauge", 1.0, {}, **about)
    families.add("wait time", "gauge", 2.0, {}, **about)
    families.add("wait_time", "gauge", 3.0, {}, **about)
    families.add("wait_time", "counter", 4.0, {}, **about)
    families.add("wait_time_counter", "gauge", 5.0, {}, **about)
    open_metrics = families.text("openmetrics")
    assert plain(strictly(open_metrics, is_open=True)) == {
        "wait_time_seconds": 3, "wait_time_2_seconds": 2, "wait_time_3_seconds": 1,
        "wait_time_counter_seconds_total": 4, "wait_time_counter_gauge_seconds": 5,
    }  # fmt: skip
    assert len(strictly(families.text(), is_open=False)) == 5


def test_numbers_that_are_none_arrive() -> None:
    """NaN and infinities are written as Prometheus writes them; OpenMetrics takes none of them in a counter."""
    page = {"score": math.nan, "up": math.inf, "down": -math.inf, "cost": {"total": math.nan}}
    lines = to_prometheus(page).splitlines()
    assert "crucible_score NaN" in lines
    assert "crucible_up +Inf" in lines
    assert "crucible_down -Inf" in lines
    assert "crucible_request_cost_usd_total NaN" in lines
    assert "cost" not in to_prometheus(page, format="openmetrics")
    parsed(page)


def test_openmetrics_has_negative_values_in_gauges_only() -> None:
    """A latency below zero, of a clock that went back, is left out there and stands in Prometheus's own format."""
    page = {"latency": {"count": 2, "sum": -5.0, "p50": -3.0, "p99": math.nan, "min": -3.0}}
    assert set(strictly(to_prometheus(page, format="openmetrics"), is_open=True)) == {
        ("crucible_request_latency_seconds", frozenset({("quantile", "0.99")})),
        ("crucible_request_latency_seconds_count", frozenset()),
        ("crucible_request_latency_min_seconds", frozenset()),
    }
    assert len(parsed(page)) == 5


def test_what_is_not_known_becomes_gauges() -> None:
    """A section that a later version adds, or a user, comes out too: parts that are no names stand in a label."""
    page = {
        "queue": 3,
        "is_paused": True,
        "rates": {"crucible_train.batch.stop": {"per_s": 2.5}, "note": "text", "none": None},
        "latency": "not a mapping",
        "tokens": {"odd": "x"},
        "deep": {"a": {"b": {"c": 1}}},
    }
    assert plain(parsed(page)) == {
        "crucible_queue": 3,
        "crucible_is_paused": 1,
        "crucible_rates_per_second[key=crucible_train.batch.stop]": 2.5,
        "crucible_deep_a_b_c": 1,
    }


@pytest.mark.parametrize("count", [0.5, math.inf, math.nan, -1.0])
def test_a_count_that_is_no_count_stays_out_of_openmetrics(count: float) -> None:
    """The older format says what it was given; OpenMetrics takes whole numbers only, and keeps the rest of the page."""
    page = Exposition()
    page.add({"latency": {"count": count, "p50": 10.0}})
    assert parsed(page).keys() >= {("crucible_request_latency_seconds_count", frozenset())}
    assert "_count " not in page.text("openmetrics")
    assert 'quantile="0.5"} 0.01' in page.text("openmetrics")


def test_what_contains_itself_ends() -> None:
    """A mapping inside itself is followed eight levels deep."""
    circle: dict[str, Any] = {"n": 1}
    circle["again"] = circle
    assert len(parsed({"circle": circle})) == 8


_KEYS = st.text(max_size=5) | st.sampled_from(["p50", "sla_99", "count", "sum", "total", "60s"])
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@settings(deadline=None)  # a page is made and read four times
@given(
    st.dictionaries(
        st.text(max_size=5) | st.sampled_from(sorted(SNAPSHOT)),
        st.recursive(_VALUES, lambda inner: st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12),
        max_size=6,
    ),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_any_snapshot_makes_a_legal_page(snapshot: Mapping[str, Any], labels: Mapping[str, object]) -> None:
    """Whatever a snapshot and its labels hold, the page is one that Prometheus reads."""
    parsed(snapshot, labels)


def test_several_snapshots_share_a_page() -> None:
    """The samples of a family stand together, whichever snapshot they are of; another prefix may stand before names."""
    page = Exposition("lab")
    for name in ("one", "two"):
        page.add({"latency": {"count": 1, "sum": 5.0, "p50": 5.0}, "event_counts": {"a": 1}}, {"experiment": name})
    samples = plain(parsed(page))
    assert samples["lab_events_total[event=a][experiment=one]"] == 1
    assert samples["lab_events_total[event=a][experiment=two]"] == 1
    assert page.text().count("# TYPE lab_request_latency_seconds summary") == 1


def aggregate(**fields: Any) -> Aggregate:
    """Return what the store says of a group."""
    told: dict[str, Any] = {
        "group": ("req_llm.request.stop", "m"), "bucket_start_ns": None, "count": 5, "n": 4, "sum": 100.0,
        "mean": 25.0, "std": 9.0, "min": 10.0, "max": 40.0, "successes": 3, "failures": 1, "cost_usd": 0.5,
        "percentiles": {0.5: 20.0, 0.95: 39.0},
    }  # fmt: skip
    return Aggregate(**(told | fields))


def test_aggregates_become_a_page() -> None:
    """What the store adds up is labelled by its group, and latency is in seconds."""
    page = Exposition()
    page.add_aggregates(
        [aggregate(), aggregate(group=("b", None), n=0, sum=None, mean=None)], by=("name", "field:model")
    )
    samples = plain(parsed(page))
    here = "[model=m][name=req_llm.request.stop]"
    assert samples[f"crucible_events_total{here}"] == 5
    assert samples[f"crucible_requests_total[model=m][name=req_llm.request.stop][outcome=failure]"] == 1  # noqa: F541
    assert samples[f"crucible_request_cost_usd_total{here}"] == 0.5
    assert samples[f"crucible_request_latency_seconds_sum{here}"] == 0.1
    assert samples[f"crucible_request_latency_seconds_count{here}"] == 4
    assert samples["crucible_request_latency_seconds[model=m][name=req_llm.request.stop][quantile=0.95]"] == 0.039
    assert samples["crucible_request_latency_seconds_count[name=b]"] == 0


def test_aggregates_of_another_value_are_gauges() -> None:
    """A loss has a mean, extremes and quantiles, and no sum that would be a counter."""
    page = Exposition()
    page.add_aggregates([aggregate(group=("a",), cost_usd=None)], {"run": "r"}, value="loss")
    samples = plain(parsed(page))
    assert samples["crucible_loss_mean[name=a][run=r]"] == 25
    assert samples["crucible_loss_quantile[name=a][quantile=0.5][run=r]"] == 20
    assert not any("cost" in name or "latency" in name for name in samples)


def test_aggregates_of_stretches_of_time_are_refused() -> None:
    """A page of Prometheus has no past; the message says what to ask for."""
    with pytest.raises(ContractError, match="ask for them without bucket_ns"):
        Exposition().add_aggregates([aggregate(bucket_start_ns=0)], by=("name", "field:model"))


def test_the_live_metrics_of_an_experiment_make_a_page(store: Store) -> None:
    """What `live.to_dict()` and the store's aggregates really give is read without a rest."""
    experiment = Experiment.start("a", store=store)
    with experiment.active():
        for _ in range(3):
            with events.span("req_llm.request", {"model": "tiny"}) as request:
                request.measure(prompt_tokens=3, completion_tokens=2)
        events.emit("crucible_train.batch.stop", {"step": 1, "loss": 0.5, "tokens": 64}, {"model": "tiny"})
    experiment.stop()
    samples = plain(parsed(experiment.live.to_dict()))
    assert samples["crucible_events_total[event=req_llm.request.stop]"] == 3
    assert samples["crucible_request_latency_seconds_count"] >= 3
    assert samples["crucible_tokens_total[type=prompt]"] == 9
    assert samples["crucible_training_loss_last[model=tiny]"] == 0.5
    page = Exposition()
    query = EventQuery(run_id=experiment.id, names=("req_llm.request.stop",))
    page.add_aggregates(store.telemetry.aggregate(query, by=("name",)))
    assert plain(parsed(page))["crucible_request_latency_seconds_count[name=req_llm.request.stop]"] == 3
