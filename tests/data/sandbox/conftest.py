"""Sandboxes to try: with walls where this machine allows them, and without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.data.sandbox import ProgramLimits, Sandbox, SandboxRefused

SMALL = ProgramLimits(
    cpu_s=1,
    wall_s=10.0,
    memory_bytes=200 << 20,
    file_bytes=1 << 20,
    disk_bytes=3 << 20,
    processes=8,
    output_bytes=20_000,
)


@pytest.fixture(scope="session")
def walls() -> Sandbox:
    """Return a sandbox with walls and small limits; skip where this machine does not allow namespaces."""
    sandbox = Sandbox(limits=SMALL)
    try:
        sandbox.check()
    except SandboxRefused as error:
        pytest.skip(str(error))
    return sandbox


@pytest.fixture(scope="session")
def no_walls() -> Sandbox:
    """Return a sandbox of limits alone; root needs a Python that others can read, skip where there is none."""
    if not sys.platform.startswith("linux"):
        pytest.skip("programs are run on Linux only")
    sandbox = Sandbox(limits=SMALL, isolation="limits")
    if os.geteuid() == 0:
        system = shutil.which("python3", path="/usr/bin")
        version = "import sys; sys.exit(sys.version_info < (3, 11))"
        if system is None or subprocess.run([system, "-c", version]).returncode:
            pytest.skip("as root a program without walls needs a /usr/bin/python3 of 3.11 or later")
        sandbox = Sandbox(limits=SMALL, isolation="limits", python=system)
    return sandbox


@pytest.fixture(params=["walls", "no_walls"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Return each of both."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Sandbox)
    return found


@pytest.fixture
def is_running() -> Callable[[str], bool]:
    """Return what tells whether a process with a word in its command line is still there, after a moment of grace."""

    def ask(word: str) -> bool:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            if not any(word.encode() in _command(place) for place in Path("/proc").glob("[0-9]*")):
                return False
            time.sleep(0.02)
        return True

    return ask


def _command(place: Path) -> bytes:
    try:
        return (place / "cmdline").read_bytes()
    except OSError:
        return b""
