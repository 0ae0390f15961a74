"""Logs of Inspect AI: what is read of them, and what is refused. The files are made by hand after inspect_ai 0.3.285.

`test_inspect_real` reads logs that the real package writes.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import StatsError, StoreError
from crucible.ir import Failed, Scored, Skipped
from crucible.stats.readers import Asked, detect_format, read_file

WriteZip = Callable[..., Path]
WriteEval = Callable[..., Path]
Make = Callable[..., dict[str, Any]]

MATCH = Asked(metric="match")


def _outcomes(path: Path, asked: Asked = MATCH) -> dict[tuple[str, str], Any]:
    (condition,) = read_file(path, asked).conditions
    return {(one.item, one.repeat): one.outcome for one in condition.observations}


@pytest.mark.parametrize("packed", ["zstandard", "deflate"])
def test_summaries_are_read_by_item_and_epoch(write_eval: WriteEval, packed: str, sample: Make) -> None:
    """Packed with Zstandard, as Inspect writes today, or deflated, as it did; letters count as Inspect counts them."""
    samples = [
        sample("1", 1, {"match": "C"}),
        sample("1", 2, {"match": "I"}),
        sample("2", 1, {"match": "P"}),
        sample("2", 2, {"match": "N"}),
    ]
    path = write_eval("any.name", samples, summaries=samples, packed=packed)
    assert detect_format(path) == "inspect"
    assert _outcomes(path) == {
        ("1", "1"): Scored(1.0),
        ("1", "2"): Scored(0.0),
        ("2", "1"): Scored(0.5),
        ("2", "2"): Scored(0.0),
    }
    (condition,) = read_file(path, MATCH).conditions
    assert (condition.label, condition.metric, condition.by_item) == ("mockllm/model", "match", True)


def test_a_log_on_one_line_or_many_reads_like_the_zip_file(
    tmp_path: Path, write_eval: WriteEval, header: Make, sample: Make
) -> None:
    """The `.json` format holds the samples in the document; indentation is no matter."""
    samples = [sample("1", 1, {"match": "C"}), sample("2", 1, {"match": 0})]
    zipped = write_eval("log.eval", samples, summaries=samples)
    for indent in (None, 2):
        plain = tmp_path / f"log{indent}.json"
        plain.write_text(json.dumps({**header(), "samples": samples}, indent=indent))
        assert detect_format(plain) == "inspect"
        assert _outcomes(plain) == _outcomes(zipped)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (True, Scored(1.0)),
        (0.25, Scored(0.25)),
        (3, Scored(3.0)),
        ("true", Scored(1.0)),
        ("No", Scored(0.0)),
        ("0.5", Scored(0.5)),
        ("B+", Failed("the score B+ is no number")),
        (None, Failed("the scorer gave no value")),
        (10**400, Failed("the score is an integer beyond 1e308")),
    ],
)
def test_values_become_numbers_as_inspect_makes_them(
    tmp_path: Path, value: Any, outcome: Scored | Failed, header: Make, sample: Make
) -> None:
    """What Inspect could not convert it counts as 0 with a warning; here it is a failure that is counted and told."""
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**header(), "samples": [sample("1", 1, {"match": value})]}))
    assert _outcomes(path)["1", "1"] == outcome


def test_a_sample_without_score_is_nan_in_the_log_and_failed_here(tmp_path: Path, header: Make, sample: Make) -> None:
    """Inspect writes `NaN`, which is no JSON, for a sample that its scorer left unscored."""
    path = tmp_path / "log.json"
    scored = sample("2", 1, {"match": "C"})
    unscored = sample("1", 1, {"match": float("nan")})
    unscored["scores"]["match"]["reason"] = "no grade in the answer"
    path.write_text(json.dumps({**header(), "samples": [unscored, scored]}))
    assert "NaN" in path.read_text()
    assert _outcomes(path) == {
        ("1", "1"): Failed("the scorer gave no value: no grade in the answer"),
        ("2", "1"): Scored(1.0),
    }


def test_dictionaries_and_lists_of_scores_are_metrics_of_their_own(tmp_path: Path, header: Make, sample: Make) -> None:
    """A scorer's dictionary gives `grade.style` and so on; several metrics are listed when none was named."""
    scores = {"match": "C", "grade": {"style": 0.5, "length": {"words": 7}}, "votes": [1, 0]}
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**header(), "samples": [sample("1", 1, scores)]}))
    with pytest.raises(
        StatsError,
        match=r"5 metrics to choose from: match, grade\.style, grade\.length\.words, votes\.0, votes\.1; name one",
    ):
        read_file(path)
    assert _outcomes(path, Asked(metric="grade.length.words")) == {("1", "1"): Scored(7.0)}
    with pytest.raises(StatsError, match=r'no metric "grade\.stile"; did you mean "grade\.style"\?'):
        read_file(path, Asked(metric="grade.stile"))


def test_errors_limits_and_missing_scores_are_failures_with_their_words(
    tmp_path: Path, header: Make, sample: Make
) -> None:
    """In samples an error is an object, in summaries it is text; a limit after which it was scored is a score."""
    samples = [
        sample("1", 1, {"match": "C"}),
        sample("2", 1, error={"message": "the sandbox went away", "traceback": "x" * 5000}),
        sample("3", 1, error="RuntimeError()"),
        sample("4", 1, limit={"type": "token", "limit": 100}),
        sample("5", 1, {"match": "I"}, limit="token"),
        sample("6", 1),
    ]
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**header(), "samples": samples}))
    assert list(_outcomes(path).values()) == [
        Scored(1.0),
        Failed("the sandbox went away"),
        Failed("RuntimeError()"),
        Failed("it reached a limit: token"),
        Scored(0.0),
        Failed("the log has no score of it"),
    ]


def test_samples_that_were_taken_back_are_skipped(write_eval: WriteEval, sample: Make) -> None:
    """Summaries do not say so, so that the samples themselves are read where the log says that it happened."""
    taken = {"author": "ada", "reason": "wrong answer key", "timestamp": "2026-11-30T20:00:00Z"}
    samples = [sample("1", 1, {"match": "C"}), sample("2", 1, {"match": "C"}, invalidation=taken)]
    summaries = [sample("1", 1, {"match": "C"}), sample("2", 1, {"match": "C"})]
    path = write_eval("log.eval", samples, summaries=summaries, invalidated=True)
    assert _outcomes(path)["2", "1"] == Skipped("invalidated: wrong answer key")


def test_a_log_of_a_run_that_died_is_read_from_its_samples(write_zip: WriteZip, header: Make, sample: Make) -> None:
    """Without header and summaries; that it is not whole is noted."""
    start = {key: value for key, value in header().items() if key not in ("status", "invalidated")}
    members = {
        "_journal/start.json": json.dumps(start).encode(),
        "samples/1_epoch_1.json": json.dumps(sample("1", 1, {"match": "C"})).encode(),
    }
    path = write_zip("torn.eval", members)
    assert _outcomes(path) == {("1", "1"): Scored(1.0)}
    assert read_file(path, MATCH).notes == (
        "the log's status is started: it may lack samples",
        "the log holds 1 of the 3 samples of its dataset",
    )


def test_summaries_that_lack_samples_are_not_believed(write_eval: WriteEval, sample: Make) -> None:
    """The samples are read instead, one at a time."""
    samples = [sample("1", 1, {"match": "C"}), sample("2", 1, {"match": "I"})]
    path = write_eval("log.eval", samples, summaries=samples[:1])
    assert len(_outcomes(path)) == 2


def test_another_reducer_than_the_mean_is_noted(write_eval: WriteEval, header: Make, sample: Make) -> None:
    """The log's own figure is then another one."""
    samples = [sample("1", epoch, {"match": "C"}) for epoch in (1, 2)]
    evaluated = {**header()["eval"], "config": {"epochs": 2, "epochs_reducer": ["pass_at_2"]}}
    path = write_eval("log.eval", samples, summaries=samples, eval=evaluated)
    assert "pass_at_2; here each item counts with their mean" in read_file(path, MATCH).notes[-1]


def test_metadata_names_clusters_and_prompts(write_eval: WriteEval, sample: Make) -> None:
    """A key of the samples' metadata; one that no sample has is an error."""
    samples = [sample(str(i), 1, {"match": "C"}) for i in range(1, 4)]
    path = write_eval("log.eval", samples, summaries=samples)
    (condition,) = read_file(path, Asked(cluster="subject")).conditions
    assert condition.clusters == {"1": "s1", "2": "s0", "3": "s1"}
    with pytest.raises(StatsError, match=r'no sample has "passage" in its metadata'):
        read_file(path, Asked(cluster="passage"))


def test_what_was_asked_is_compared_unless_ids_are_trusted(write_eval: WriteEval, sample: Make) -> None:
    """Samples are numbered 1, 2, 3 in many tasks; the fingerprint of the input tells them apart."""
    first = [sample("1", 1, {"match": "C"})]
    (one,) = read_file(write_eval("a.eval", first, summaries=first)).conditions
    other = [{**sample("1", 1, {"match": "C"}), "input": "Who wrote Faust?"}]
    (two,) = read_file(write_eval("b.eval", other, summaries=other)).conditions
    assert one.fingerprints["1"] != two.fingerprints["1"]
    (trusting,) = read_file(write_eval("c.eval", other, summaries=other), Asked(trusts_ids=True)).conditions
    assert trusting.fingerprints == {}


def test_no_samples_and_no_scores_are_errors(write_eval: WriteEval, sample: Make) -> None:
    """With the first reason, where every sample failed."""
    with pytest.raises(StatsError, match="the log has no samples"):
        read_file(write_eval("empty.eval", []))
    failed = [sample("1", 1, error="ConnectionError()")]
    with pytest.raises(StatsError, match=r"none of its 1 samples has a score; the first: ConnectionError\(\)"):
        read_file(write_eval("failed.eval", failed, summaries=failed))


def test_the_same_sample_twice_is_refused(tmp_path: Path, header: Make, sample: Make) -> None:
    """Two samples of one id and epoch cannot both be it."""
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**header(), "samples": [sample("1", 1, {"match": "C"})] * 2}))
    with pytest.raises(StatsError, match=r'item "1", repeat 1 is measured twice \(sample 1, epoch 1 and sample 1'):
        read_file(path)


def test_zip_files_that_are_no_log_are_named(tmp_path: Path, write_zip: WriteZip, header: Make) -> None:
    """A spreadsheet is a zip file too; a cut-off file is not opened halfway."""
    with pytest.raises(
        StoreError, match=r"is a zip file and no Inspect log: it has no header\.json; it holds: xl/work"
    ):
        read_file(write_zip("book.xlsx", {"xl/workbook.xml": b"<x/>"}))
    whole = write_zip("whole.eval", {"header.json": json.dumps(header()).encode()})
    torn = tmp_path / "torn.eval"
    torn.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(StoreError, match=r"torn\.eval is no whole zip file .*: it may have been cut off"):
        read_file(torn)


@pytest.mark.parametrize(
    ("altered", "message"),
    [
        ({"claimed_bytes": 1 << 31}, "unpacks to 2048 MiB, more than 512 MiB"),
        ({"claimed_bytes": 10}, "is damaged"),
        ({"crc": 1}, "is damaged"),
        ({"flags": 1}, "is encrypted"),
    ],
)
def test_members_that_lie_are_refused(write_zip: WriteZip, altered: dict[str, int], message: str, header: Make) -> None:
    """A size beyond the bound, another size or sum than claimed, encryption: nothing is half read."""
    path = write_zip("log.eval", {"header.json": json.dumps(header()).encode()}, **altered)
    with pytest.raises(StoreError, match=message):
        read_file(path)


def test_a_bomb_is_not_unpacked(write_zip: WriteZip) -> None:
    """64 MiB of zeros that claim to be one: reading stops at the claim."""
    path = write_zip("bomb.eval", {"header.json": b"\0" * (1 << 26)}, claimed_bytes=1 << 20)
    assert path.stat().st_size < 1 << 14
    tracemalloc.start()
    with pytest.raises(StoreError, match="is damaged"):
        read_file(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_names_that_point_elsewhere_are_only_names(
    write_zip: WriteZip, tmp_path: Path, header: Make, sample: Make
) -> None:
    """Nothing is unpacked to disk, so that `../` leads nowhere."""
    members = {
        "header.json": json.dumps(header()).encode(),
        "samples/../../../evil.json": json.dumps(sample("1", 1, {"match": "C"})).encode(),
    }
    path = write_zip("log.eval", members)
    before = sorted(tmp_path.parent.rglob("*"))
    assert len(_outcomes(path)) == 1
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_json_that_is_no_log_is_named(tmp_path: Path, write_zip: WriteZip, header: Make) -> None:
    """A field of another type, or text that ends in the middle, with the file and the member."""
    path = tmp_path / "log.json"
    path.write_text(json.dumps({**header(), "samples": [{"id": None}]}))
    with pytest.raises(StoreError, match=r"log\.json is no part of an Inspect log that this version reads: .*samples"):
        read_file(path)
    path.write_text(json.dumps(header())[:-20])
    with pytest.raises(StoreError, match=r"log\.json is no part of an Inspect log"):
        read_file(path)
    with pytest.raises(StoreError, match=r"'header\.json' is no part of an Inspect log"):
        read_file(write_zip("log.eval", {"header.json": b'{"eval":'}))
