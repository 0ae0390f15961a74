"""MLflow's file store (`mlruns/`): experiments, their runs, and the runs' metrics, params and tags.

`<experiment>/meta.yaml`, `<experiment>/<run>/meta.yaml`, and below a run `metrics/<name>` with lines
`timestamp_ms value step`, `params/<name>` and `tags/<name>`; names may have `/` in them. The root, an experiment's
folder and a run's folder can each be read. What MLflow deleted lies in place or under `.trash` and is flagged.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from crucible.errors import SpecError
from crucible.telemetry.importers.curve import Curves
from crucible.telemetry.importers.fingerprint import Fingerprint
from crucible.telemetry.importers.imported import BATCH, ImportedPoint, ImportedRun, ImportedRuns
from crucible.telemetry.importers.moment import iso_from_ns, ns_from_whole
from crucible.telemetry.importers.plain_yaml import plain_yaml
from crucible.telemetry.importers.problem import Problems, shown
from crucible.telemetry.importers.reading import Line, entries, files_below, is_folder, read_lines, read_small, rooted

__all__ = ["MlflowRun", "holds_runs", "read_mlflow"]

_MILLISECOND_NS = 1_000_000
_META = "meta.yaml"
_TRASH = ".trash"
_STATUS = {1: "running", 2: "scheduled", 3: "finished", 4: "failed", 5: "killed"}


class MlflowRun(ImportedRun, kw_only=True, eq=False):
    """A run of an MLflow file store. Names of series are MLflow's metric keys.

    A line of two columns (MLflow before 0.9 kept no step) comes one step after the line before it.
    """

    def points(self, batch: int = BATCH) -> Iterator[list[ImportedPoint]]:
        """Yield the run's metrics; see `ImportedRun.points`."""
        skipped: dict[str, int] = {}
        found: list[ImportedPoint] = []
        folder = self.path / "metrics"
        if is_folder(folder, self.problems):
            for path, name in files_below(folder, self.problems):
                curves = Curves()  # one at a time: each metric has its own file
                for line in read_lines(path, self.problems):
                    self._take(path, name, line, curves)
                for points in curves.batches(batch):
                    found += points
                    if len(found) >= batch:
                        yield found[:batch]
                        del found[:batch]
                for what, count in curves.skipped.items():
                    skipped[what] = skipped.get(what, 0) + count
        if found:
            yield found
        self.skipped = skipped

    def _take(self, path: Path, name: str, line: Line, curves: Curves) -> None:
        if not line.is_whole:  # MLflow ends every line; what is cut off could be digits
            self.problems.report("torn", path, "the last line is not whole; it was left out", line=line.number)
            return
        columns = line.text.split()
        try:
            if len(columns) not in {2, 3, 5} or b"_" in b"".join(columns[:3]):  # 5: with a dataset's name and digest
                raise ValueError
            step = int(columns[2]) if len(columns) > 2 else None
            time_ns = ns_from_whole(int(columns[0]), _MILLISECOND_NS)
            value = float(columns[1])
        except ValueError:
            said = shown(line.text[:80].decode("utf-8", "backslashreplace"))
            message = f"expected `timestamp_ms value step`, got {said!r}; the line was left out"
            self.problems.report("damaged", path, message, line=line.number)
            return
        if step is None:
            curves.skip("steps that the source does not say, counted on instead", 1)
        curves.add(name, step, value, time_ns)


def read_mlflow(folder: str | Path) -> ImportedRuns:
    """Find the runs of an MLflow file store: in the root (`mlruns`), an experiment's folder, or a run's.

    Args:
        folder: One of these.

    Raises:
        StoreError: The folder is missing or cannot be read.
        SpecError: It is none of these.
    """
    root = rooted(folder)
    problems = Problems()
    if _is_run(root):
        return ImportedRuns(iter([_run(root, _meta(root.parent, problems))]), problems)
    experiments = [root] if (root / _META).is_file() else [*_experiments(root, problems)]
    if not experiments:
        raise SpecError(
            f"{shown(str(root))} is no MLflow file store: expected folders with a {_META} in it; "
            "give the folder `mlruns`, an experiment's folder or a run's",
            code="path",
        )
    return ImportedRuns(_runs(experiments, problems), problems)


def holds_runs(folder: Path) -> bool:
    """Return whether a folder is a root, an experiment's or a run's folder of an MLflow file store."""
    if (folder / _META).is_file():
        return True
    return any(True for _ in _experiments(folder, Problems()))


def _is_run(folder: Path) -> bool:
    """Return whether a folder looks like a run's, even if its meta.yaml is gone."""
    if (folder / "metrics").is_dir() or (folder / "params").is_dir():
        return True
    meta = _meta(folder, Problems()) if (folder / _META).is_file() else {}
    return "run_id" in meta or "run_uuid" in meta


def _experiments(root: Path, problems: Problems) -> Iterator[Path]:
    for folder in (root, root / _TRASH):
        if folder is not root and not is_folder(folder, problems):
            continue
        for entry in entries(folder, problems):
            if entry.is_dir(follow_symlinks=False) and (Path(entry.path) / _META).is_file():
                yield Path(entry.path)


def _runs(experiments: list[Path], problems: Problems) -> Iterator[ImportedRun]:
    for experiment in experiments:
        about = _meta(experiment, problems)
        for entry in entries(experiment, problems):
            if entry.is_dir(follow_symlinks=False) and _is_run(Path(entry.path)):
                yield _run(Path(entry.path), about)


def _run(folder: Path, experiment: dict[str, Any]) -> MlflowRun:
    problems = Problems()
    meta = _meta(folder, problems)
    if not meta and not problems:
        problems.report("damaged", folder / _META, "is missing; the run is read without it")
    run_id = str(meta.get("run_id") or meta.get("run_uuid") or folder.name)
    if run_id != folder.name:
        problems.report("damaged", folder / _META, f"says run {run_id!r}; its folder's name was taken for its id")
    params = _texts(folder / "params", problems)
    tags = _texts(folder / "tags", problems)
    name = str(meta.get("run_name") or meta.get("name") or tags.get("mlflow.runName") or folder.name)
    known = {
        "experiment": experiment.get("name"),
        "experiment_id": meta.get("experiment_id", experiment.get("experiment_id")),
        "user_id": meta.get("user_id"),
        "source_name": meta.get("source_name"),
        "source_version": meta.get("source_version"),
        "artifact_uri": meta.get("artifact_uri") or meta.get("artifact_location"),
    }
    return MlflowRun(
        source="mlflow",
        source_id=shown(folder.name),
        name=shown(name),
        fingerprint=_fingerprint(folder, params, tags),
        path=folder,
        params=params,
        tags=tags,
        metadata={key: shown(str(value)) for key, value in known.items() if value not in (None, "")},
        status=_word(meta.get("status")),
        is_deleted="deleted" in (meta.get("lifecycle_stage"), experiment.get("lifecycle_stage"))
        or _TRASH in folder.parts[-3:],
        started_at=iso_from_ns(ns_from_whole(meta.get("start_time"), _MILLISECOND_NS)),
        finished_at=iso_from_ns(ns_from_whole(meta.get("end_time"), _MILLISECOND_NS)),
        problems=problems,
    )


def _fingerprint(folder: Path, params: dict[str, Any], tags: dict[str, Any]) -> str:
    found = Fingerprint("mlflow")
    found.add_file(_META, folder / _META)
    for kind, texts in (("params", params), ("tags", tags)):
        for name, text in texts.items():
            found.add_text(f"{kind}/{name}", text)
    metrics = folder / "metrics"
    if is_folder(metrics, Problems()):  # what is wrong there is reported when the points are read
        for path, name in files_below(metrics, Problems()):
            found.add_file(f"metrics/{name}", path)
    return str(found)


def _word(status: Any) -> str | None:
    """Return a status in words: old stores have the word, new ones a number."""
    if isinstance(status, str):
        return status.lower()
    return _STATUS.get(status) if isinstance(status, int) and not isinstance(status, bool) else None


def _texts(folder: Path, problems: Problems) -> dict[str, Any]:
    if not is_folder(folder, problems):
        return {}
    found = ((name, read_small(path, problems)) for path, name in files_below(folder, problems))
    return {shown(name): text for name, text in found if text is not None}


def _meta(folder: Path, problems: Problems) -> dict[str, Any]:
    path = folder / _META
    if not path.is_file() or path.is_symlink():
        return {}
    text = read_small(path, problems)
    if text is None:
        return {}
    try:
        data = plain_yaml(text)
    except ValueError as error:
        problems.report("damaged", path, f"is not YAML of this kind ({error}); it was left out")
        return {}
    if isinstance(data, dict):
        return cast("dict[str, Any]", data)
    problems.report("damaged", path, f"expected a mapping, got {type(data).__name__}; it was left out")
    return {}
