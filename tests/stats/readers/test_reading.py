"""Crucible's own scores, and conditions of several files labelled apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import StatsError, StoreError
from crucible.ir import Failed, Scored, Skipped
from crucible.stats.readers import Asked, check_used, detect_format, labelled, read_file


def _item(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "input": f"{key}?", "scores": {"exact_match": {"kind": "scored", "value": 1.0}}, **more}


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_scores_of_the_evaluate_stage_are_read(tmp_path: Path) -> None:
    """All three kinds of outcome; the file's name is the label."""
    rows = [
        _item("a", metadata={"subject": "algebra"}),
        _item("b", scores={"exact_match": {"kind": "failed", "error": "timeout"}}, metadata={"subject": "sets"}),
        _item("c", scores={"exact_match": {"kind": "skipped", "reason": "too long"}}, metadata={"subject": "algebra"}),
    ]
    path = _write(tmp_path / "evaluate" / "tuned.jsonl", rows)
    assert detect_format(path) == "crucible"
    (condition,) = read_file(path, Asked(cluster="subject")).conditions
    assert (condition.label, condition.metric) == ("tuned", "exact_match")
    assert [one.outcome for one in condition.observations] == [Scored(1.0), Failed("timeout"), Skipped("too long")]
    assert condition.clusters["c"] == "algebra"


def test_repeats_and_made_up_items_are_told(tmp_path: Path) -> None:
    """Repeats come with a number of their own; what is made up stays marked; a cluster that nothing has is an error."""
    path = _write(tmp_path / "a.jsonl", [_item("a", repeat=i, synthetic=True) for i in range(2)])
    found = read_file(path)
    assert [one.repeat for one in found.conditions[0].observations] == ["0", "1"]
    assert found.notes == ("2 of 2 measurements are of made-up items",)
    with pytest.raises(StatsError, match='no item has "subject" in its metadata'):
        read_file(path, Asked(cluster="subject"))


def test_a_bad_line_of_scores_is_named(tmp_path: Path) -> None:
    """With file and line; an item that comes twice with both lines."""
    path = _write(tmp_path / "a.jsonl", [_item("a"), {"id": 3, "scores": {}}])
    with pytest.raises(StoreError, match=r"a\.jsonl:2: not an item with scores"):
        read_file(path)
    with pytest.raises(StatsError, match=r'item "a" is measured twice \(line 1 and line 2\)'):
        read_file(_write(tmp_path / "b.jsonl", [_item("a"), _item("a")]))


def test_a_line_that_fits_two_formats_is_refused(tmp_path: Path) -> None:
    """The formats it could be are named, with the option that says which."""
    row = {**_item("a"), "doc_id": 1, "resps": [], "acc": 1.0}
    path = _write(tmp_path / "a.jsonl", [row])
    with pytest.raises(StatsError, match=r"could be crucible \(.*\); lm_eval \(.*\); say which with --read-as"):
        read_file(path)
    assert read_file(path, Asked(format="lm_eval")).conditions[0].metric == "acc"


def test_labels_tell_conditions_apart(tmp_path: Path) -> None:
    """Their own where they differ, else the files' names, else the whole paths."""
    paths = [_write(tmp_path / name, [_item("a")]) for name in ("x/base.jsonl", "x/tuned.jsonl", "y/base.jsonl")]
    files = [read_file(path) for path in paths]
    assert [condition.label for condition in labelled(files[:2])] == ["base", "tuned"]
    assert [condition.label for condition in labelled([files[0], files[2]])] == [str(paths[0]), str(paths[2])]
    assert [condition.label for condition in labelled(files[:2], ["old", "new"])] == ["old", "new"]


def test_labels_have_to_fit(tmp_path: Path) -> None:
    """One for each condition, and no two the same; a file twice needs labels."""
    file = read_file(_write(tmp_path / "a.jsonl", [_item("a")]))
    with pytest.raises(StatsError, match="1 labels for 2 conditions: a, a"):
        labelled([file, file], ["one"])
    with pytest.raises(StatsError, match=r'two conditions are called "a": name all of them with --label'):
        labelled([file, file])


def test_an_option_that_no_file_takes_is_refused(tmp_path: Path) -> None:
    """A format that names its items itself would ignore a column of ids; beside a table the table takes it."""
    scores = read_file(_write(tmp_path / "a.jsonl", [_item("a")]))
    (tmp_path / "b.csv").write_text("name,score\na,1\n")
    table = read_file(tmp_path / "b.csv", Asked(item="name"))
    for asked in (Asked(item="name"), Asked(group="name"), Asked(repeat="name"), Asked(columns=("name",))):
        with pytest.raises(StatsError, match="format crucible are read without it: leave it out"):
            check_used([scores], asked)
        check_used([scores, table], asked)


def test_a_key_of_metadata_has_to_be_there(tmp_path: Path) -> None:
    """For prompts as for clusters."""
    path = _write(tmp_path / "a.jsonl", [_item("a", metadata={"subject": "sets"})])
    assert read_file(path, Asked(prompt="subject")).conditions[0].observations[0].prompt == "sets"
    with pytest.raises(StatsError, match='no item has "template" in its metadata'):
        read_file(path, Asked(prompt="template"))
