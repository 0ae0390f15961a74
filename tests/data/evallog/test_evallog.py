"""Logs for Inspect: what is written is what was measured, in the form that inspect_ai's own models ask for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, overload

import msgspec
import pytest

from crucible.backends.records import SamplingParams
from crucible.data import Dataset, Item, Provenance
from crucible.data.evallog import LOG_VERSION, LogFacts, write_eval_log
from crucible.data.evaluating.result import EvalResult, ItemResult
from crucible.data.summary import summarise
from crucible.errors import DataError, StoreError
from crucible.ir import Failed, Scored, Skipped
from crucible.stats.readers import Asked, read_file

HERE = Path(__file__).parent
FIELDS: dict[str, Any] = json.loads((HERE / "inspect_log_fields.json").read_text(encoding="utf-8"))
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OUTCOMES = [
    {"em": Scored(1.0), "f1": Scored(0.5)},
    {"em": Scored(0.0), "f1": Failed("the answer is no list")},
    {"em": Failed("no answer: timeout"), "f1": Failed("no answer: timeout")},
    {"em": Skipped("nothing to compare with"), "f1": Skipped("nothing to compare with")},
    {"em": Scored(0.0), "f1": Scored(0.0)},
]


@pytest.fixture
def dataset() -> Dataset:
    """Five made-up questions, one without an answer, with metadata."""
    items = tuple(
        Item(f"q/{i}", f"Question {i}: ünïcode?", None if i == 3 else f"answer {i}", {"subject": "maths", "level": i})
        for i in range(5)
    )
    return Dataset("made-up", "test", items, Provenance(source="this test", revision="r1", synthetic=True))


@pytest.fixture
def result(dataset: Dataset) -> EvalResult:
    """One answer each; the third failed, the fourth was skipped."""
    items = [
        ItemResult(
            item.id,
            None if i == 2 else f"answer {i}",
            OUTCOMES[i],
            None if i == 2 else ("length" if i == 1 else "stop"),
            truncated_prompt=i == 4,
            prompt_tokens=0 if i == 2 else 10,
            completion_tokens=0 if i == 2 else 3,
        )
        for i, item in enumerate(dataset)
    ]
    summaries = {name: summarise([one.outcomes[name] for one in items]) for name in ("em", "f1")}
    return EvalResult("crucible/tiny", items, summaries, 40, 12)


def read_json(path: Path) -> dict[str, Any]:
    """Return a `.json` log, strictly: NaN is no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def read_zip(path: Path) -> dict[str, Any]:
    """Return the members of an `.eval` log, strictly, by name."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def check(model: str, data: dict[str, Any]) -> None:
    """Check that a part of a log has no field that inspect_ai does not know, and all that it asks for."""
    fields = FIELDS["models"][model]
    assert set(data) <= set(fields["known"]), model
    assert set(fields["required"]) <= set(data), model


def check_sample(sample: dict[str, Any]) -> None:
    """Check every part of a sample."""
    check("sample", sample)
    check("output", sample["output"])
    for message in sample["messages"]:
        check(message["role"], message)
    for choice in sample["output"]["choices"]:
        check("choice", choice)
        assert choice["stop_reason"] in FIELDS["stop_reason"]
    for score in sample["scores"].values():
        check("score", score)
    for usage in sample["model_usage"].values():
        check("usage", usage)
    if "error" in sample:
        check("error", sample["error"])


def test_every_field_is_one_of_inspects(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """Fields known and required, format version, status: by the committed description of inspect_ai's models."""
    log = read_json(write_eval_log(result, dataset, tmp_path / "a.json", task="t", created=CREATED))
    assert log["version"] == LOG_VERSION == FIELDS["version"]
    assert log["status"] in FIELDS["status"]
    for name, part in (("log", log), *((key, log[key]) for key in ("eval", "plan", "results", "stats"))):
        check(name, part)
    check("dataset", log["eval"]["dataset"])
    for score in log["results"]["scores"]:
        check("score_summary", score)
        for metric in score["metrics"].values():
            check("metric", metric)
    for sample in log["samples"]:
        check_sample(sample)
    order = ["version", "status", "eval", "plan", "results", "stats"]  # the format asks for this one
    assert [key for key in log if key in order] == order
    assert list(log)[-1] == "samples"


def test_zip_and_json_hold_the_same(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """One member a sample under the name that inspect_ai looks for, the header beside them, and the summaries."""
    plain = read_json(write_eval_log(result, dataset, tmp_path / "a.json", task="t", created=CREATED))
    members = read_zip(write_eval_log(result, dataset, tmp_path / "a.eval", task="t", created=CREATED))
    assert [members[f"samples/q/{i}_epoch_1.json"] for i in range(5)] == plain.pop("samples")
    assert members["header.json"] == plain
    assert members["_journal/start.json"] == {key: plain[key] for key in ("version", "eval", "plan")}
    assert len(members["summaries.json"]) == 5
    for summary in members["summaries.json"]:
        check("sample_summary", summary)
    assert members["summaries.json"][2]["error"] == "no answer: timeout"


def test_failures_are_errors_and_never_zeros(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """All failed: a sample error. Some failed or skipped: no score of theirs, and why, in the metadata."""
    log = read_json(write_eval_log(result, dataset, tmp_path / "a.json", task="t", created=CREATED))
    samples = log["samples"]
    assert [sample["scores"] for sample in samples] == [
        {"em": {"value": 1.0}, "f1": {"value": 0.5}},
        {"em": {"value": 0.0}},
        {},
        {},
        {"em": {"value": 0.0}, "f1": {"value": 0.0}},
    ]
    assert [sample.get("error", {}).get("message") for sample in samples] == [
        None, None, "no answer: timeout", None, None,
    ]  # fmt: skip
    assert samples[1]["metadata"]["crucible:outcomes"] == {"f1": {"kind": "failed", "error": "the answer is no list"}}
    assert samples[3]["metadata"]["crucible:outcomes"]["em"]["kind"] == "skipped"
    assert samples[0]["metadata"] == {"subject": "maths", "level": 0}
    assert samples[4]["metadata"]["crucible:truncated_prompt"] is True
    em = log["results"]["scores"][0]
    assert (em["scored_samples"], em["unscored_samples"]) == (3, 2)
    assert em["metrics"]["mean"]["value"] == pytest.approx(1 / 3)
    assert em["metrics"]["mean"]["metadata"]["method"] == "Wilson score"
    assert em["metadata"] == {"attempted": 4, "scored": 3, "failed": 1, "skipped": 1, "failures": "exclude"}
    assert (log["results"]["total_samples"], log["results"]["completed_samples"]) == (5, 4)


def test_what_is_not_known_stands_nowhere(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """No time, no token and no parameter is made up: absent, or the empty text that the format has for it."""
    bare = msgspec.structs.replace(
        result,
        items=[msgspec.structs.replace(one, prompt_tokens=0, completion_tokens=0) for one in result.items],
        prompt_tokens=0,
        completion_tokens=0,
    )
    log = read_json(write_eval_log(bare, dataset, tmp_path / "a.json", task="t", created=CREATED))
    assert log["stats"] == {"started_at": "", "completed_at": "", "model_usage": {}}
    assert log["eval"]["model_generate_config"] == {}
    assert "tags" not in log["eval"]
    for sample in log["samples"]:
        assert sample["model_usage"] == {}
        assert "usage" not in sample["output"]
        assert not {"started_at", "completed_at", "total_time", "working_time"} & set(sample)
        assert sample["events"] == []


def test_what_is_known_stands_there(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """Model, times in UTC, parameters, tokens, cost, tags, and where the data came from."""
    facts = LogFacts(
        started=datetime(2026, 1, 2, 3, 0, tzinfo=UTC),
        completed=CREATED,
        params=SamplingParams(max_tokens=7, temperature=0.5, seed=3, stop=("\n",)),
        tags=("nightly",),
        metadata={"commit": "abc"},
    )
    priced = msgspec.structs.replace(result, cost_usd=0.25)
    path = write_eval_log(
        priced, dataset, tmp_path / "a.json", task="t", model="acme/one", created=CREATED, facts=facts
    )
    log = read_json(path)
    about = log["eval"]
    assert (about["task"], about["model"], about["created"]) == ("t", "acme/one", "2026-01-02T03:04:05+00:00")
    assert about["model_generate_config"] == {"max_tokens": 7, "temperature": 0.5, "seed": 3, "stop_seqs": ["\n"]}
    assert about["tags"] == ["nightly"]
    assert about["metadata"] == {
        "split": "test", "source": "this test", "commit": "abc", "revision": "r1", "synthetic": True,
    }  # fmt: skip
    assert about["dataset"] == {"name": "made-up", "samples": 5, "sample_ids": [f"q/{i}" for i in range(5)]}
    assert log["stats"] == {
        "started_at": "2026-01-02T03:00:00+00:00",
        "completed_at": "2026-01-02T03:04:05+00:00",
        "model_usage": {
            "acme/one": {"input_tokens": 40, "output_tokens": 12, "total_tokens": 52, "total_cost": 0.25},
        },
    }
    sample = log["samples"][1]
    assert sample["output"]["choices"][0]["stop_reason"] == "max_tokens"
    assert sample["output"]["usage"] == {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}
    assert [message["content"] for message in sample["messages"]] == ["Question 1: ünïcode?", "answer 1"]


def test_a_limited_evaluation_is_no_success(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """A log that ended early says so, and why."""
    limited = msgspec.structs.replace(result, items=result.items[:2], status="limited", reason="a limit of 30 s")
    log = read_json(write_eval_log(limited, dataset, tmp_path / "a.json", task="t", created=CREATED))
    assert log["status"] == "cancelled"
    assert log["eval"]["metadata"]["reason"] == "a limit of 30 s"
    assert len(log["samples"]) == 2


def test_repeats_are_epochs(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """Repeat 0 is epoch 1, and the configuration says how many there are."""
    items = [msgspec.structs.replace(one, repeat=i) for one in result.items for i in range(2)]
    twice = msgspec.structs.replace(result, items=items, repeats=2)
    members = read_zip(write_eval_log(twice, dataset, tmp_path / "a.eval", task="t", created=CREATED))
    assert members["header.json"]["eval"]["config"] == {"epochs": 2}
    assert members["samples/q/0_epoch_2.json"]["epoch"] == 2
    assert members["header.json"]["eval"]["dataset"]["samples"] == 5


@pytest.mark.parametrize("name", ["a.eval", "a.json"])
def test_the_same_evaluation_is_the_same_bytes(result: EvalResult, dataset: Dataset, tmp_path: Path, name: str) -> None:
    """Written twice with the same time, also over a file that is there."""
    first = write_eval_log(result, dataset, tmp_path / name, task="t", created=CREATED).read_bytes()
    assert write_eval_log(result, dataset, tmp_path / name, task="t", created=CREATED).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.eval", "a.json"])
def test_a_log_that_cannot_be_finished_is_not_there(
    result: EvalResult, dataset: Dataset, tmp_path: Path, name: str
) -> None:
    """An item that the dataset lacks is named, and no part of the file stays, nor of what was there before it."""
    path = tmp_path / name
    path.write_text("old")
    with pytest.raises(DataError, match='has no item "q/4", which the evaluation holds'):
        write_eval_log(result, dataset[:4], path, task="t", created=CREATED)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_results_in_another_order_find_their_items(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """A dataset that was shuffled since still gives each answer its own question."""
    shuffled = msgspec.structs.replace(result, items=list(reversed(result.items)))
    log = read_json(write_eval_log(shuffled, dataset, tmp_path / "a.json", task="t", created=CREATED))
    assert [(one["id"], one["input"]) for one in log["samples"]] == [
        (f"q/{i}", f"Question {i}: ünïcode?") for i in (4, 3, 2, 1, 0)
    ]


def test_refusals(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """Another ending, a time that could be any hour, metadata that is no JSON, and a folder that cannot be."""
    with pytest.raises(DataError, match=r'ends in \.eval or \.json, got "a\.log"'):
        write_eval_log(result, dataset, tmp_path / "a.log", task="t")
    with pytest.raises(DataError, match="a time without an offset"):
        write_eval_log(result, dataset, tmp_path / "a.eval", task="t", created=datetime(2026, 1, 1))
    odd = dataset.replaced([msgspec.structs.replace(dataset[0], metadata={"x": object()}), *dataset.items[1:]])
    with pytest.raises(DataError, match='item "q/0" holds what JSON cannot'):
        write_eval_log(result, odd, tmp_path / "a.eval", task="t", created=CREATED)
    with pytest.raises(DataError, match="metadata holds what JSON cannot"):
        write_eval_log(result, dataset, tmp_path / "a.eval", task="t", facts=LogFacts(metadata={"x": object()}))
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        write_eval_log(result, dataset, tmp_path / "file" / "a.eval", task="t", created=CREATED)


def test_ids_that_cannot_name_a_member(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """A zero byte ends a name in a zip file, so two samples could become one: refused there, kept in `.json`."""
    odd = dataset.replaced([msgspec.structs.replace(dataset[0], id="a\0b")])
    one = msgspec.structs.replace(result, items=[msgspec.structs.replace(result.items[0], id="a\0b")])
    with pytest.raises(DataError, match=r"write a \.json log"):
        write_eval_log(one, odd, tmp_path / "a.eval", task="t", created=CREATED)
    log = read_json(write_eval_log(one, odd, tmp_path / "a.json", task="t", created=CREATED))
    assert log["samples"][0]["id"] == "a\0b"


def test_half_a_character_does_not_break_the_log(result: EvalResult, dataset: Dataset, tmp_path: Path) -> None:
    """A lone surrogate in an answer, which no encoding has, is the replacement character."""
    first, *others = result.items
    broken = msgspec.structs.replace(result, items=[msgspec.structs.replace(first, output="a\ud800b"), *others])
    log = read_json(write_eval_log(broken, dataset, tmp_path / "a.json", task="t", created=CREATED))
    assert log["samples"][0]["output"]["completion"] == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("name", ["a.eval", "a.json"])
def test_crucibles_own_reader_reads_it(result: EvalResult, dataset: Dataset, tmp_path: Path, name: str) -> None:
    """Every outcome comes back as it was measured: scores, and of what failed or was skipped the reason."""
    path = write_eval_log(result, dataset, tmp_path / name, task="t", created=CREATED)
    for metric, scored in (("em", 3), ("f1", 2)):
        (condition,) = read_file(path, Asked(metric=metric)).conditions
        assert [one.outcome for one in condition.observations] == [outcomes[metric] for outcomes in OUTCOMES]
        assert (condition.counts.scored, condition.counts.failed, condition.counts.skipped) == (scored, 4 - scored, 1)
    assert condition.label == "crucible/tiny"


@pytest.mark.parametrize("name", ["a.eval", "a.json"])
def test_a_scorer_that_skipped_everything_is_a_metric_of_skips(
    result: EvalResult, dataset: Dataset, tmp_path: Path, name: str
) -> None:
    """Nothing was scored, and nothing failed."""
    skipped = [msgspec.structs.replace(one, outcomes={"em": Skipped("no key")}) for one in result.items]
    nothing = msgspec.structs.replace(
        result, items=skipped, summaries={"em": summarise([Skipped("no key") for _ in skipped])}
    )
    (condition,) = read_file(write_eval_log(nothing, dataset, tmp_path / name, task="t", created=CREATED)).conditions
    assert {one.outcome for one in condition.observations} == {Skipped("no key")}


@pytest.mark.parametrize("noted", [7, {"em": "skipped"}, {"em": {"kind": "scored", "value": 1.0}}])
def test_metadata_of_that_name_that_is_something_else_is_no_outcome(
    result: EvalResult, dataset: Dataset, tmp_path: Path, noted: Any
) -> None:
    """Least of all a score."""
    path = write_eval_log(result, dataset, tmp_path / "a.json", task="t", created=CREATED)
    log = read_json(path)
    log["samples"][3]["metadata"]["crucible:outcomes"] = noted
    path.write_text(json.dumps(log), encoding="utf-8")
    (condition,) = read_file(path, Asked(metric="em")).conditions
    assert condition.observations[3].outcome == Failed("the log has no score of it")


class Streamed(Sequence[ItemResult]):
    """Answers of 10 kB that are made when they are asked for."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[ItemResult]:
        return (ItemResult(f"q{i}", f"{i} " * 2000, {"em": Scored(1.0)}, "stop") for i in range(self._n))

    @overload
    def __getitem__(self, index: int) -> ItemResult: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ItemResult]: ...
    def __getitem__(self, index: int | slice) -> Any:
        raise AssertionError("samples are read in order")


@pytest.mark.parametrize("name", ["a.eval", "a.json"])
def test_samples_are_not_held_together(tmp_path: Path, name: str) -> None:
    """30 MB of answers pass through 4 MB of memory."""
    n = 1500
    dataset = Dataset(
        "made-up", "test", tuple(Item(f"q{i}", f"Question {i}") for i in range(n)), Provenance(source="x")
    )
    result = EvalResult("m", Streamed(n), {}, 0, 0)
    write_eval_log(EvalResult("m", [], {}, 0, 0), dataset, tmp_path / "first.json", task="t")  # what is imported late
    tracemalloc.start()
    write_eval_log(result, dataset, tmp_path / name, task="t", created=CREATED)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if name.endswith(".json"):
        assert (tmp_path / name).stat().st_size > 25_000_000
    assert peak < 6_000_000


@pytest.fixture(scope="module")
def inspect_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment of its own with today's inspect_ai; or that of `CRUCIBLE_INSPECT_PYTHON`."""
    if given := os.environ.get("CRUCIBLE_INSPECT_PYTHON"):
        return Path(given)
    home = tmp_path_factory.mktemp("inspect")
    subprocess.run([sys.executable, "-m", "venv", home], check=True, timeout=120)
    python = home / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "inspect_ai"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=900)
    if done.returncode:
        pytest.skip(f"inspect_ai cannot be installed: {done.stderr.strip()[-300:]}")
    return python


def run(python: Path, script: str, *arguments: str | Path) -> Any:
    """Run one of the scripts beside this file, and return the JSON that it prints."""
    done = subprocess.run([python, HERE / script, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_inspect_ai_itself_reads_both_forms(
    inspect_python: Path, result: EvalResult, dataset: Dataset, tmp_path: Path
) -> None:
    """`read_eval_log`, one sample, all as a stream, and the summaries: by the real package, with our numbers."""
    items = [msgspec.structs.replace(one, repeat=i) for one in result.items for i in range(2)]
    twice = msgspec.structs.replace(result, items=items, repeats=2, cost_usd=0.5)
    facts = LogFacts(started=CREATED, completed=CREATED, params=SamplingParams(max_tokens=7), tags=("nightly",))
    paths = [tmp_path / "a.eval", tmp_path / "a.json"]
    for path in paths:
        write_eval_log(twice, dataset, path, task="t", model="acme/one", created=CREATED, facts=facts)
    zipped, plain = run(inspect_python, "read_inspect.py", *paths)
    by_place = [sorted(log["samples"], key=lambda one: (one["epoch"], one["id"])) for log in (zipped, plain)]
    assert by_place[0] == by_place[1]
    assert zipped["streamed"] == plain["streamed"] == 10
    for log in (zipped, plain):
        header = log["header"]
        assert (header["version"], header["status"], header["eval"]["model"]) == (2, "success", "acme/one")
        assert header["stats"]["started_at"] == "2026-01-02T03:04:05+00:00"
        assert header["stats"]["model_usage"]["acme/one"]["total_cost"] == 0.5
        em = header["results"]["scores"][0]
        assert em["metrics"]["mean"]["value"] == pytest.approx(1 / 3)
        samples = {(one["id"], one["epoch"]): one for one in log["samples"]}
        assert set(samples) == {(f"q/{i}", epoch) for i in range(5) for epoch in (1, 2)}
        assert samples["q/0", 2]["scores"]["em"]["value"] == 1.0
        assert samples["q/2", 1]["error"]["message"] == "no answer: timeout"
        assert samples["q/2", 1]["scores"] == samples["q/3", 1]["scores"] == {}
        assert samples["q/1", 1]["output"]["choices"][0]["stop_reason"] == "max_tokens"
        assert samples["q/1", 1]["output"]["completion"] == "answer 1"
        assert ["Question 1: ünïcode?", "answer 1"] in log["texts"]
        errors = {one["id"]: one["error"] for one in log["summaries"]}
        assert errors == {**dict.fromkeys(f"q/{i}" for i in range(5)), "q/2": "no answer: timeout"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_committed_description_is_still_true(inspect_python: Path) -> None:
    """Today's inspect_ai knows every field that was described and asks for no more: else describe it again."""
    today = run(inspect_python, "describe_inspect.py")
    assert today["version"] == FIELDS["version"]
    assert set(FIELDS["status"]) <= set(today["status"])
    assert set(FIELDS["stop_reason"]) <= set(today["stop_reason"])
    for name, model in FIELDS["models"].items():
        assert set(model["known"]) <= set(today["models"][name]["known"]), name
        assert set(today["models"][name]["required"]) <= set(model["required"]), name
