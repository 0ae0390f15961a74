"""What is installed: types, entry points, the wheel's contents, and licences that let a user do as MIT does."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import crucible

PROJECT = Path(crucible.__file__).parents[2]
DISTRIBUTION = "crucible-ml"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build the wheel from the working tree and return the names in it."""
    if not (PROJECT / "pyproject.toml").is_file():
        pytest.skip("installed without its repository")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_wheel_ships_types_example_and_licence(wheel: list[str]) -> None:
    """The wheel holds `py.typed`, the quickstart that `crucible demo` runs, and the licence."""
    assert {"crucible/py.typed", "crucible/_examples/quickstart.yaml"} <= set(wheel)
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


def test_wheel_ships_every_file_of_the_package_and_no_other(wheel: list[str]) -> None:
    """Nothing beside the package reaches a user, and every module and data file of it does."""
    about = f"crucible_ml-{metadata.version(DISTRIBUTION)}.dist-info"
    assert {name.partition("/")[0] for name in wheel} == {"crucible", about}
    source = PROJECT / "src"
    here = {str(path.relative_to(source)) for path in (source / "crucible").rglob("*") if path.is_file()}
    here = {name for name in here if "__pycache__" not in name}
    assert here <= set(wheel)


@pytest.mark.parametrize(
    "group", ["crucible.stages", "crucible.backends", "crucible.base_models", "crucible.guardrails"]
)
def test_entry_points_load(group: str) -> None:
    """Every stage, backend and built-in base model that the package registers can be loaded."""
    ours = [entry for entry in metadata.entry_points(group=group) if entry.dist and entry.dist.name == DISTRIBUTION]
    assert ours
    for entry in ours:
        assert callable(entry.load()), entry


def test_version_is_the_distributions() -> None:
    """`crucible.__version__` is the version that pip knows."""
    assert crucible.__version__ == metadata.version(DISTRIBUTION)


def _closure(extras: set[str]) -> set[str]:
    """Return the installed distributions that the package with these extras pulls in."""
    seen: set[tuple[str, str]] = set()
    work = [(DISTRIBUTION, extra) for extra in ({""} | extras)]
    while work:
        name, extra = work.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # wanted on another platform only
        for text in requires:
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                work += [(canonicalize_name(wanted.name), inner) for inner in ({""} | wanted.extras)]
    return {name for name, _ in seen} - {DISTRIBUTION}


def _licence(name: str) -> str:
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    trove = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    # Some put the licence's whole text into the old field: its first line names it.
    return about.get("License-Expression") or " / ".join(trove) or (about.get("License") or "").partition("\n")[0]


COPYLEFT = re.compile(r"\bA?L?GPL|General Public License", re.IGNORECASE)


@pytest.mark.parametrize("extra", ["", "stats", "data", "train"])
def test_no_copyleft_dependency(extra: str) -> None:
    """Nothing that a user installs to load data, train, test or report is under the GPL, the LGPL or the AGPL."""
    licences = {name: _licence(name) for name in sorted(_closure({extra}))}
    assert "pydantic" in licences
    assert {name: licence for name, licence in licences.items() if COPYLEFT.search(licence)} == {}


def test_every_dependency_names_its_licence() -> None:
    """A dependency whose licence cannot be read is noticed, instead of passing for a free one."""
    here = {distribution.name for distribution in metadata.distributions()}
    here = {canonicalize_name(name) for name in here}
    assert [name for name in sorted(_closure({"all"})) if name in here and not _licence(name)] == []


def test_lgpl_only_behind_the_postgres_extra() -> None:
    """`psycopg` (LGPL) is the one exception, and only who asks for PostgreSQL gets it."""
    copyleft = {name for name in _closure({"all"}) if COPYLEFT.search(_licence(name))}
    assert copyleft == {"psycopg", "psycopg-binary"}
