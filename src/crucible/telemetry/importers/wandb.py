"""W&B-style JSONL: lines `{"_step": 3, "_timestamp": 1700000000.5, "loss": 0.25, …}`, one file a run.

Nested objects become `outer/inner`. What is no number (words, lists, truth values) becomes an event `wandb.logged`;
media (`{"_type": …}`) and nulls are counted in `skipped`. `config.yaml`, `wandb-summary.json` and
`wandb-metadata.json` beside the file, or in `files/` there, are read too. W&B's binary `*.wandb` logs
are not. Lines of a metrics store are taken as well: see `metric_lines`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

from crucible.errors import SpecError
from crucible.store import StoredEvent
from crucible.telemetry.importers.curve import Curves
from crucible.telemetry.importers.fingerprint import Fingerprint
from crucible.telemetry.importers.identity import event_id
from crucible.telemetry.importers.imported import BATCH, ImportedPoint, ImportedRun, ImportedRuns
from crucible.telemetry.importers.json_text import LongInteger, json_value
from crucible.telemetry.importers.metric_entry import is_metric_line
from crucible.telemetry.importers.metric_lines import metric_runs
from crucible.telemetry.importers.moment import iso_from_ns, iso_from_text, ns_from_seconds
from crucible.telemetry.importers.number import json_number, json_step
from crucible.telemetry.importers.own_line import is_own_line
from crucible.telemetry.importers.plain_yaml import plain_yaml
from crucible.telemetry.importers.problem import Problems, shown
from crucible.telemetry.importers.reading import (
    Entry,
    files_below,
    is_folder,
    read_objects,
    read_small,
    rooted,
)

__all__ = ["WandbRun", "read_wandb"]

_EVENT = "wandb.logged"
_AXES = frozenset({"_step", "_timestamp"})
_OWN = frozenset({"_wandb", "wandb_version"})
_TOLD = ("program", "args", "git", "python", "os")  # of wandb-metadata.json; not who ran it, and where
_SYSTEM = "wandb-events.jsonl"


class WandbRun(ImportedRun, kw_only=True, eq=False):
    """A run in a file of W&B's kind; a line without `_step` comes one step after the line before it.

    Args:
        separator: What joins the names of nested objects.
    """

    separator: str = "/"

    def points(self, batch: int = BATCH) -> Iterator[list[ImportedPoint]]:
        """Yield the run's numbers; see `ImportedRun.points`."""
        curves = Curves()
        for _, step, time_ns, line in self._lines():
            for name, value in self._flat(line):
                number = json_number(value)
                if number is not None:
                    curves.add(name, step, number, time_ns)
                elif value is None:
                    curves.skip("nulls")
                elif isinstance(value, LongInteger):
                    curves.skip("integers with more digits than Python converts, kept as text in events")
                elif isinstance(value, dict):
                    curves.skip(_media(cast("dict[str, Any]", value)))
        yield from curves.batches(batch)
        self.skipped = curves.skipped

    def events(self, batch: int = BATCH) -> Iterator[list[StoredEvent]]:
        """Yield a `wandb.logged` for each line with something that is no number; see `ImportedRun.events`."""
        found: list[StoredEvent] = []
        for number, step, time_ns, line in self._lines():
            words = {
                name: value
                for name, value in self._flat(line)
                if value is not None and not isinstance(value, dict) and json_number(value) is None
            }
            if not words:
                continue
            own = event_id(self.source_id, number)
            found.append(
                StoredEvent(
                    _EVENT, time_ns, measurements={"step": step}, metadata=words, run_id=self.source_id, event_id=own
                )
            )
            if len(found) >= batch:
                yield found
                found = []
        if found:
            yield found

    def _lines(self) -> Iterator[tuple[int, int, int, dict[str, Any]]]:
        """Yield number, step, time and content of each line."""
        following = 0
        for entry in read_objects(self.path, self.problems):
            step = json_step(entry.value.get("_step"))
            if step is None:
                step = following
            following = step + 1
            yield entry.number, step, ns_from_seconds(entry.value.get("_timestamp")), entry.value

    def _flat(self, line: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the leaves of a line; objects only where they are media."""
        waiting = [(name, value) for name, value in reversed(line.items()) if name not in _AXES]
        while waiting:
            name, value = waiting.pop()
            if isinstance(value, dict) and "_type" not in value:
                inner = cast("dict[str, Any]", value)
                waiting += [(f"{name}{self.separator}{key}", found) for key, found in reversed(inner.items())]
            else:
                yield name, value


def _media(value: dict[str, Any]) -> str:
    return f"media of type {shown(str(value['_type']))[:100]}"


def read_wandb(path: str | Path, *, separator: Literal["/", "."] = "/") -> ImportedRuns:
    """Find the runs in a JSONL file of W&B's kind, or in all such files (`*.jsonl`) of a folder and those below it.

    Args:
        path: The file or the folder.
        separator: What joins the names of nested objects.

    Raises:
        StoreError: The path is missing or cannot be read.
        SpecError: The folder holds no such file.
    """
    root = rooted(path)
    problems = Problems()
    files = [root] if root.is_file() else sorted(_files(root, problems))
    if not files:
        raise SpecError(
            f"{shown(str(root))} holds no *.jsonl file; give W&B's history as lines of JSON, such as the rows of "
            "`run.scan_history()`, one a line",
            code="path",
        )
    return ImportedRuns(_runs(files, separator, problems), problems)


def _files(root: Path, problems: Problems) -> Iterator[Path]:
    for path, _ in files_below(root, problems):
        if path.name == _SYSTEM:
            problems.report(
                "left_out", path, "holds W&B's measurements of the machine; give the file itself to read it"
            )
        elif path.suffix == ".jsonl":
            yield path
        elif path.suffix == ".wandb":
            message = "is W&B's binary log; write the rows of `run.scan_history()` as lines of JSON and read those"
            problems.report("left_out", path, message)


def _runs(files: list[Path], separator: str, problems: Problems) -> Iterator[ImportedRun]:
    for path in files:
        entry = next(read_objects(path, Problems()), None)
        if entry is not None and is_metric_line(entry.value):
            yield from metric_runs(path, problems)
        elif entry is not None and is_own_line(entry.value):
            message = "is an archive or an export of Crucible's; give the file itself to read it"
            problems.report("left_out", path, message)
        else:
            yield _run(path, entry, separator)


def _run(path: Path, first: Entry | None, separator: str) -> WandbRun:
    problems = Problems()
    config, summary, about = ({}, {}, {})
    found = Fingerprint("wandb")
    found.add_file("history", path)
    for folder in (path.parent, path.parent / "files"):
        if folder.is_dir() and (folder == path.parent or is_folder(folder, problems)):
            config = config or _mapping(folder / "config.yaml", problems, found)
            summary = summary or _mapping(folder / "wandb-summary.json", problems, found)
            about = about or _mapping(folder / "wandb-metadata.json", problems, found)
    began_ns = ns_from_seconds(first.value.get("_timestamp")) if first else 0
    name = path.parent.name if path.name.startswith("wandb-history") else path.stem
    metadata = {"summary": summary} | {key: about[key] for key in _TOLD if key in about}
    return WandbRun(
        source="wandb",
        source_id=shown(name.rsplit("-", 1)[-1] if name.startswith(("run-", "offline-run-")) else name),
        name=shown(name),
        fingerprint=str(found),
        path=path,
        params={key: _unwrapped(value) for key, value in config.items() if key not in _OWN},
        metadata={key: value for key, value in metadata.items() if value},
        started_at=iso_from_text(about.get("startedAt")) or iso_from_ns(began_ns),
        finished_at=iso_from_ns(ns_from_seconds(summary.get("_timestamp"))),
        problems=problems,
        separator=separator,
    )


def _unwrapped(value: Any) -> Any:
    """Return what W&B's config wraps as `{"desc": …, "value": …}`."""
    if isinstance(value, dict):
        wrapped = cast("dict[Any, Any]", value)
        if "value" in wrapped and not wrapped.keys() - {"desc", "value"}:
            return wrapped["value"]
    return cast("Any", value)


def _mapping(path: Path, problems: Problems, fingerprint: Fingerprint) -> dict[str, Any]:
    if not path.is_file() or path.is_symlink():
        return {}
    text = read_small(path, problems)
    if text is None:
        return {}
    fingerprint.add_text(path.name, text)
    try:
        data = json_value(text.encode()) if path.suffix == ".json" else plain_yaml(text)
    except ValueError as error:
        problems.report("damaged", path, f"cannot be read ({error}); it was left out")
        return {}
    if isinstance(data, dict):
        return {str(key): value for key, value in cast("dict[Any, Any]", data).items()}
    problems.report("damaged", path, f"expected a mapping, got {type(data).__name__}; it was left out")
    return {}
