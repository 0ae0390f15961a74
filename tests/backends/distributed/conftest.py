"""Programs in several real processes on this machine, talking through gloo on the loopback interface."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible.backends import spread

HELPER = Path(__file__).with_name("programme.py")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(rank: int, count: int, port: int) -> dict[str, str]:
    """What torchrun would tell a process."""
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def lead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`lead(work, count=2)`: do work here as process 0; the other processes are real ones of their own.

    Returns what the work returned, and exit code and output of each other process.
    """
    started: list[subprocess.Popen[str]] = []

    def start(work: Callable[[list[subprocess.Popen[str]]], Any], count: int = 2) -> tuple[Any, list[tuple[int, str]]]:
        port = free_port()
        for rank in range(1, count):
            started.append(
                subprocess.Popen(
                    [sys.executable, str(HELPER)],
                    env={**os.environ, **environment(rank, count, port)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        with monkeypatch.context() as patch:
            for name, value in environment(0, count, port).items():
                patch.setenv(name, value)
            result = spread(lambda: work(started))
        outputs = [process.communicate(timeout=120)[0] for process in started]
        return result, [(process.returncode, text) for process, text in zip(started, outputs, strict=True)]

    yield start
    for process in started:
        process.kill()
        process.communicate()
