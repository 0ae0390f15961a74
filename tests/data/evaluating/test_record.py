"""The record: what is in it, what it refuses, and how it goes on."""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.backends.records import SamplingParams
from crucible.data import Dataset, EvalOptions, Item, Limits, evaluate, load, read_record
from crucible.data.evaluating import record as record_module
from crucible.data.evaluating._bad_line import BadLine
from crucible.data.evaluating.about import about_path
from crucible.data.evaluating.line import Line, decode_line, encode_line, fingerprint
from crucible.data.evaluating.record import Record
from crucible.errors import BackendError, ContractError, DataError, StoreError
from crucible.ir import Failed, Outcome, Scored, Skipped
from crucible.stats.bench.scores import read_items

LINE = Line("a", 0, "0" * 16, "q", None, "x", "stop", {"m": Scored(0.1), "n": Failed("no"), "o": Skipped("y")})


# --- a line ---


def test_a_line_comes_back_as_it_was() -> None:
    """With its guard as the last key; half of a surrogate pair, which UTF-8 cannot write, becomes a question mark."""
    text = encode_line(LINE)
    assert decode_line(text) == LINE
    assert list(json.loads(text))[-1] == "crc"
    odd = Line("a", 0, "0" * 16, "q", None, "x\ud800", None, {"m": Failed("\udfff!"), "n": Skipped("\udfff")})
    read = decode_line(encode_line(odd))
    assert (read.output, read.scores) == ("x?", {"m": Failed("?!"), "n": Skipped("?")})


@pytest.mark.parametrize("cut", [1, 2, 5, 12, 40])
def test_a_torn_line_is_none(cut: int) -> None:
    """However much of it is missing."""
    with pytest.raises(BadLine, match="no guard"):
        decode_line(encode_line(LINE)[: -1 - cut])


def test_an_altered_line_is_none() -> None:
    """Neither one whose content was changed, nor one that is whole and no measurement."""
    with pytest.raises(BadLine, match="does not fit its guard"):
        decode_line(encode_line(LINE).replace(b'"x"', b'"y"'))
    import zlib

    body = b'{"id":3'
    with pytest.raises(BadLine, match="no measurement"):
        decode_line(b'%b,"crc":"%08x"}' % (body, zlib.crc32(body)))


def test_a_fingerprint_tells_items_apart() -> None:
    """By everything that JSON can hold of them, whatever the order of keys."""
    one = Item("a", "q", "x", {"b": 1, "c": 2})
    assert fingerprint(one) == fingerprint(Item("a", "q", "x", {"c": 2, "b": 1}))
    others = [Item("b", "q", "x"), Item("a", "p", "x"), Item("a", "q", None), Item("a", "q", "x", {"b": 2})]
    assert len({fingerprint(item) for item in (one, *others)}) == 5
    assert fingerprint(Item("a", "q", "x", {"f": object()})) == fingerprint(Item("a", "q", "x", {"f": object()}))


# --- what is kept ---


def test_each_measurement_is_a_line_that_stats_reads(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """In the dataset's order; the file is what `crucible compare` and `bench` take, and says what it is of."""
    path = tmp_path / "deep" / "r.jsonl"
    result = evaluate(asked("q3"), twenty, ["exact_match"], record=path, batch_size=3)
    assert result.record == path
    items = read_items(path)
    assert list(items) == [item.id for item in twenty]
    assert items["item-3"].scores == {"exact_match": Scored(1.0)}
    assert items["item-4"].scores == {"exact_match": Failed("no answer: BackendError: cannot digest q3")}
    assert (items["item-3"].input, items["item-3"].expected) == ("q2", "2")
    about = json.loads(about_path(path).read_text())
    assert (about["status"], about["format"]) == ("completed", 1)
    assert about["configuration"]["sampler"] == "scripted"
    assert list(read_record(path)) == list(result.items)
    assert len(list(read_record(path).lines())) == 20


def test_it_is_on_the_disk_as_soon_as_its_batch_is_done(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """Another process could read it while the next batch is asked, also before the file is in order."""
    seen: list[int] = []

    class Looking(asked):  # type: ignore[misc]
        async def asample(self, prompts: Any, params: Any = None) -> Any:
            path = tmp_path / "r.jsonl"
            seen.append(len(read_record(path)) if path.exists() else 0)
            return await super().asample(prompts, params)

    evaluate(Looking(), twenty, ["exact_match"], record=tmp_path / "r.jsonl", batch_size=5, concurrency=1)
    assert seen == [0, 5, 10, 15]


def test_answers_that_come_out_of_order_end_in_order(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """The file is put in order once, at the end; its items read the same before and after."""
    import asyncio

    class Uneven(asked):  # type: ignore[misc]
        async def asample(self, prompts: Any, params: Any = None) -> Any:
            await asyncio.sleep(0.02 if "q0" in prompts else 0)
            return await super().asample(prompts, params)

    path = tmp_path / "r.jsonl"
    result = evaluate(Uneven(), twenty, ["exact_match"], record=path, batch_size=2, concurrency=4)
    assert list(read_items(path)) == [item.id for item in twenty]
    assert [item.output for item in result.items] == [str(index) for index in range(20)]
    assert sorted(tmp_path.iterdir()) == [path, about_path(path)]


def test_without_a_record_nothing_is_left_behind(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """The measurements are in a file without a name, which goes with the result."""
    result = evaluate(asked(), twenty, ["exact_match"])
    assert result.record is None
    assert len(list(result.items)) == len(list(result.items)) == 20


def test_items_are_a_sequence(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """By index from either end, by slice, equal to a list, and pickled as one."""
    items = evaluate(asked(), twenty, ["exact_match"], record=tmp_path / "r.jsonl").items
    whole = list(items)
    assert (len(items), items[-1], items[3].id) == (20, whole[19], "item-4")
    assert items[2:4] == whole[2:4]
    assert items == whole
    assert items != whole[1:]
    assert items != "no"
    assert pickle.loads(pickle.dumps(items)) == whole
    assert repr(items) == "RecordedItems(20 measurements)"
    with pytest.raises(IndexError):
        items[20]


def test_a_line_longer_than_a_page_is_read(tmp_path: Path, twenty: Dataset) -> None:
    """Whatever its length, in any order."""
    from crucible.backends.scripted import ScriptedSampler

    long = ScriptedSampler(lambda prompt: prompt * 300_000)
    items = evaluate(long, twenty.take(3), ["exact_match"], record=tmp_path / "r.jsonl").items
    assert [len(items[index].output or "") for index in (2, 0, 1)] == [600_000] * 3


# --- going on ---


def test_nothing_recorded_is_asked_again(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """The result is that of an evaluation which was never stopped, and a decision says that it went on."""
    path = tmp_path / "r.jsonl"
    first, second = asked(), asked()
    half = evaluate(first, twenty, ["exact_match"], record=path, limits=Limits(items=11))
    with events.collect("crucible_trace.*") as seen:
        whole = evaluate(second, twenty, ["exact_match"], record=path)
    assert (half.status, whole.status, whole.resumed) == ("limited", "completed", 11)
    assert (first.prompts, second.prompts) == ([f"q{i}" for i in range(11)], [f"q{i}" for i in range(11, 20)])
    assert whole.items == evaluate(asked(), twenty, ["exact_match"]).items
    assert seen[0].metadata["decision"] == "go on after 11 recorded measurements"
    third = asked()
    assert evaluate(third, twenty, ["exact_match"], record=path).items == whole.items
    assert third.prompts == []


def test_a_torn_end_is_cut_off_and_told(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """Its item is asked again; a reader that is no writer leaves the file as it is."""
    path = tmp_path / "r.jsonl"
    evaluate(asked(), twenty, ["exact_match"], record=path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert len(read_record(path)) == 19
    assert path.stat().st_size == len(whole) - 30
    again = asked()
    with events.collect("crucible_trace.*") as seen:
        result = evaluate(again, twenty, ["exact_match"], record=path)
    assert again.prompts == ["q19"]
    assert path.read_bytes() == whole
    (note,) = result.notes
    assert "bytes of a torn line were cut off the end of" in note
    assert seen[0].metadata["decision"] == "repaired the record of an evaluation"


def test_a_last_line_that_only_lacks_its_line_break_is_kept(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """It is whole, so nothing is asked again, and what comes after it does not run into it."""
    path = tmp_path / "r.jsonl"
    evaluate(asked(), twenty, ["exact_match"], record=path)
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:10])[:-1])
    assert len(read_record(path)) == 10
    again = asked()
    result = evaluate(again, twenty, ["exact_match"], record=path)
    assert again.prompts == [f"q{index}" for index in range(10, 20)]
    assert result.notes == ()
    assert path.read_bytes() == whole


def test_damage_in_the_midst_is_refused(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """No crash leaves good lines after a bad one; the file is not touched."""
    path = tmp_path / "r.jsonl"
    evaluate(asked(), twenty, ["exact_match"], record=path)
    altered = path.read_bytes().replace(b'"output":"3"', b'"output":"4"')
    path.write_bytes(altered)
    with pytest.raises(StoreError, match=r"r.jsonl:4: its content does not fit its guard, and good lines come after"):
        evaluate(asked(), twenty, ["exact_match"], record=path)
    with pytest.raises(StoreError, match=r"r.jsonl:4"):
        read_record(path)
    assert path.read_bytes() == altered


def test_a_record_of_another_configuration_is_refused_with_what_differs(
    tmp_path: Path, asked: Any, twenty: Dataset
) -> None:
    """Model, drawing, scorers, dataset; not how fast it is asked, how often, or what failures count as."""
    path = tmp_path / "r.jsonl"
    evaluate(asked(), twenty, ["exact_match"], record=path, model="tuned", identity={"adapter": "abc"})
    other = {"params": SamplingParams(max_tokens=3), "model": "base", "identity": {"adapter": "abd"}}
    with pytest.raises(ContractError) as caught:
        evaluate(asked(), twenty, ["exact_match", "number_match"], record=path, **other)
    message = str(caught.value)
    for part in (
        "model was 'tuned' and is 'base'",
        "identity.adapter was 'abc' and is 'abd'",
        "params.max_tokens was 64 and is 3",
        "scorers.number_match was absent and is 'crucible.number_match'",
    ):
        assert part in message
    same = {"model": "tuned", "identity": {"adapter": "abc"}}
    options = {"batch_size": 3, "concurrency": 2, "failures": "zero", "repeats": 2, "level": 0.9, **same}
    assert evaluate(asked(), twenty, ["exact_match"], record=path, **options).resumed == 20


def test_other_items_are_refused_before_a_question(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """An item that was changed, moved or is gone; more items behind them are only more to ask."""
    path = tmp_path / "r.jsonl"
    evaluate(asked(), twenty.take(10), ["exact_match"], record=path)
    moved = asked()
    with pytest.raises(ContractError, match=r'of item \d+ of the dataset it is "item-\d+" now, or changed'):
        evaluate(moved, twenty.shuffle(1), ["exact_match"], record=path)
    with pytest.raises(ContractError, match="of item 6 of the dataset there is none now"):
        evaluate(moved, twenty.take(5), ["exact_match"], record=path)
    assert moved.prompts == []
    assert evaluate(asked(), twenty, ["exact_match"], record=path).resumed == 10


def test_items_that_come_only_once_are_held_against_the_record_as_they_come(tmp_path: Path, asked: Any) -> None:
    """A generator can be continued, too."""
    path = tmp_path / "r.jsonl"
    items = [Item(f"i{index}", f"q{index}", str(index)) for index in range(6)]
    evaluate(asked(), iter(items[:4]), ["exact_match"], record=path)
    again = asked()
    result = evaluate(again, iter(items), ["exact_match"], record=path)
    assert (again.prompts, result.resumed, result.not_reached) == (["q4", "q5"], 4, 0)
    with pytest.raises(ContractError, match="of item 1 of the dataset"):
        evaluate(asked(), iter(reversed(items)), ["exact_match"], record=path)


def test_a_record_that_was_not_to_be_is_refused(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """Never overwritten; nor one of which nobody says what it is of, or that a later version wrote."""
    path = tmp_path / "r.jsonl"
    evaluate(asked(), twenty, ["exact_match"], record=path)
    with pytest.raises(ContractError, match="is there already and resume is off"):
        evaluate(asked(), twenty, ["exact_match"], record=path, resume=False)
    about = about_path(path)
    about.write_text(about.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ContractError, match="later version"):
        evaluate(asked(), twenty, ["exact_match"], record=path)
    about.write_text("no JSON")
    with pytest.raises(StoreError, match="which says what is recorded"):
        evaluate(asked(), twenty, ["exact_match"], record=path)
    about.unlink()
    with pytest.raises(ContractError, match=r"r.jsonl.about.json, which says of what, is not there"):
        evaluate(asked(), twenty, ["exact_match"], record=path)


def test_failed_items_keep_their_error_and_are_made_again_when_asked(
    tmp_path: Path, asked: Any, twenty: Dataset
) -> None:
    """By default they stay as they are; afterwards each item is in the file once."""
    path = tmp_path / "r.jsonl"
    first = evaluate(asked("q3", "q7"), twenty, ["exact_match"], record=path)
    assert first.summaries["exact_match"].failed == 2
    kept = asked()
    assert evaluate(kept, twenty, ["exact_match"], record=path).items == first.items
    assert kept.prompts == []
    again = asked("q7")
    second = evaluate(again, twenty, ["exact_match"], record=path, retry_failed=True)
    assert set(again.prompts) == {"q3", "q7"}
    assert (second.summaries["exact_match"].failed, second.summaries["exact_match"].scored) == (1, 19)
    assert list(read_items(path)) == [item.id for item in twenty]
    assert second.items[7].outcomes == {"exact_match": Failed("no answer: BackendError: cannot digest q7")}


def test_an_answer_that_could_not_be_scored_is_only_scored_again(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """It is paid for; the model is not asked."""
    path = tmp_path / "r.jsonl"
    broken = True

    def scorer(item: Item, output: str) -> Outcome:
        if broken and item.id == "item-3":
            raise RuntimeError("no power")
        return Scored(float(output == item.expected))

    first = evaluate(asked(), twenty, [scorer], record=path)
    assert first.summaries["scorer"].failed == 1
    broken = False
    again = asked()
    second = evaluate(again, twenty, [scorer], record=path, retry_failed=True)
    assert again.prompts == []
    assert (second.summaries["scorer"].mean, second.items[2].output) == (1.0, "2")


def test_abort_holds_for_recorded_failures(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """They are refused, or made again; and what was finished before the first failure is kept."""
    path = tmp_path / "r.jsonl"
    with pytest.raises(BackendError, match="cannot digest q9"):
        evaluate(asked("q9"), twenty, ["exact_match"], record=path, failures="abort", batch_size=4, concurrency=1)
    assert len(read_record(path)) == 8
    evaluate(asked("q9"), twenty, ["exact_match"], record=path)
    with pytest.raises(DataError, match="1 recorded measurements have no exact_match because they failed"):
        evaluate(asked(), twenty, ["exact_match"], record=path, failures="abort")
    whole = evaluate(asked(), twenty, ["exact_match"], record=path, failures="abort", retry_failed=True)
    assert whole.summaries["exact_match"].mean == 1.0


# --- the file ---


def test_two_processes_do_not_write_one_record(tmp_path: Path) -> None:
    """The second is refused for as long as the first has it; the lock goes with the process."""
    path = tmp_path / "r.jsonl"
    hold = (
        "import sys; from pathlib import Path; from crucible.data.evaluating.record import Record; "
        "r = Record(Path(sys.argv[1])); print('held', flush=True); sys.stdin.readline()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", hold, str(path)], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ContractError, match="is being written by another process"):
            Record(path)
        process.kill()
    Record(path).close()


def test_a_full_disk_is_an_error_and_takes_nothing_back(tmp_path: Path, twenty: Dataset) -> None:
    """Half a line is taken back; the evaluation stops, and goes on from what it had when there is room again."""
    path = tmp_path / "r.jsonl"
    script = f"""
import resource
from pathlib import Path
from crucible.backends.scripted import ScriptedSampler
from crucible.data import evaluate, load
from crucible.errors import StoreError
questions = load([(f"q{{index}}", str(index)) for index in range(20)])
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
try:
    evaluate(ScriptedSampler(lambda prompt: prompt[1:]), questions, ["exact_match"], record={str(path)!r}, batch_size=2)
except StoreError as error:
    print(error)
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert "free space or choose another record" in done.stdout, done.stderr
    kept = len(read_record(path))
    assert 0 < kept < 20
    assert path.read_bytes().endswith(b"\n")
    from crucible.backends.scripted import ScriptedSampler

    result = evaluate(ScriptedSampler(lambda prompt: prompt[1:]), twenty, ["exact_match"], record=path, batch_size=2)
    assert (result.resumed, len(result.items)) == (kept, 20)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """Before the first question; and a record that is not there cannot be read."""
    (tmp_path / "file").write_text("")
    sampler = asked()
    with pytest.raises(StoreError, match=r"file/r.jsonl cannot be written"):
        evaluate(sampler, twenty, ["exact_match"], record=tmp_path / "file" / "r.jsonl")
    assert sampler.prompts == []
    with pytest.raises(StoreError, match="cannot be read"):
        read_record(tmp_path / "nothing.jsonl")


def test_it_is_synced_at_intervals_and_at_the_end(
    tmp_path: Path, asked: Any, twenty: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a thread while it works, so that a slow disk does not hold up the next question."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    evaluate(asked(), twenty, ["exact_match"], record=tmp_path / "1.jsonl", batch_size=1)
    at_end = len(synced)
    assert at_end >= 1
    monkeypatch.setattr("crucible.data.evaluating.work.SYNC_S", 0.0)
    evaluate(asked(), twenty, ["exact_match"], record=tmp_path / "2.jsonl", batch_size=1, concurrency=1)
    assert len(synced) > 2 * at_end
    assert record_module.SYNC_S == 5.0


def test_an_item_that_is_no_json_is_named(tmp_path: Path, asked: Any) -> None:
    """It cannot be recorded."""
    odd = load([Item("a", "q1", "1")]).replaced([Item("a", "q1", object())])  # type: ignore[arg-type]
    odd_scorer = {"one": lambda item, output: Scored(1)}
    with pytest.raises(DataError, match='item "a" cannot be recorded, because it is no JSON'):
        evaluate(asked(), odd, odd_scorer, record=tmp_path / "r.jsonl")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency is at least 1, got 0"),
        ({"repeats": 0}, "repeats is at least 1, got 0"),
        ({"attempts": 0}, "attempts is at least 1, got 0"),
        ({"scoring_threads": -1}, "scoring_threads is 0 or more, got -1"),
        ({"timeout_s": 0}, "timeout_s is above 0, got 0"),
        ({"params": SamplingParams(seeds=(1,))}, "params.seeds cannot be given"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    """In one sentence, before anything is opened."""
    with pytest.raises(DataError, match=message):
        EvalOptions(**options)


def test_memory_does_not_grow_with_the_items(tmp_path: Path, lazy: Any, asked: Any) -> None:
    """Eight times as many items take no more than a hundred bytes each on top."""
    from crucible.backends.scripted import ScriptedSampler

    sampler = ScriptedSampler(lambda prompt: prompt[1:])

    def peak(count: int) -> int:
        evaluate(sampler, lazy(count), ["exact_match"], record=tmp_path / f"{count}.jsonl")
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    assert -peak(2_000) + peak(16_000) < 14_000 * 100 + 3_000_000
