"""`crucible telemetry compare` and `anomalies`: what differs, and what is out of the ordinary."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crucible.store import Store, open_store
from crucible.telemetry import Experiment

Crucible = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def store(crucible: Crucible) -> Iterator[Store]:
    """The store of the working directory."""
    with open_store(".crucible") as opened:
        yield opened


def arm(store: Store, name: str, mean_ms: float, *, odd: bool = False) -> str:
    """Return an experiment of 100 requests whose latencies lie around a mean; one of them may be odd."""
    draw = random.Random(name)
    with Experiment.start(name, store=store, condition=name) as experiment:
        for step in range(100):
            latency_ms = 5_000.0 if odd and step == 50 else draw.gauss(mean_ms, 10)
            told = {"model": "small", "success": step % 20 != 0}
            experiment.emit("req_llm.request.stop", {"duration": round(latency_ms * 1e6)}, told)
            experiment.log_metric("loss", math.nan if odd and step == 60 else draw.gauss(1, 0.1), step)
    return experiment.id


def test_what_is_faster_is_better(crucible: Crucible, store: Store) -> None:
    """Positive is better for each metric, the interval lies on the same side, and the sentence says which way."""
    slow, fast = arm(store, "slow", 100), arm(store, "fast", 80)
    text = crucible("telemetry", "compare", slow[:12], fast).stdout
    assert f"baseline   slow  experiment {slow}, condition slow" in text
    row = re.search(
        r"req_llm.request.stop +lower +([\d.]+) +([\d.]+) +\+([\d.]+) +\+([\d.]+) +\+(\S+) to \+(\S+)", text
    )
    row = row or re.search(
        r"latency_ms of +lower +([\d.]+) +([\d.]+) +\+([\d.]+) +\+([\d.]+) +\+(\S+) to \+(\S+)", text
    )
    assert row is not None, text
    base, treated, gain, _, low, high = map(float, row.groups())
    assert gain == pytest.approx(base - treated, abs=0.1)
    assert low < gain < high
    assert "● better  A difference was found: mean latency_ms of req_llm.request.stop" in text
    assert "not tested, the last value of each: one number a side, so no test: loss" in text
    back = crucible("telemetry", "compare", fast, slow).stdout
    assert "● worse  A difference was found" in back
    assert re.search(r" lower +[\d.]+ +[\d.]+ +-[\d.]+ +-[\d.]+ +-\S+ to -", back)


def test_comparison_as_data(crucible: Crucible, store: Store) -> None:
    """JSON has each test with its verdict and wording; the correction is over the tests of all treatments."""
    ids = [arm(store, "a", 100), arm(store, "b", 100), arm(store, "c", 90)]
    said = json.loads(crucible("telemetry", "compare", *ids, "--correction", "bh", "--alpha", "0.01", "--json").stdout)
    assert (said["baseline"], said["treatments"], said["correction"]) == (ids[0], ids[1:], "bh")
    tests = [entry["test"] for entry in said["metrics"] if entry["test"]]
    assert {test["comparisons"] for test in tests} == {len(tests)}
    assert {test["alpha"] for test in tests} == {0.01}
    verdicts = {
        entry["treatment"]: entry["test"]["verdict"]
        for entry in said["metrics"]
        if entry["metric"] == "latency_ms of req_llm.request.stop"
    }
    assert verdicts == {ids[1]: "no_difference_found", ids[2]: "difference"}
    text = crucible("telemetry", "compare", *ids, COLUMNS="80").stdout
    assert "no room for: " in text
    assert " better " in text.splitlines()[5]
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("A",), "at least two recordings"),
        (("A", "A"), "not with itself"),
        (("A", "zzz"), "see `crucible telemetry list`"),
        (("A", "B", "--correction", "hollm"), 'did you mean "holm"?'),
        (("A", "B", "--alpha", "5"), "between 0 and 1"),
    ],
)
def test_compare_refuses(crucible: Crucible, store: Store, arguments: tuple[str, ...], words: str) -> None:
    """What cannot be compared is one sentence."""
    known = {"A": arm(store, "a", 100), "B": arm(store, "b", 100)}
    typed = [known.get(argument, argument) for argument in arguments]
    assert words in crucible("telemetry", "compare", *typed, code=2).stderr


def test_recordings_with_nothing_in_common(crucible: Crucible, store: Store) -> None:
    """There is nothing to compare, which is said."""
    ids = []
    for name in ("one", "two"):
        with Experiment.start(name, store=store) as experiment:
            experiment.log_metric(name, 1.0, 0)
        ids.append(experiment.id)
    assert "no metric that both have" in crucible("telemetry", "compare", *ids).stdout


def test_the_odd_one_is_found(crucible: Crucible, store: Store) -> None:
    """A latency that is far out is one row with the methods that say so, what was expected, and its period."""
    recording = arm(store, "odd", 100, odd=True)
    text = crucible("telemetry", "anomalies", recording, "--metrics", "latency_ms,loss").stdout
    assert re.search(r"latency_ms +req_llm.request.stop\s.* 5000 .* modified_z, iqr +critical", text)
    assert re.search(r"60 +loss .* nan +a number .* non_finite +critical", text)
    assert "\nPeriods" in text
    found = json.loads(
        crucible("telemetry", "anomalies", recording, "--methods", "z_score", "--methods", "iqr", "--json").stdout
    )
    assert set(found["anomalies"]["by_method"]) == {"z_score", "iqr"}
    assert found["alerts"] is None
    quiet = crucible("telemetry", "anomalies", recording, "--metrics", "cost_usd").stdout
    assert quiet == "no values of cost_usd in this recording\n"
    few = crucible("telemetry", "anomalies", recording, "--metrics", "latency_ms,loss", "--limit", "1").stdout
    assert "more (--limit, or --json)" in few


def test_configuration_from_a_file(crucible: Crucible, store: Store) -> None:
    """A file says what is watched, options go before it, and every mistake in it is named."""
    recording = arm(store, "odd", 100, odd=True)
    Path("watch.yaml").write_text("methods: [z_score]\nmetrics: [latency_ms]\nthreshold: 100\n")
    command = ("telemetry", "anomalies", recording, "--config", "watch.yaml")
    assert crucible(*command).stdout == "no anomalies in 100 values\n"
    assert json.loads(crucible(*command, "--metrics", "loss", "--json").stdout)["anomalies"]["by_method"] == {
        "non_finite": 1
    }
    Path("watch.yaml").write_text("methods: [zscor]\nthreshhold: 3\n")
    said = crucible(*command, code=2).stderr
    assert "watch.yaml: 2 problems" in said
    assert 'did you mean "threshold"?' in said
    assert "no such file" in crucible("telemetry", "anomalies", recording, "--config", "no.yaml", code=2).stderr


def test_rules_are_replayed(crucible: Crucible, store: Store) -> None:
    """Rules alone print their alerts; with a metric, the anomalies come first."""
    recording = arm(store, "odd", 100, odd=True)
    Path("rules.yaml").write_text(
        "rules:\n- {name: slow, metric: latency_ms, condition: {above: 1000}, severity: critical}\n"
    )
    command = ("telemetry", "anomalies", recording, "--rules", "rules.yaml")
    text = crucible(*command).stdout
    assert "Alerts: 1" in text
    assert re.search(r"critical +slow +latency_ms .* is 5000", text)
    assert "anomalies at" not in text
    assert "anomalies at" in crucible(*command, "--metrics", "latency_ms").stdout
    assert [alert["rule"] for alert in json.loads(crucible(*command, "--json").stdout)["alerts"]] == ["slow"]
    calm = arm(store, "calm", 100)
    assert crucible("telemetry", "anomalies", calm, "--rules", "rules.yaml").stdout == "no rule would have fired\n"
