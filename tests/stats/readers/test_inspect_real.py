"""Logs that the real inspect_ai writes, in an environment of its own: what is read agrees with Inspect's own figures.

`CRUCIBLE_INSPECT_PYTHON` names a Python that has inspect_ai; without it an environment is made in pytest's cache, once.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from crucible.ir import Skipped
from crucible.stats.conditions.design import compare_conditions
from crucible.stats.readers import Asked, labelled, read_file

PROGRAM = Path(__file__).with_name("inspect_make.py")
PACKAGE = "inspect_ai==0.3.285"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inspect_python(request: pytest.FixtureRequest) -> Path:
    """Return a Python that has inspect_ai; skip where it cannot be installed."""
    if named := os.environ.get("CRUCIBLE_INSPECT_PYTHON"):
        return Path(named)
    cache = request.config.cache
    assert cache is not None
    folder = cache.mkdir("inspect-environment")
    python = folder / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import inspect_ai"], capture_output=True).returncode:
        venv.create(folder, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", PACKAGE]
        try:
            subprocess.run(command, capture_output=True, text=True, timeout=500, check=True)
        except subprocess.SubprocessError as error:
            pytest.skip(f"{PACKAGE} cannot be installed here: {getattr(error, 'stderr', None) or error}")
    return python


@pytest.fixture(scope="module")
def written(inspect_python: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the logs of two scripted models, in both formats, and one with samples taken back."""
    folder = tmp_path_factory.mktemp("logs")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [inspect_python, PROGRAM, folder], capture_output=True, text=True, timeout=280, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.timeout(600)
def test_means_are_those_that_inspect_computed(written: list[dict[str, Any]]) -> None:
    """For letters, a dictionary of scores, epochs, an error and an unscored sample, in `.eval` and `.json`."""
    names = {"match": "match", "letters": "letters", "parts.fluency": "fluency", "parts.right": "right"}
    for log in written[:4]:
        assert set(read_file(log["path"], Asked(metric="match")).metrics) == set(names)
        for metric, figure in names.items():
            (condition,) = read_file(log["path"], Asked(metric=metric)).conditions
            means = condition.item_means()
            own = log["figures"][figure]
            mean = math.fsum(means.values()) / len(means)
            assert mean == pytest.approx(own.get("accuracy", own.get("mean")), rel=1e-12), (log["form"], metric)
            if "stderr" in own:
                spread = math.fsum((value - mean) ** 2 for value in means.values()) / (len(means) - 1)
                assert math.sqrt(spread / len(means)) == pytest.approx(own["stderr"], rel=1e-9)


@pytest.mark.timeout(600)
def test_what_failed_is_counted(written: list[dict[str, Any]]) -> None:
    """One error in sixty, and three epochs of a sample without score, whose NaN stands in the log."""
    (right,) = read_file(written[0]["path"], Asked(metric="match", cluster="subject")).conditions
    assert (right.counts.items, right.counts.attempted, right.counts.failed) == (20, 60, 1)
    assert len(set(right.clusters.values())) == 5
    (letters,) = read_file(written[1]["path"], Asked(metric="letters")).conditions
    assert (letters.counts.scored, letters.counts.failed) == (56, 4)


@pytest.mark.timeout(600)
def test_the_two_formats_are_the_same_measurements(written: list[dict[str, Any]]) -> None:
    """A comparison across the formats pairs every item, and asks the same."""
    files = [read_file(log["path"], Asked(metric="match")) for log in written[:4]]
    base, _, _, tuned = labelled(files, ["base", "base as json", "tuned", "tuned as json"])
    found = compare_conditions(base, tuned)
    assert found.n == 20
    assert found.difference > 0.0
    for one, other in ((0, 1), (2, 3)):
        first, second = files[one].conditions[0].observations, files[other].conditions[0].observations
        assert {(o.item, o.repeat): o.outcome for o in first} == {(o.item, o.repeat): o.outcome for o in second}
        assert all(o.fingerprint for o in first)


@pytest.mark.timeout(600)
def test_samples_that_were_taken_back_are_skipped(written: list[dict[str, Any]]) -> None:
    """As `inspect_ai.log.invalidate_samples` and `write_eval_log` leave them."""
    (condition,) = read_file(written[4]["path"], Asked(metric="match")).conditions
    assert condition.counts.skipped == 3
    assert all(one.outcome == Skipped("invalidated: wrong key") for one in condition.observations if one.item == "8")


def test_this_environment_has_no_inspect() -> None:
    """What reads the logs is this package alone."""
    assert "inspect_ai" not in sys.modules
