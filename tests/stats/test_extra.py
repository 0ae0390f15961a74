"""`crucible.stats` stands alone: it imports without numpy and scipy, and never imports a model library."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crucible.stats.extra import needs_stats, versions


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("missing", ["numpy", "scipy"])
def test_import_works_without_the_extra_and_calls_name_it(missing: str) -> None:
    """Importing is free; the first call says which pip command to run."""
    done = _run(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from crucible import stats\n"
        "from crucible.errors import MissingExtra\n"
        "for call in (lambda: stats.wilson(1, 2), lambda: stats.compare([1, 2], [2, 4]),\n"
        "             lambda: stats.compare_paired([1, 2], [2, 4]), lambda: stats.mcnemar(1, 2, 5),\n"
        "             lambda: stats.bootstrap_paired(range(9), [3, 1, 4, 1, 5, 9, 2, 6, 5])):\n"
        "    try: call()\n"
        "    except MissingExtra as error: print(error)\n"
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert all("pip install 'crucible-ml[stats]'" in line for line in lines)


def test_groups_name_the_extra_without_statsmodels() -> None:
    """Comparisons of several groups need statsmodels; two columns do not, and corrections need nothing at all."""
    done = _run(
        "import sys; sys.modules['statsmodels'] = None\n"
        "from crucible import stats\n"
        "stats.wilson(1, 2); stats.compare([1, 2, 3], [2, 4, 3]); stats.correct([.1, .2])\n"
        "try: stats.compare_groups({'a': [1, 2], 'b': [2, 4], 'c': [3, 5]})\n"
        "except ImportError as error: print(error)\n"
    )
    assert done.stderr == ""
    assert "needs the extra 'stats': pip install 'crucible-ml[stats]'" in done.stdout


def test_nothing_heavy_is_imported() -> None:
    """Not at import, and no model library or store after a comparison either."""
    done = _run(
        "import sys\n"
        "from crucible import stats\n"
        "first = [m for m in ('numpy', 'scipy', 'statsmodels', 'pandas', 'torch') if m in sys.modules]\n"
        "stats.compare([1, 2, 3], [2, 4, 3]); stats.compare_paired([0, 1], [1, 1]); stats.correct([.1, .2])\n"
        "rooms = ('torch', 'transformers', 'sqlalchemy', 'crucible.store', 'crucible.train', 'crucible.data')\n"
        "print(first, [m for m in rooms if m in sys.modules])\n"
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "[] []"


def test_another_missing_module_is_not_blamed_on_the_extra() -> None:
    """Only numpy, scipy and statsmodels are the extra's."""

    @needs_stats
    def call() -> None:
        raise ModuleNotFoundError("no", name="somebody_elses")

    with pytest.raises(ModuleNotFoundError, match="no"):
        call()


def test_a_package_without_metadata_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendored package has no version to tell, and that is no reason to fail."""
    from importlib import metadata

    from crucible.stats import extra

    def absent(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    extra._version.cache_clear()
    monkeypatch.setattr(metadata, "version", absent)
    assert versions()["numpy"] == "unknown"
    extra._version.cache_clear()
