"""CSV, TSV, JSONL and JSON of no tool in particular: columns by name, cells read strictly, places in refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import StatsError, StoreError
from crucible.ir import Failed, Outcome, Scored
from crucible.stats.readers import Asked, detect_format, read_file

ALONE = Asked(is_alone=True)


def _write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _one(path: Path, asked: Asked | None = None) -> dict[str, Outcome]:
    (condition,) = read_file(path, asked).conditions
    return {one.item: one.outcome for one in condition.observations}


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", "id,score\nq1,1\nq2,0.5\n", "csv"),
        ("a.any", "id\tscore\nq1\t1\nq2\t0.5\n", "tsv"),
        ("a.csv", "id;score\nq1;1\nq2;0.5\n", "ssv"),
        ("a.jsonl", '{"id": "q1", "score": 1}\n\n{"id": "q2", "score": 0.5}\n', "jsonl"),
        ("a.json", '[{"id": "q1", "score": 1},\n {"id": "q2", "score": 0.5}]', "json"),
        ("a.json", '{"q1": 1, "q2": 0.5}', "json"),
        ("a.json", '{\n "id": ["q1", "q2"],\n "score": [1, 0.5]\n}', "json"),
        ("a.csv", b"\xef\xbb\xbfid,score\r\nq1,1\r\nq2,0.5\r\n", "csv"),
        ("a.jsonl", b'\xef\xbb\xbf{"id": "q1", "score": 1}\r\n{"id": "q2", "score": 0.5}', "jsonl"),
        ("a.csv", 'id,answer,score\nq1,"a, ""b""\nc",1\nq2,x;y,0.5\n', "csv"),
    ],
)
def test_the_format_is_told_by_content(tmp_path: Path, name: str, text: str | bytes, kind: str) -> None:
    """Whatever the file is called, with or without a byte order mark, with any ends of lines."""
    path = _write(tmp_path / name, text)
    assert detect_format(path) == kind
    assert _one(path) == {"q1": Scored(1.0), "q2": Scored(0.5)}


@pytest.mark.parametrize("word", ["true", "True", " TRUE "])
def test_truth_values_and_empty_cells(tmp_path: Path, word: str) -> None:
    """True is 1; an empty cell, NA and null are a measurement that failed."""
    path = _write(tmp_path / "a.csv", f"id,correct\nq1,{word}\nq2,false\nq3,\nq4,NA\n")
    failed = Failed("no value was recorded")
    assert _one(path) == {"q1": Scored(1.0), "q2": Scored(0.0), "q3": failed, "q4": failed}
    path = _write(tmp_path / "a.jsonl", '{"id": 1, "correct": true}\n{"id": 2, "correct": null}\n')
    assert _one(path) == {"1": Scored(1.0), "2": failed}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,score\nq1,1\nq2,nan\n", r"a\.txt:3: score: the score is nan; leave it empty"),
        ("id,score\nq1,1\nq2,inf\n", r"a\.txt:3: score: the score is inf"),
        ("id,score\nq1,1\nq2,good\n", r"a\.txt:3: score: expected a number, true, false or nothing, got 'good'"),
        ("id,score\nq1,1\n,1\n", r"a\.txt:3: id: expected a name, got ''"),
        ('{"id": 1, "score": 1}\n{"id": 2, "score": NaN}\n', r"a\.txt:2: score: the score is nan"),
        ('{"id": 1, "score": 1}\n{"id": 2, "score": [1]}\n', r"a\.txt:2: score: expected a number, .*got \[1\]"),
        ('{"id": 1, "score": 1}\n{"id": 2, "score": 1' + "0" * 400 + "}\n", r"a\.txt:2: .*beyond 1e308"),
        ("id,score\nq1,1\nq1,0\n", r'item "q1" is measured twice \(line 2 and line 3\); name what tells the two apart'),
        ("id,id,score\nq1,q1,1\n", r'a\.txt:1: two columns are called "id"'),
        ("id,latency,score\nq1,3,A\n", r"a\.txt:2: score: expected a number, .* got 'A'"),
        ("id,score\n", r"holds no rows"),
        ("id,answer\nq1,yes\n", r"nothing in it is a score"),
        ("id,f1,acc\nq1,1,1\n", r"2 metrics to choose from: f1, acc; name one with --metric"),
        ("id,latency,tokens\nq1,1,1\n", r"2 metrics to choose from: latency, tokens"),
        ("id,a;b\nq1,1;0\n", r"could be csv \(a table with commas\); ssv \(a table with semicolons\); say which"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """File and line, what came, what was expected."""
    path = _write(tmp_path / "a.txt", text)
    with pytest.raises(StatsError, match=message):
        read_file(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        ("id,score\nq1,1\nq2", r"a\.txt:3: 1 cells, and there are 2 columns; the line seems to be cut off"),
        ('id,score\nq1,1\n"q2,1\n', r"a\.txt:3: no row of a table: unexpected end of data"),
        ('{"id": 1, "score": 1}\n{"id": 2, "sc', r"a\.txt:2: not JSON: .*; the line seems to be cut off"),
        ('{"id": 1, "score": 1}\n[1]\n', r"a\.txt:2: expected a JSON object, got a list"),
        ('[{"id": 1, "score": 1},', r"a\.txt: not JSON"),
        (b"id,score\nq\xff,1\n", "is no text in UTF-8"),
        ("[" * 100_000, r"a\.txt: not JSON"),
    ],
)
def test_torn_and_empty_files_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    """A file that ends in the middle is never one row fewer."""
    path = _write(tmp_path / "a.txt", text)
    with pytest.raises(StoreError, match=message):
        read_file(path)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"PAR1", "a Parquet file"),
        (b"\x1f\x8b\x08", "packed with gzip"),
        (b"\x93NUMPY", "a NumPy file"),
        (b"a\0b", "no text"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, start: bytes, message: str) -> None:
    """Each with what to do."""
    with pytest.raises(StatsError, match=message):
        read_file(_write(tmp_path / "a.csv", start + b"\1\2\3"))


def test_absent_files_and_folders_are_errors(tmp_path: Path) -> None:
    """With the system's own words."""
    with pytest.raises(StoreError, match=r"cannot read .*none\.csv: No such file"):
        read_file(tmp_path / "none.csv")
    with pytest.raises(StoreError, match="is a folder"):
        read_file(tmp_path)


def test_a_column_of_models_splits_a_table(tmp_path: Path) -> None:
    """Each value is a condition, in the order in which they first come; another column can be named."""
    text = "question_id,model,variant,score\nq1,b,x,1\nq1,a,y,0\nq2,b,x,1\nq2,a,y,1\n"
    path = _write(tmp_path / "a.csv", text)
    assert [condition.label for condition in read_file(path).conditions] == ["b", "a"]
    assert [condition.label for condition in read_file(path, Asked(group="variant")).conditions] == ["x", "y"]


def test_repeats_prompts_and_clusters_are_kept_apart(tmp_path: Path) -> None:
    """By name, or by the column that the caller names."""
    text = "id,epoch,template,passage,score\n" + "".join(
        f"q{i},{e},{t},p{i % 2},1\n" for i in range(3) for e in (1, 2) for t in ("short", "long")
    )
    path = _write(tmp_path / "a.csv", text)
    (condition,) = read_file(path, Asked(cluster="passage")).conditions
    assert condition.counts.items == 3
    assert condition.counts.attempted == 12
    assert condition.clusters == {"q0": "p0", "q1": "p1", "q2": "p0"}
    assert {one.prompt for one in condition.observations} == {"short", "long"}
    with pytest.raises(
        StatsError, match=r'no column "pasage"; did you mean "passage"\? for --cluster; it has: id, epo'
    ):
        read_file(path, Asked(cluster="pasage"))


def test_one_score_by_name_is_preferred_to_other_numbers(tmp_path: Path) -> None:
    """`score` beside `latency` needs no option; the others are still there to be named."""
    path = _write(tmp_path / "a.csv", "id,latency,score\nq1,12,1\nq2,9,0\n")
    found = read_file(path)
    assert (found.conditions[0].metric, found.metrics) == ("score", ("latency", "score"))
    assert _one(path, Asked(metric="latency")) == {"q1": Scored(12.0), "q2": Scored(9.0)}
    with pytest.raises(StatsError, match='no metric "latncy"; did you mean "latency"'):
        read_file(path, Asked(metric="latncy"))


def test_nested_scores_have_dotted_names(tmp_path: Path) -> None:
    """One level of objects is taken apart."""
    path = _write(
        tmp_path / "a.jsonl", '{"id": 1, "scores": {"f1": 0.5, "why": "x"}}\n{"id": 2, "scores": {"f1": 1}}\n'
    )
    assert _one(path) == {"1": Scored(0.5), "2": Scored(1.0)}


def test_two_columns_of_one_file_are_two_conditions(tmp_path: Path) -> None:
    """Where the file is alone and nothing says otherwise; with ids a row is one item, without it is not."""
    path = _write(tmp_path / "a.csv", "id,old,new\nq1,1,0\nq2,,1\n")
    old, new = read_file(path, ALONE).conditions
    assert (old.label, new.label, old.by_item) == ("old", "new", True)
    assert [one.outcome for one in old.observations] == [Scored(1.0), Failed("no value was recorded")]
    path = _write(tmp_path / "b.csv", "0.5,0.25\n0.75,1\n,2\n")
    left, right = read_file(path, ALONE).conditions
    assert (left.label, right.label, left.by_item) == ("column 1", "column 2", False)
    assert (left.counts.items, right.counts.items) == (2, 3)


def test_columns_can_be_named_as_conditions(tmp_path: Path) -> None:
    """Any number of them, in the order given."""
    path = _write(tmp_path / "a.json", '{"id": ["q1", "q2"], "a": [1, 0], "b": [0, 1], "c": [1, 1]}')
    asked = Asked(columns=("c", "a"), is_alone=True)
    assert [condition.label for condition in read_file(path, asked).conditions] == ["c", "a"]
    with pytest.raises(StatsError, match='no column "d"'):
        read_file(path, Asked(columns=("a", "d")))


@pytest.mark.parametrize("text", ["0.5\n0.25\n1\n", "[0.5, 0.25, 1]", "score\n0.5\n0.25\n1\n"])
def test_a_plain_column_has_no_ids(tmp_path: Path, text: str) -> None:
    """With or without a name; its conditions are independent samples."""
    (condition,) = read_file(_write(tmp_path / "a.txt", text)).conditions
    assert not condition.by_item
    assert [one.outcome for one in condition.observations] == [Scored(0.5), Scored(0.25), Scored(1.0)]


@pytest.mark.parametrize("value", [3, "text", [], {}, [[1, 2], [3, 4]], {"a": {"b": {"c": 1}}}])
def test_other_json_is_refused(tmp_path: Path, value: Any) -> None:
    """With what was expected."""
    with pytest.raises((StatsError, StoreError), match=r"expected|holds no rows|no score|nothing in it|no row"):
        read_file(_write(tmp_path / "a.json", json.dumps(value)), Asked(format="json"))


def test_the_format_can_be_said(tmp_path: Path) -> None:
    """Where content leaves it open, and where it is wrong the reader says what is not there."""
    path = _write(tmp_path / "a.txt", "id,a;b\nq1,1;0\n")
    (condition,) = read_file(path, Asked(format="ssv", item="id,a", metric="b")).conditions
    assert condition.items == ("q1,1",)
    with pytest.raises(StatsError, match='unknown format "cvs"; did you mean "csv"'):
        read_file(path, Asked(format="cvs"))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are bounded, so that a file of one endless line does not fill the memory."""
    monkeypatch.setattr("crucible.stats.readers.lines.LONGEST_BYTES", 1000)
    path = _write(tmp_path / "a.jsonl", '{"id": 1, "score": 1}\n{"id": "' + "x" * 2000 + '", "score": 1}\n')
    with pytest.raises(StoreError, match=r"a\.jsonl:2: a line of more than"):
        read_file(path)


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is told."""
    monkeypatch.setattr("crucible.stats.readers.table.MOST", 3)
    with pytest.raises(StatsError, match="has more than 3 rows"):
        read_file(_write(tmp_path / "a.csv", "score\n" + "1\n" * 5))


def test_an_empty_cell_keeps_the_rows_together(tmp_path: Path) -> None:
    """In a table without ids it is a failed measurement of its row; where only empty ones follow, the column ends."""
    path = _write(tmp_path / "a.csv", "old,new\n0.1,0.2\n,0.3\n0.5,0.9\n0.2,0.4\n0.6,\n0.3,\n")
    old, new = (condition.by_position() for condition in read_file(path, ALONE).conditions)
    assert (old.counts.attempted, old.counts.failed, new.counts.attempted) == (6, 1, 4)
    left, right = old.item_means(), new.item_means()
    assert {item: (left[item], right[item]) for item in left if item in right} == {
        "1": (0.1, 0.2),
        "3": (0.5, 0.9),
        "4": (0.2, 0.4),
    }


def test_a_row_of_empty_cells_keeps_its_place(tmp_path: Path) -> None:
    """As pandas writes a missing score alone in its row; at the end, and where there are ids, it is nothing."""
    failed = Failed("no value was recorded")
    path = _write(tmp_path / "a.csv", 'score\n1\n""\n0\n\n   \n1\n""\n')
    assert list(_one(path).values()) == [Scored(1.0), failed, Scored(0.0), Scored(1.0)]
    path = _write(tmp_path / "b.csv", "id,score\nq1,1\n,\nq2,0\n,\n")
    assert _one(path) == {"q1": Scored(1.0), "q2": Scored(0.0)}


def test_a_first_line_of_numbers_is_told(tmp_path: Path) -> None:
    """It counts as scores, which a table whose columns are called 2023 and 2024 did not mean."""
    (note,) = read_file(_write(tmp_path / "a.csv", "2023,2024\n0.5,0.6\n0.1,0.3\n"), ALONE).notes
    assert "all of its first line are numbers, so that they count as scores" in note
    assert read_file(_write(tmp_path / "a.csv", "id,score\nq1,1\n")).notes == ()


def test_an_underscore_makes_no_number(tmp_path: Path) -> None:
    """Python reads 1_0 as ten; nobody who writes a table of scores does."""
    with pytest.raises(StatsError, match="expected a number, true, false or nothing, got '1_0'"):
        read_file(_write(tmp_path / "a.csv", "id,score\nq1,1_0\n"))


def test_a_name_that_comes_twice_in_json_is_refused(tmp_path: Path) -> None:
    """A reader of JSON keeps the last value without a word, so that one score would be lost."""
    with pytest.raises(StatsError, match='"q1" comes twice'):
        read_file(_write(tmp_path / "a.json", '{"q1": 1, "q1": 0, "q2": 1}'))


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """It can be read only once, and what was read to tell the format would be lost."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(StoreError, match="is a pipe or a device, which can be read only once"):
        read_file(path)


@pytest.mark.parametrize("asked", [Asked(columns=("a", "b"), metric="a"), Asked(columns=("a", "b"), group="model")])
def test_conditions_are_named_in_one_way(tmp_path: Path, asked: Asked) -> None:
    """Columns that are conditions leave no place for a metric or a group, which would have no effect."""
    with pytest.raises(StatsError, match="--column names conditions and --(metric|group) does too"):
        read_file(_write(tmp_path / "a.csv", "id,model,a,b\nq1,x,1,2\n"), asked)


def test_a_column_is_for_what_the_caller_says_and_for_nothing_else(tmp_path: Path) -> None:
    """Prompts that are given as repeats are no prompts, whatever the column's name says."""
    path = tmp_path / "a.csv"
    path.write_text("id,prompt_id,score\nq1,a,1\nq1,b,0\n")
    (found,) = read_file(path).conditions
    (told,) = read_file(path, Asked(repeat="prompt_id")).conditions
    assert [(one.repeat, one.prompt) for one in found.observations] == [("", "a"), ("", "b")]
    assert [(one.repeat, one.prompt) for one in told.observations] == [("a", ""), ("b", "")]


def test_a_name_that_comes_twice_in_a_row_is_refused(tmp_path: Path) -> None:
    """Of two scores in one row the last would be kept, and nobody would know; with file and line."""
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"id": "q1", "score": 1, "note": "\\"id\\": 7"}\n{"id": "q2", "score": 0, "score": 1}\n')
    with pytest.raises(StatsError, match=r'a\.jsonl:2: "score" comes twice in one object'):
        read_file(lines)
    listed = tmp_path / "a.json"
    listed.write_text('[{"id": "q1", "score": 1}, {"id": "q2", "score": 0, "score": 1}]')
    with pytest.raises(StatsError, match=r'a\.json: "score" comes twice in one object'):
        read_file(listed)
