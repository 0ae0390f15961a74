"""What the figures were measured on, in words."""

import os
import platform
import tempfile
from pathlib import Path


def machine() -> str:
    """Return cores, processor, system, file system of temporary files, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(": ")[2] for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    files = _file_system(Path(tempfile.gettempdir()).resolve())
    return f"{os.cpu_count()} x {model}, {platform.system()}, stores on {files}, Python {platform.python_version()}"


def load() -> str:
    """Return the load average of the last minute, or that this system has none."""
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except (AttributeError, OSError):
        return "unknown"


def _file_system(folder: Path) -> str:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "an unknown file system"
    entries = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    holding = [(len(Path(point).parts), kind) for point, kind in entries if folder.is_relative_to(point)]
    return max(holding)[1] if holding else "an unknown file system"
