"""`crucible telemetry list` and `show`: what was recorded, as a user types it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crucible.store import Store, open_store
from crucible.telemetry import Experiment, Record
from crucible.telemetry.taking_in import row_of

Crucible = Callable[..., subprocess.CompletedProcess[str]]

S = 10**9
START = 1_796_000_000 * S
PRICES = {
    "source": "the price list",
    "date": "2026-11-01",
    "prices": [{"model": "small", "input_usd_per_1m": 10.0, "output_usd_per_1m": 40.0}],
}
HOSTILE = "\x1b[31mred\x1b[0m\nsecond line [bold]x[/bold] " + "long " * 100


@pytest.fixture
def store(crucible: Crucible) -> Iterator[Store]:
    """The store of the working directory."""
    with open_store(".crucible") as opened:
        yield opened


def requests(store: Store, name: str = "requests", duration_ms: int = 100, **asked: object) -> str:
    """Record an experiment of 40 requests, four of which fail, with a loss that was once NaN; return its id."""
    with Experiment.start(name, store=store, tags=["llm"], prices=PRICES, **asked) as experiment:
        for step in range(40):
            experiment.log_metric("loss", math.nan if step == 7 else 1 / (1 + step), step)
            usage = {"duration": (duration_ms + step % 5) * 10**6, "prompt_tokens": 100, "completion_tokens": 20}
            told = {"model": "small", "success": step % 10 != 9, "user_id": "ada"}
            experiment.emit("req_llm.request.stop", usage, told)
        for step in range(5):
            experiment.emit("crucible_train.batch.stop", {"loss": 1.0 - step / 10, "step": step}, {"model": "tuned"})
    return experiment.id


def ids(crucible: Crucible, *arguments: str) -> list[str]:
    """Ids of the listed recordings."""
    return [entry["id"] for entry in json.loads(crucible("telemetry", "list", "--json", *arguments).stdout)]


def test_list_is_of_experiments_and_runs_newest_first(crucible: Crucible, store: Store) -> None:
    """Both kinds are listed with what the store counts, and each filter narrows them."""
    crucible("run", "checked.yaml")
    first, second = requests(store, "Baseline"), requests(store, "tuned")
    listed = json.loads(crucible("telemetry", "list", "--json").stdout)
    assert [entry["id"] for entry in listed[:2]] == [second, first]
    assert [entry["what"] for entry in listed] == ["experiment", "experiment", "run"]
    assert (listed[0]["events"], listed[0]["events_are_more"], listed[0]["series"]) == (45, False, 2)
    assert (listed[2]["name"], listed[2]["status"], listed[2]["active_ns"]) == ("checked", "completed", None)
    assert 0 < listed[0]["active_ns"] <= listed[0]["wall_ns"]
    assert ids(crucible, "--name", "base") == [first]
    assert ids(crucible, "--tag", "llm") == [second, first]
    assert ids(crucible, "--status", "completed") == [listed[2]["id"]]
    assert ids(crucible, "--kind", "run") == [listed[2]["id"]]
    assert ids(crucible, "--limit", "1") == [second]
    text = crucible("telemetry", "list").stdout
    assert re.search(rf"{second} +tuned +experiment +stopped .* 45 +2 +llm", text)
    assert "no recording fits" in crucible("telemetry", "list", "--name", "nobody").stdout


def test_an_empty_store_has_nothing(crucible: Crucible, store: Store) -> None:
    """No recording is said so; no store at all is an error that says where it looked."""
    assert crucible("telemetry", "list").stdout == "nothing was recorded yet\n"
    assert json.loads(crucible("telemetry", "list", "--json").stdout) == []
    assert "there is no store at elsewhere" in crucible("telemetry", "list", "--store", "elsewhere", code=2).stderr


def test_an_experiment_whose_process_is_gone_is_seen(crucible: Crucible, tmp_path: Path) -> None:
    """A process that dies leaves a recording that counts as going on, and is shown as what it is."""
    dying = (
        "import os\nfrom crucible.telemetry import Experiment\n"
        "e = Experiment.start('died')\ne.log_metric('loss', 1.0, 0)\ne.flush()\nos._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", dying], check=True, cwd=tmp_path)
    (entry,) = json.loads(crucible("telemetry", "list", "--json").stdout)
    assert (entry["status"], entry["is_orphaned"], entry["wall_ns"]) == ("running", True, None)
    assert "running (process gone)" in crucible("telemetry", "list").stdout
    assert "running (process gone)" in crucible("telemetry", "show", entry["id"]).stdout


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_hostile_names_move_no_cursor(crucible: Crucible, store: Store, columns: str) -> None:
    """Names, tags, keys and values of others are text: no escape, no mark-up, no line of its own, and no end."""
    with Experiment.start(HOSTILE, store=store, tags=["\x1b]0;title\x07"], hypothesis=HOSTILE) as experiment:
        experiment.emit("x.\x1b[2Jevil\u202e", {"a\nb": math.nan, "big": 10**400}, {"t\x1b": HOSTILE, "user": "[red]"})
    for command in (("list",), ("show", experiment.id), ("tail", experiment.id)):
        shown = crucible("telemetry", *command, COLUMNS=columns).stdout
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", shown), command
        if command[0] != "tail":  # whose lines are cut only by a terminal
            assert max(map(len, shown.splitlines())) <= int(columns)
    assert "second line [bold]x[/bold]" in crucible("telemetry", "show", experiment.id).stdout
    assert json.loads(crucible("telemetry", "list", "--json").stdout)[0]["name"] == HOSTILE


def test_show_tells_what_it_comes_to(crucible: Crucible, store: Store) -> None:
    """Latencies by event, cost with its prices, reliability with the targets, tokens, training and series."""
    recording = requests(store, hypothesis="a cache helps", condition="cached")
    text = crucible("telemetry", "show", recording[:10]).stdout
    assert text.startswith(f"requests  experiment {recording}  stopped\nhypothesis: a cache helps\n")
    assert "condition cached · tags llm" in text
    assert re.search(r"req_llm.request.stop +40 +102 .* 104", text)
    assert "$0.072 of 40 events, $0.0018 each, $1.8 a thousand; prices: the price list, 2026-11-01" in text
    assert "90 % went well" not in text  # the five batches say that they went well, too
    assert "(41 of 45 that said so); 99 % missed, 99.9 % missed, 99.99 % missed" in text
    assert "4,800 of 40 events: 4,000 of prompts, 800 of completions; 120 an event" in text
    assert re.search(r"tuned +– +0\.6 +0\.6 @ 4", text)
    assert re.search(r"loss +40 +0\.025 +0\.025 @ 39 +1 @ 0 .* 0 … 39 +1\n", text)
    shown = json.loads(crucible("telemetry", "show", recording, "--json").stdout)
    assert shown["metrics"]["event_types"] == {"crucible_train.batch.stop": 5, "req_llm.request.stop": 40}
    assert shown["metrics"]["reliability"]["sla_99"] is False
    assert shown["experiment"]["condition"] == "cached"


def test_show_of_a_run_and_of_what_a_removed_experiment_left(crucible: Crucible, store: Store) -> None:
    """A run is shown like an experiment; data that was kept is shown by its full id."""
    crucible("run", "checked.yaml")
    (run,) = ids(crucible)
    assert "crucible_framework.stage.stop" in crucible("telemetry", "show", run[:-2]).stdout
    recording = requests(store)
    crucible("telemetry", "remove", recording, "--keep-data")
    text = crucible("telemetry", "show", recording).stdout
    assert "what is left of an experiment that was removed" in text
    assert "req_llm.request.stop" in text


def test_show_of_little(crucible: Crucible, store: Store) -> None:
    """An experiment without events, and one with series alone, are shown without empty tables."""
    with Experiment.start("nothing", store=store) as nothing:
        pass
    with Experiment.start("numbers", store=store) as numbers:
        numbers.log_metric("loss", math.inf, 3)
    text = crucible("telemetry", "show", nothing.id).stdout
    assert text.endswith("events  0\n") or "events  0" in text
    assert "Events and" not in text
    text = crucible("telemetry", "show", numbers.id).stdout
    assert re.search(r"loss +1 +inf +– +– +– +– +3 … 3 +1", text)
    assert "Events and" not in text
    assert "no windows" in crucible("telemetry", "show", numbers.id, "--windows", "60").stdout
    assert "nan, inf  ×" in crucible("telemetry", "show", numbers.id, "--series", "loss").stdout
    assert json.loads(crucible("telemetry", "show", nothing.id, "--windows", "60", "--json").stdout)["windows"] == []


def test_drops_and_malformed_events_are_told(crucible: Crucible, store: Store) -> None:
    """What a sampler or a pause left out, and what could not be read, is said in the head."""
    with Experiment.start("sampled", store=store, sampler={"type": "uniform", "rate": 0.5, "seed": 1}) as experiment:
        for _ in range(100):
            experiment.emit("x.y", {"n": 1})
    info = store.telemetry.experiments.get(experiment.id)
    text = crucible("telemetry", "show", experiment.id).stdout
    assert f"not kept: {info.dropped['sampled']} sampled" in text
    assert "uniform" in text
    with Experiment.start("odd", store=store) as odd:
        odd.emit("req_llm.request.stop", {"duration": "soon"})
    assert "1, 1 of them malformed" in crucible("telemetry", "show", odd.id).stdout


def at(store: Store, seconds: Iterator[int] | list[int] | range) -> str:
    """Return an experiment with an event at each of these seconds."""
    with Experiment.start("spread", store=store) as experiment:
        pass
    rows = [
        Record(name="a.stop", timestamp_ns=START + s * S, latency_ms=100.0 + s % 3, success=True, event_id=f"{s:016x}")
        for s in seconds
    ]
    store.telemetry.write_events([row_of(row, experiment.id) for row in rows])
    return experiment.id


def test_windows_show_their_gaps(crucible: Crucible, store: Store) -> None:
    """Windows are half-open and none is left out; many empty ones in a row are one row that counts them."""
    recording = at(store, [0, 1, 59, 60, 200, 900])
    text = crucible("telemetry", "show", recording, "--windows", "60").stdout
    rows = [line.split()[2:4] for line in text.splitlines() if re.match(r"\d\d-\d\d ", line)]
    assert rows == [["3", "█" * 16], ["1", "█" * 5], ["0", "(empty)"], ["1", "█" * 5], ["0", "(11"], ["1", "█" * 5]]
    data = json.loads(crucible("telemetry", "show", recording, "--windows", "60", "--json").stdout)
    assert [window["count"] for window in data["windows"]] == [3, 1, 0, 1, *[0] * 11, 1]
    assert data["windows"][0]["latency_ms"]["p50"] == 101.0
    sliding = json.loads(crucible("telemetry", "show", recording, "--windows", "120", "--every", "60", "--json").stdout)
    assert [window["count"] for window in sliding["windows"]][:3] == [4, 1, 1]


def test_series_are_drawn(crucible: Crucible, store: Store) -> None:
    """A series is meant by its name or its measurement; the picture has its values, its steps and its gaps."""
    with Experiment.start("curve", store=store) as experiment:
        for step in [*range(500), *range(1500, 2000)]:
            experiment.log_metric("eval/score", step / 2000, step)
        experiment.emit("crucible_train.batch.stop", {"loss": 0.5, "step": 1}, {"model": "a"})
        experiment.log_metric("constant", 3.0, 0)
    lines = crucible("telemetry", "show", experiment.id, "--series", "eval/score", COLUMNS="80").stdout.splitlines()
    picture = [line for line in lines if "┤" in line]
    assert len(picture) == 8
    assert all(len(line) <= 80 for line in lines)
    assert picture[0].endswith("█")
    assert " " * 30 in picture[-1].partition("┤")[2]  # steps that nobody logged
    assert any(line.startswith("      step  0") and line.endswith("1,999") for line in lines)
    assert "1,000 points · last 0.9995 · min 0 @ 0 · max 0.9995 @ 1,999" in "\n".join(lines)
    assert "loss[model=a]" in crucible("telemetry", "show", experiment.id, "--series", "loss").stdout
    assert crucible("telemetry", "show", experiment.id, "--series", "constant").stdout.count("┤") == 1
    data = json.loads(crucible("telemetry", "show", experiment.id, "--series", "constant", "--json").stdout)
    assert (data["series"][0]["steps"], data["series"][0]["values"]) == ([0], [3.0])


def test_json_is_json_whatever_was_measured(crucible: Crucible, store: Store) -> None:
    """NaN and infinities are texts, so that every reader takes the output."""
    with Experiment.start("odd", store=store) as experiment:
        for step, value in enumerate((math.nan, math.inf, -math.inf, 1.0)):
            experiment.log_metric("loss", value, step)
    for command in (("show", experiment.id), ("show", experiment.id, "--series", "loss")):
        text = crucible("telemetry", *command, "--json").stdout

        def refuse(name: str) -> float:
            raise AssertionError(name)

        json.loads(text, parse_constant=refuse)
    assert json.loads(text)["series"][0]["values"] == ["nan", "inf", "-inf", 1.0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "zzz"), "see `crucible telemetry list`"),
        (("list", "--status", "stoped"), 'did you mean "stopped"?'),
        (("list", "--kind", "runs"), 'did you mean "run"?'),
        (("show", "ID", "--every", "5"), "--windows"),
        (("show", "ID", "--windows", "0"), "a number of seconds above 0"),
        (("show", "ID", "--windows", "nan"), "a number of seconds above 0"),
        (("show", "ID", "--series", "los"), 'did you mean "loss"?'),
    ],
)
def test_bad_input_is_one_sentence(crucible: Crucible, store: Store, arguments: tuple[str, ...], words: str) -> None:
    """What was expected is named, with exit code 2."""
    recording = requests(store)
    typed = [recording if argument == "ID" else argument for argument in arguments]
    assert words in crucible("telemetry", *typed, code=2).stderr


def test_a_beginning_that_fits_several_is_refused(crucible: Crucible, store: Store) -> None:
    """An ambiguous beginning names what it fits."""
    assert "there is no run" in crucible("telemetry", "show", "20", code=2).stderr
    for _ in range(17):  # two of seventeen begin with the same digit
        with Experiment.start("one of many", store=store) as experiment:
            pass
    digits = [info.id[0] for info in store.telemetry.experiments.list()]
    twice = next(digit for digit in digits if digits.count(digit) > 1)
    assert "several experiments begin with" in crucible("telemetry", "show", twice, code=2).stderr
    assert experiment.id in crucible("telemetry", "show", experiment.id).stdout
