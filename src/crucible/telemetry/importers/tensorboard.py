"""TensorBoard's event files: each folder with `*tfevents*` files is a run, its tags are series.

The files of a folder are read in the order of the times in their names. Scalars of both writers are taken, TF1's
`simple_value` and TF2's tensors; what other plugins show (images, histograms, text, hyperparameters) is counted in
`skipped`. As in TensorBoard, a session that starts again at a step takes back what was logged from there on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from crucible.errors import SpecError
from crucible.telemetry.importers.curve import Curves
from crucible.telemetry.importers.event_proto import EventMessage, SummaryValue, read_event
from crucible.telemetry.importers.fingerprint import Fingerprint
from crucible.telemetry.importers.imported import BATCH, ImportedPoint, ImportedRun, ImportedRuns
from crucible.telemetry.importers.moment import iso_from_ns, ns_from_seconds
from crucible.telemetry.importers.problem import Problems, shown
from crucible.telemetry.importers.reading import files_below, rooted
from crucible.telemetry.importers.tfrecord import RecordFile

__all__ = ["EVENT_FILES", "TensorBoardRun", "read_tensorboard"]

EVENT_FILES = "tfevents"
"""What TensorBoard looks for in a file's name."""

_SCALARS = "scalars"
_TAGS_LIMIT = 100_000


class TensorBoardRun(ImportedRun, kw_only=True, eq=False):
    """A run of TensorBoard. Neither status, end nor parameters are in its files, so they are not known.

    Args:
        files: Its event files, in the order in which they are read.
        check_crc: Whether the checksum of every record is checked.
    """

    files: list[Path]
    check_crc: bool = True

    def points(self, batch: int = BATCH) -> Iterator[list[ImportedPoint]]:
        """Yield the run's scalars; see `ImportedRun.points`."""
        curves = Curves()
        plugins: dict[str, str] = {}  # writers name the plugin at a tag's first value only
        for path in self.files:
            records = RecordFile(path, self.problems, check_crc=self.check_crc)
            for record in records:
                try:
                    event = read_event(record)
                except ValueError as error:
                    self.problems.report("damaged", path, f"a record is no event ({error}); it was left out")
                    continue
                _take(event, curves, plugins)
            curves.skip("records beyond 256 MiB", records.huge)
        yield from curves.batches(batch)
        self.skipped = curves.skipped


def _take(event: EventMessage, curves: Curves, plugins: dict[str, str]) -> None:
    if event.other:
        curves.skip(event.other)
    if event.is_restart:
        curves.discard_from(event.step)
    if not event.values:
        return
    time_ns = ns_from_seconds(event.wall_time_s)
    for value in event.values:
        plugin = plugins.get(value.tag)
        if plugin is None:
            plugin = value.plugin
            if plugin and len(plugins) < _TAGS_LIMIT:
                plugins[value.tag] = plugin
        if value.number is not None and (value.is_simple or plugin in {"", _SCALARS}):
            curves.add(value.tag, event.step, value.number, time_ns)
        else:
            curves.skip(_what(value, plugin))


def _what(value: SummaryValue, plugin: str) -> str:
    if not plugin or len(plugin) > 100:
        return value.kind or "values without content"
    return "scalars that are no single number" if plugin == _SCALARS else shown(plugin)


def read_tensorboard(path: str | Path, *, check_crc: bool = True) -> ImportedRuns:
    """Find the runs of TensorBoard in a folder and all folders below it, or read one event file.

    Args:
        path: A log folder, or an event file of any name.
        check_crc: False: only the checksums of lengths are checked, which takes less time where neither of the modules
            `crc32c` and `google_crc32c` is installed; damage of data can then yield values that nobody wrote.

    Raises:
        StoreError: The path is missing or cannot be read.
        SpecError: The folder holds no event file.
    """
    root = rooted(path)
    problems = Problems()
    folders: dict[Path, list[Path]] = {}
    if root.is_file():
        folders[root.parent] = [root]
    else:
        for found, _ in files_below(root, problems):
            if EVENT_FILES in found.name:
                folders.setdefault(found.parent, []).append(found)
    if not folders:
        raise SpecError(
            f"{shown(str(root))} holds no TensorBoard event file (*{EVENT_FILES}*); give the log folder or such a file",
            code="path",
        )
    runs = (_run(root, folder, files, check_crc) for folder, files in sorted(folders.items()))
    return ImportedRuns(runs, problems)


def _run(root: Path, folder: Path, files: list[Path], check_crc: bool) -> TensorBoardRun:
    files.sort(key=_order)
    found = Fingerprint("tensorboard")
    for path in files:
        found.add_file(path.name, path)
    name = folder.name if root.is_file() or folder == root else folder.relative_to(root).as_posix()
    return TensorBoardRun(
        source="tensorboard",
        source_id=shown(f"{folder.name}/{files[0].name}"),  # time, host and process are in it, the root is not
        name=shown(name),
        fingerprint=str(found),
        path=folder,
        started_at=_started_at(files[0]),
        files=files,
        check_crc=check_crc,
    )


def _order(path: Path) -> tuple[int, str]:
    found = re.search(rf"{EVENT_FILES}\.(\d{{1,18}})(?!\d)", path.name)
    return int(found[1]) if found else 0, path.name


def _started_at(path: Path) -> str | None:
    """Return when the first event was written; a damaged file is reported when its points are read."""
    first = RecordFile(path, Problems()).first()
    try:
        return None if first is None else iso_from_ns(ns_from_seconds(read_event(first).wall_time_s))
    except ValueError:
        return None
