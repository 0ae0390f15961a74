"""Sample files of lm-evaluation-harness: documents, filters, metrics.

The lines are those that lm_eval 0.4.13 wrote for tasks of its own YAML form with its `dummy` model, shortened to the
fields that matter here and with other scores.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import StatsError, StoreError
from crucible.ir import Failed, Scored
from crucible.stats.readers import Asked, detect_format, read_file


def _line(doc_id: int, filtered_by: str, **scores: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "doc": {"question": f"What is {doc_id}+{doc_id}?", "answer": str(2 * doc_id), "subject": f"s{doc_id % 2}"},
        "target": str(2 * doc_id),
        "arguments": {"gen_args_0": {"arg_0": f"What is {doc_id}+{doc_id}?", "arg_1": {"until": ["\n"]}}},
        "resps": [["lol", "lol"]],
        "filtered_resps": ["lol"],
        "filter": filtered_by,
        "metrics": list(scores),
        "doc_hash": f"67f1104a{doc_id}",
        "prompt_hash": "b380f628",
        "target_hash": "5feceb66",
        **scores,
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_one_metric_is_read_by_document(tmp_path: Path) -> None:
    """The label is the folder's name, which the harness makes of the model's."""
    rows = [_line(0, "none", acc=1.0), _line(1, "none", acc=0.0)]
    path = _write(tmp_path / "org__model" / "samples_toy_2026-11-30T20-50-12.156806.jsonl", rows)
    assert detect_format(path) == "lm_eval"
    (condition,) = read_file(path).conditions
    assert (condition.label, condition.metric) == ("org__model", "acc")
    assert {one.item: one.outcome for one in condition.observations} == {"0": Scored(1.0), "1": Scored(0.0)}
    assert len(set(condition.fingerprints.values())) == 2


def test_filters_make_metrics_of_their_own(tmp_path: Path) -> None:
    """The same document comes once for each filter, and the harness itself calls the figures `metric,filter`."""
    rows = [_line(i, name, exact_match=float(name == "loose")) for name in ("strict", "loose") for i in range(3)]
    path = _write(tmp_path / "samples.jsonl", rows)
    with pytest.raises(StatsError, match="2 metrics to choose from: exact_match,strict, exact_match,loose"):
        read_file(path)
    (condition,) = read_file(path, Asked(metric="exact_match,loose")).conditions
    assert [one.outcome for one in condition.observations] == [Scored(1.0)] * 3


def test_several_metrics_are_listed_and_only_the_chosen_one_must_be_a_number(tmp_path: Path) -> None:
    """A perplexity of NaN is refused where it is asked for, and no matter where accuracy is."""
    rows = [_line(0, "none", acc=1.0, perplexity=float("nan"), bleu=["a", "b"]), _line(1, "none", acc=0.0)]
    path = _write(tmp_path / "samples.jsonl", rows)
    with pytest.raises(StatsError, match="2 metrics to choose from: acc, perplexity; name one with --metric"):
        read_file(path)
    (condition,) = read_file(path, Asked(metric="acc")).conditions
    assert condition.counts.scored == 2
    with pytest.raises(StatsError, match="line 1: perplexity: the score is nan"):
        read_file(path, Asked(metric="perplexity"))


def test_a_document_without_the_metric_failed(tmp_path: Path) -> None:
    """It is counted, not left away."""
    path = _write(tmp_path / "samples.jsonl", [_line(0, "none", acc=1.0), _line(1, "none")])
    (condition,) = read_file(path).conditions
    assert condition.observations[1].outcome == Failed('no score "acc" was recorded')


def test_older_files_do_not_list_their_metrics(tmp_path: Path) -> None:
    """Then every other field that is a number is one."""
    rows = [{k: v for k, v in _line(i, "", acc=1.0).items() if k not in ("metrics", "filter")} for i in range(2)]
    (condition,) = read_file(_write(tmp_path / "samples.jsonl", rows)).conditions
    assert condition.metric == "acc"


def test_fields_of_the_document_can_be_named(tmp_path: Path) -> None:
    """As cluster or as item; one that is nowhere is refused with its line."""
    path = _write(tmp_path / "samples.jsonl", [_line(i, "none", acc=1.0) for i in range(3)])
    (condition,) = read_file(path, Asked(cluster="subject", item="question")).conditions
    assert condition.clusters["What is 2+2?"] == "s0"
    with pytest.raises(StatsError, match=r'samples\.jsonl:1: neither the line nor its document has "passage"'):
        read_file(path, Asked(cluster="passage"))


def test_a_torn_or_foreign_line_is_named(tmp_path: Path) -> None:
    """A run that was killed leaves half a line; it is not silently one document fewer."""
    path = _write(tmp_path / "samples.jsonl", [_line(0, "none", acc=1.0)])
    whole = path.read_text()
    path.write_text(whole + whole[:40])
    with pytest.raises(StoreError, match=r"samples\.jsonl:2: not JSON: .*; the line seems to be cut off"):
        read_file(path)
    path.write_text(whole + '{"id": "a", "score": 1}\n')
    with pytest.raises(StatsError, match=r"samples\.jsonl:2: no sample of lm-evaluation-harness"):
        read_file(path)


def test_the_only_filter_is_told_and_may_be_named(tmp_path: Path) -> None:
    """A metric goes by the harness's own name for it, so that a file with one filter compares with one that has two."""
    path = _write(tmp_path / "samples.jsonl", [_line(i, "strict", exact_match=1.0) for i in range(2)])
    for metric in ("", "exact_match", "exact_match,strict"):
        found = read_file(path, Asked(metric=metric))
        assert found.notes == ("its scores are those of the filter strict",)
        assert found.conditions[0].counts.scored == 2
    with pytest.raises(StatsError, match='no metric "exact_match,loose"'):
        read_file(path, Asked(metric="exact_match,loose"))
    path = _write(tmp_path / "samples.jsonl", [_line(i, "none", acc=1.0) for i in range(2)])
    assert read_file(path, Asked(metric="acc,none")).notes == ()
