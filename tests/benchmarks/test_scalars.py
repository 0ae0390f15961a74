"""What is logged must be found by a reader, or it counts as nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.clock import TINY
from benchmarks.scalars import own
from benchmarks.scalars.sqlite_inline import Inline
from benchmarks.scalars.sqlite_thread import Threaded

from benchmarks import scalars


def way(open_log: Callable[[], scalars.Log], **more: object) -> scalars.Way:
    """Return 50 calls of one scalar."""
    return dataclasses.replace(scalars.Way("one a call", open_log, 50, points=50), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Inline, Threaded])
@pytest.mark.parametrize("series", [1, 10])
def test_bare_loops_keep_every_scalar(tmp_path: Path, kind: type[Inline | Threaded], series: int) -> None:
    """Both loops write every row of every series, also what is less than a batch."""
    log = kind(tmp_path / "bare.db", series)
    for step in range(1_234):
        log.log(step, scalars.value(step))
    log.finish()
    log.close()
    assert log.count() == 1_234 * series
    assert log.points() == [(step, scalars.value(step)) for step in range(1_234)]


def test_figures_of_a_way(tmp_path: Path) -> None:
    """A way of logging has a rate, two percentiles and bytes; reading it is a figure of its own."""
    log = way(lambda: own.Logged(str(tmp_path / "store"), 1), place=tmp_path)
    names = [each.name for each in scalars.figures(log, TINY, "1")]
    kinds = ("durable scalars", "caller p50", "caller p99", "a scalar on disk")
    assert names == [f"one a call: {kind}" for kind in kinds]
    figure = scalars.reading(log, TINY, "1")
    assert (figure.name, figure.note) == (scalars.READ, "; scaled from 50")


def test_lost_scalar_ends_the_measurement(tmp_path: Path) -> None:
    """A peer whose reader finds fewer scalars than were logged is not measured."""

    class Forgetful(Inline):
        def log(self, step: int, number: float) -> None:
            if step != 7:
                super().log(step, number)

    with pytest.raises(SystemExit, match="50 scalars were logged, and a reader finds 49"):
        list(scalars.figures(way(lambda: Forgetful(tmp_path / "bare.db", 1)), TINY, "1"))


def test_wrong_number_ends_the_measurement(tmp_path: Path) -> None:
    """A peer that gives another number back is not measured."""

    class Wrong(Inline):
        def log(self, step: int, number: float) -> None:
            super().log(step, number * (1.5 if step == 3 else 1.0))

    with pytest.raises(SystemExit, match=r"\(3, .*\) came back as \(3, "):
        list(scalars.figures(way(lambda: Wrong(tmp_path / "bare.db", 1)), TINY, "1"))


def test_processes_log_together(tmp_path: Path) -> None:
    """Two processes log into one store, and a reader finds the points of both."""
    said = own.together(str(tmp_path / "store"), 2, 300)
    assert [own.found(str(tmp_path / "store"), each["id"]) for each in said] == [300, 300]
    assert all(each["begun_ns"] < each["ended_ns"] and 0 < each["before"] <= each["peak"] for each in said)


def test_process_that_cannot_log_is_told(tmp_path: Path) -> None:
    """A process that cannot open the store ends the measurement."""
    (tmp_path / "store").write_text("no folder", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"ended with status \[1\]"):
        own.together(str(tmp_path / "store"), 1, 10)
