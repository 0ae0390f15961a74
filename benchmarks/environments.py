"""One virtual environment a peer, outside the tree, made on the first run and found again on the next."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers import Peer


class NotInstalledError(RuntimeError):
    """A peer could not be installed; the message says why."""


def cache_folder() -> Path:
    """Return where the environments lie: `crucible-bench` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crucible-bench"


def interpreter(peer: Peer, cache: Path) -> Path:
    """Return the peer's own Python, after installing what it is pinned to.

    Args:
        peer: The peer. One without pins is measured in this interpreter.
        cache: Folder of all environments.

    Raises:
        NotInstalledError: The environment cannot be made or filled.
    """
    if not peer.pins:
        return Path(sys.executable)
    place = cache / f"{peer.environment or peer.name}-py{sys.version_info.major}.{sys.version_info.minor}"
    python, stamp = place / "bin" / "python", place / "installed.txt"
    wanted = "\n".join(peer.pins) + "\n"
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {', '.join(peer.pins)} into {place}", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    _called([sys.executable, "-m", "venv", "--without-pip", str(place)])
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    _called([*pip, "--no-input", "--prefer-binary", "--retries", "1", *peer.pins])
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _called(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or [f"exit status {done.returncode}"]
        raise NotInstalledError(errors[-1].removeprefix("ERROR: "))
