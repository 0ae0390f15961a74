"""The benchmarks measure what they say; how fast anything is, no test asserts."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.chain import plain
from benchmarks.clock import TINY, Budget, Figure, figure_of, rate_of, samples_ns, timed
from benchmarks.peers import CHAINS, DOCUMENTS, SCALARS, Peer
from benchmarks.side import Answer
from benchmarks.topic.size import code_lines

import crucible
from benchmarks import __main__ as command
from benchmarks import chain, document, environments, side, table, topic

SMALL = topic.Scale(
    stages=3,
    document_stages=4,
    metrics=20,
    updates=5,
    trace_events=200,
    trace_chains=3,
    viewer_events=50,
    diff_events=40,
    scalars=2_000,
    recorded_events=50,
    memory_scalars=300,
    run_points=100,
    soak_s=0.5,
    soak_rate=400.0,
    evaluated_items=400,
    own_modules_only=True,
    budget=TINY,
)


def figure(name: str = "chain", median: float = 2.0, **more: object) -> Figure:
    """Return a figure whose range is from half to twice its median."""
    return dataclasses.replace(Figure(name, "µs", median, median / 2, median * 2), **more)  # type: ignore[arg-type]


@functools.cache
def own_figures(name: str) -> list[Figure]:
    """Return Crucible's figures of a topic at the small scale, measured once."""
    return list(topic.topic(name).measure(SMALL))


LONG = {"telemetry", "soak", "resampling", "evaluating", "train", "hooks"}  # up to a quarter of a minute each


def marked(names: Iterable[str]) -> list[Any]:
    """Return the names of topics, those that take long for `make test-all` alone."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in names]


@pytest.mark.parametrize("name", marked(topic.NAMES))
def test_own_side_yields_figures(name: str) -> None:
    """Crucible's side of every topic runs and yields finite, positive figures.

    Only the two that are differences of timings may come out below zero at this size.
    """
    figures = own_figures(name)
    assert figures
    assert len({each.name for each in figures}) == len(figures)
    for each in figures:
        assert math.isfinite(each.median)
        if not each.name.endswith((": a stage", ": opening and closing a run")):
            assert 0 < each.low <= each.median <= each.high


@pytest.mark.parametrize("name", marked(["pipeline", "ir", "telemetry", "traces", "evaluating"]))
def test_peers_are_divided_by_figures_that_exist(name: str) -> None:
    """What a peer's figure is divided by is a figure that Crucible's side yields."""
    chosen = topic.topic(name)
    own = {each.name for each in own_figures(name)}
    assert {reference for references in chosen.against.values() for reference in references} <= own


def test_document_is_of_the_size_that_is_told() -> None:
    """The document has 50 stages and about 13 kB."""
    assert len(document.experiment()["pipeline"]) == 50
    assert 12_500 < len(document.text()) < 13_500


def test_unknown_topic_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A topic that does not exist ends with status 2, the known ones and the nearest."""
    assert command.main(["pipelin"]) == 2
    error = capsys.readouterr().err
    assert 'unknown topic "pipelin"; expected one of pipeline, ir' in error
    assert 'did you mean "pipeline"?' in error


def test_unknown_peer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A peer that the chosen topics do not have ends with status 2 and the known ones."""
    assert command.main(["ir", "--peers", "airflow"]) == 2
    assert 'unknown peer "airflow"; expected some of none, stdlib-json, msgspec' in capsys.readouterr().err


def test_list_names_topics_and_peers(capsys: pytest.CaptureFixture[str]) -> None:
    """`--list` says every topic and every peer, and measures nothing."""
    assert command.main(["--list"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in (*topic.NAMES, *(peer.name for peer in (*CHAINS, *DOCUMENTS, *SCALARS))))


def test_report_is_printed_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--save` appends the report, with date, command and machine, behind what the file held."""
    results = tmp_path / "RESULTS.md"
    results.write_text("# Measured\n", encoding="utf-8")
    monkeypatch.setattr(command, "RESULTS", results)
    assert command.main(["size", "--save", "--seconds", "0"]) == 0
    saved = results.read_text(encoding="utf-8")
    assert saved.startswith("# Measured\n\n## Side by side, 20")
    assert "`python -m benchmarks size --save --seconds 0` on " in saved
    assert "| lines of the longest file |" in saved
    assert "| lines of the longest file |" in capsys.readouterr().out


def test_nothing_is_written_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `--save` no file is touched."""
    monkeypatch.setattr(command, "RESULTS", tmp_path / "RESULTS.md")
    assert command.main(["size", "--seconds", "0"]) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_peers_without_pins_are_measured_here(tmp_path: Path) -> None:
    """A peer of the standard library needs no environment, and answers with its figures."""
    assert environments.interpreter(CHAINS[0], tmp_path) == Path(sys.executable)
    for peer in (CHAINS[0], DOCUMENTS[0], *SCALARS[:2]):
        answer = side.ask(Path(sys.executable), peer.module, seconds=0.0)
        assert answer.failure == ""
        assert all(each.median > 0 for each in answer.figures)


def test_a_chain_passes_its_value_on() -> None:
    """The plain chain calls its stages and returns what went in."""
    assert plain.build(chain.STAGES)() == 1


def test_environment_is_found_again(tmp_path: Path) -> None:
    """An environment whose stamp holds the same pins is used as it is."""
    peer = Peer("thing", "benchmarks.chain.plain", ("thing==1.0",))
    place = tmp_path / f"thing-py{sys.version_info.major}.{sys.version_info.minor}"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").touch()
    (place / "installed.txt").write_text("thing==1.0\n", encoding="utf-8")
    assert environments.interpreter(peer, tmp_path) == place / "bin" / "python"


def test_peer_that_cannot_be_installed_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer without a distribution is skipped with pip's reason, and the rest is measured."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    missing = Peer("missing", "benchmarks.chain.plain", ("there-is-no-such-thing==1.0",))
    chosen = dataclasses.replace(topic.topic("size"), peers=(missing, CHAINS[0]), against={"chain": ("lines",)})
    said = command.measured(chosen, chosen.peers, rounds=1, seconds=0.0)
    assert "missing: not measured: could not be installed: No matching distribution found" in said
    assert "| plain " in said
    assert not list(tmp_path.rglob("installed.txt"))


def test_failing_side_keeps_its_last_line() -> None:
    """A side that breaks reports the last line of its error, and no figure."""
    answer = side.ask(Path(sys.executable), "benchmarks.nothing_here", seconds=0.0)
    assert answer.figures == ()
    assert "No module named benchmarks.nothing_here" in answer.failure


def test_failing_own_side_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """When Crucible's own side stops early, the report says so and the status is 1."""
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert command.main(["size"]) == 1
    assert "Crucible: stopped early: exit status 1, no figures" in capsys.readouterr().out


def test_figures_survive_the_process_border() -> None:
    """What a process prints between its figures is ignored; a figure comes back as it was."""
    line = json.dumps(dataclasses.asdict(figure(note="as it is")))
    assert side.figures_in(f"a log line\n{line}\n{{}}\n") == (figure(note="as it is"),)


def test_side_names_its_version() -> None:
    """Crucible's side, run as a process, names the version that it measured."""
    answer = side.ask(Path(sys.executable), "benchmarks.side", ["size"], seconds=0.0)
    assert {each.version for each in answer.figures} == {crucible.__version__}


def test_processes_are_merged_by_their_medians() -> None:
    """Several processes become the median of medians with the range of medians; one process keeps its own range."""
    answers = [Answer((figure(median=value, cold_ms=value),)) for value in (3.0, 1.0, 2.0)]
    together = table.merged(answers)["chain"]
    assert (together.low, together.median, together.high, together.repeats) == (1.0, 2.0, 3.0, 3)
    assert together.cold_ms == 2.0
    assert table.merged(answers[:1])["chain"] == answers[0].figures[0]


def test_ratio_says_how_many_times_crucible() -> None:
    """A peer's cell is its median over Crucible's, so that more than 1 means slower than Crucible."""
    chosen = dataclasses.replace(topic.topic("size"), against={"chain": ("ours",)})
    said = table.section(
        chosen, {"": [Answer((figure("ours", 2.0),))], "other": [Answer((figure(median=9.0, version="1.2"),))]}, {}
    )
    assert "÷ Crucible: ours" in said
    assert "| other 1.2 | 9 µs | 4.50–18 |  | 4.50 |  |" in said


def test_ratio_of_rates_says_the_same() -> None:
    """Of a rate it is Crucible's over the peer's, so that more than 1 still means that Crucible is better."""
    chosen = dataclasses.replace(topic.topic("size"), against={"durable": ("durable",)})
    ours, theirs = rate_of("durable", [1e9], of=500), rate_of("durable", [1e9], of=100)
    said = table.section(chosen, {"": [Answer((ours,))], "other": [Answer((theirs,))]}, {})
    assert "| durable | 500 /s |" in said
    assert "Crucible: durable ÷ it" in said
    assert "| 100 /s |  |  | 5 |  |" in said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0213, "0.021"),
        (0.00046, "0.00046"),
        (0.1294, "0.129"),
        (5.017, "5.02"),
        (31.5, "31.5"),
        (441.2, "441"),
        (31052.7, "31,053"),
        (7.0, "7"),
    ],
)
def test_numbers_show_digits_that_mean_something(value: float, said: str) -> None:
    """A figure shows what means something, whatever its size."""
    assert table.number(value) == said


def test_short_calls_are_timed_in_batches() -> None:
    """A call far below the clock's step is timed many at a time; a tiny budget times one."""
    calls: list[int] = []
    assert len(samples_ns(lambda: calls.append(1), Budget(seconds=0.0, least=2))) == 2
    assert len(calls) > 100
    calls.clear()
    assert len(samples_ns(lambda: calls.append(1), TINY)) == 1
    assert len(calls) == 3


def test_figure_is_for_one_thing() -> None:
    """A call that does 100 things is reported for one of them, in the unit asked for."""
    found = figure_of("chain", "µs", [100_000.0, 300_000.0, 200_000.0], per=100)
    assert (found.median, found.low, found.high, found.repeats) == (2.0, 1.0, 3.0, 3)
    assert timed("nothing", "ns", lambda: None, TINY).unit == "ns"


def test_code_lines_leave_out_words() -> None:
    """Blank lines, comments and docstrings are no code; a text that is a value is."""
    source = '"""Doc.\n\nMore.\n"""\n\n# why\nx = """a\nb"""\n\n\ndef f() -> None:\n    """Doc."""\n    return  # end\n'
    assert code_lines(source) == 4
