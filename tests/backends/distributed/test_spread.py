"""Two real processes give the numbers of one: every request of a session and of a sampler."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.backends.distributed.conftest import environment, free_port

from crucible.backends import LocalBackend, spread
from crucible.backends.distributed import current_team, require_spread
from crucible.backends.threads import fitting_threads
from crucible.errors import BackendError
from crucible.ir import LoraConfig

Lead = Callable[..., tuple[Any, list[tuple[int, str]]]]


@pytest.fixture(scope="module")
def programme() -> Iterator[Any]:
    """The program, as a module that the other processes can import, too."""
    path = Path(__file__).with_name("programme.py")
    spec = importlib.util.spec_from_file_location("programme", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["programme"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["programme"]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number or text of nested lists and mappings, with its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{place}]")
    else:
        yield path, value


def check_equal(one: Any, two: Any) -> None:
    """Hold two measurements to the same shape, and the same numbers but for the order in which floats are added.

    Sums and norms to 1e-5; a single token's log-probability, after steps of Adam that magnify rounding, to 1e-4.
    """
    first, second = dict(leaves(one)), dict(leaves(two))
    assert first.keys() == second.keys()
    for path, value in first.items():
        if isinstance(value, float):
            is_one_token = re.search(r"(\w+\[[13]\]|logprobs|likeliest)\[", path)
            within = 1e-4 if is_one_token else 1e-5
            assert math.isclose(value, second[path], rel_tol=within, abs_tol=within), (path, value, second[path])
        else:
            assert value == second[path], path


def test_two_processes_give_the_numbers_of_one(lead: Lead, programme: Any, base_folder: Path, tmp_path: Path) -> None:
    """Losses, log-probabilities, metrics, gradient norms, clipping, accumulation, a batch of one datum, custom,
    composite and soft losses, one that cannot travel, samplers, a checkpoint in the middle of a step.

    What fails in one process fails the request by a typed error that says where, and both go on together. Seconds,
    because a process that has to import PyTorch takes them.
    """

    def work(_: Any) -> Any:
        numbers = programme.measure(str(base_folder), 0.0, tmp_path / "two")
        return numbers, programme.faults(str(base_folder))

    (two, faults), [(code, said)] = lead(work)
    assert (code, said) == (0, "")
    one = programme.measure(str(base_folder), 0.0, tmp_path / "one")
    check_equal(one, two)
    assert two["custom"][2]["seen"] == 8
    assert two["went on"] == two["again"]
    kind, words = faults["a share"]
    assert kind == "BackendError"
    assert "process 1 of 2" in words
    assert "ZeroDivisionError" in words
    assert faults["a share of forward"][1] == words
    assert faults["a custom loss"] == ["LookupError", "no such pair"]
    assert faults["a loss of no number"][0] == "TrainError"
    assert faults["an error that cannot be sent"] == ["HeldError", "1 2"]
    assert "one MPS device" in faults["mps"]
    assert "cuda:1 names one GPU" in faults["cuda:1"]
    assert "CUDA" in faults["cuda"]
    assert faults["asked within"] == 5
    assert faults["loss after all"] == two["step 0"][0]
    assert "gradient norm is nan" in faults["not finite"]
    assert current_team() is None


@pytest.mark.slow
def test_dropout_drops_what_one_process_drops(lead: Lead, programme: Any, base_folder: Path, tmp_path: Path) -> None:
    """Each process draws the masks of the whole request and uses its own rows; resumed it goes on to the bit."""
    two, _ = lead(lambda _: [programme.measure(str(base_folder), 0.2, tmp_path / name) for name in ("a", "b")])
    assert two[0] == two[1]
    assert two[0]["went on"] == two[0]["again"]
    check_equal(programme.measure(str(base_folder), 0.2, tmp_path / "one"), two[0])


@pytest.mark.slow
def test_dropout_of_a_request_of_several_passes_repeats(
    lead: Lead, programme: Any, base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The masks are each process's own then: of the same law, and the same again in as many processes."""
    monkeypatch.setattr("crucible.backends.data_scoring.tokens_per_group", lambda *_, **__: 64)
    two, _ = lead(lambda _: [programme.measure(str(base_folder), 0.2) for _ in range(2)])
    assert two[0] == two[1]
    one = programme.measure(str(base_folder), 0.2)
    assert one["step 0"][0] != two[0]["step 0"][0]
    assert one["step 0"][0] == pytest.approx(two[0]["step 0"][0], rel=0.2)


@pytest.mark.slow
def test_three_processes_with_little_to_do(lead: Lead, programme: Any, base_folder: Path, tmp_path: Path) -> None:
    """Some have nothing of a batch of one or two; the numbers are those of one process all the same."""
    three, others = lead(lambda _: programme.measure(str(base_folder), 0.0, tmp_path / "three"), 3)
    assert [code for code, _ in others] == [0, 0]
    check_equal(programme.measure(str(base_folder), 0.0, tmp_path / "one"), three)


@pytest.mark.slow
def test_a_killed_process_is_named(lead: Lead, programme: Any, base_folder: Path) -> None:
    """The next request says which one is gone, within seconds; so does every later one, and the program goes on."""

    def work(others: list[subprocess.Popen[str]]) -> tuple[str, str, float]:
        config = LoraConfig(base_model=str(base_folder), rank=4)
        with LocalBackend().start_session(config) as session:
            data = programme.make_data(session.tokenizer)
            session.forward_backward(data).result()
            others[0].kill()
            others[0].wait()
            killed_at = time.monotonic()
            with pytest.raises(BackendError) as first:
                session.forward_backward(data).result()
            took_s = time.monotonic() - killed_at
        with pytest.raises(BackendError) as second:
            LocalBackend().start_session(config)
        return str(first.value), str(second.value), took_s

    (first, second, took_s), _ = lead(work)
    assert "process 1 of 2" in first
    assert "is gone" in first
    assert "resume" in first
    assert second == first
    assert took_s < 5


@pytest.mark.slow
def test_a_process_that_does_not_answer_is_waited_for_so_long(
    lead: Lead, programme: Any, base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process is as one on a host that is out of reach: the request fails after the time that was set."""
    monkeypatch.setenv("CRUCIBLE_PROCESSES_TIMEOUT_S", "60")  # starting takes its time on a busy machine

    def work(others: list[subprocess.Popen[str]]) -> tuple[str, float]:
        with LocalBackend().start_session(LoraConfig(base_model=str(base_folder), rank=4)) as session:
            data = programme.make_data(session.tokenizer)
            session.forward_backward(data).result()
            others[0].send_signal(signal.SIGSTOP)
            stopped_at = time.monotonic()
            with pytest.raises(BackendError) as error:
                session.forward_backward(data).result()
            took_s = time.monotonic() - stopped_at
        others[0].kill()
        return str(error.value), took_s

    (said, took_s), _ = lead(work)
    assert "cannot be reached" in said
    assert "CRUCIBLE_PROCESSES_TIMEOUT_S" in said
    assert 50 < took_s < 100


@pytest.mark.slow
def test_one_program_may_spread_several_times(tmp_path: Path) -> None:
    """One piece of work after another, one that fails among them: what a team has left confuses no later one."""
    script = tmp_path / "thrice.py"
    script.write_text(
        "from crucible.backends import spread\n"
        "from crucible.backends.distributed import current_team\n"
        "from crucible.backends.distributed.shares import Outcome\n"
        "def count():\n"
        "    with current_team().asking('idle'):\n"
        "        return len(current_team().outcomes(Outcome()))\n"
        "print(spread(count), spread(count))\n"
        "try:\n"
        "    print(spread(lambda: 1 // 0))\n"
        "except ZeroDivisionError:\n"
        "    print('failed')\n"
        "print(spread(count))\n"
    )
    port = free_port()
    started = [
        subprocess.Popen(
            [sys.executable, str(script)],
            env={**os.environ, **environment(rank, 2, port)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=200)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert said == ["2 2\nfailed\n2\n", "None None\nNone\nNone\n"]


def test_one_process_just_does_the_work() -> None:
    """Without a launcher there is nothing to share; the work's answer and its errors come back."""
    assert spread(lambda: 5) == 5
    assert current_team() is None
    with pytest.raises(ZeroDivisionError):
        spread(lambda: 1 // 0)


def test_the_same_in_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch, base_folder: Path) -> None:
    """A program under torchrun that does not call `spread` would train twice and write over itself."""
    said = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BackendError, match=r"crucible\.backends\.spread"):
        LocalBackend().start_session(LoraConfig(base_model=str(base_folder)))
    with pytest.raises(BackendError, match="process 1 of 2"):
        LocalBackend().create_sampler(str(base_folder))
    monkeypatch.delenv("WORLD_SIZE")
    require_spread("nothing")


def test_processes_take_their_part_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody has chosen a count: half the processors each of two, though torchrun itself says one thread."""
    import torch

    from crucible.backends import threads

    monkeypatch.setattr(threads, "_cores", lambda: 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    try:
        threads.share_machine(2)
        assert torch.get_num_threads() == before  # somebody has said 1
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
        threads.share_machine(2)
        assert torch.get_num_threads() == 3
        with fitting_threads(threads.SHARED_FROM) as count:
            assert count == 3
        with fitting_threads(10) as count:
            assert count == 1
    finally:
        threads.share_machine(1)
        torch.set_num_threads(before)
