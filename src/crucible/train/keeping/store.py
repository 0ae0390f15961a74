"""Where checkpoints are kept, in one form for a folder and for a bucket, and what can be asked of either.

A place holds one folder a checkpoint, in the PEFT layout with its manifest, and beside it maybe the trainer's record
(`step-000080.json`). What is in a place is what has a manifest: it is written last and removed first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from crucible import events
from crucible.backends.manifest import MANIFEST
from crucible.train.keeping.cache import CheckpointCache
from crucible.train.keeping.choice import Mode, best, surplus
from crucible.train.keeping.stored import StoredCheckpoint

__all__ = ["CheckpointStore", "best_checkpoint", "open_checkpoints", "prune_checkpoints"]

_TIMEOUT_S: Final = 60.0
_PARTS: Final = ("checkpoints", "saved")  # of a training's workspace


class CheckpointStore(Protocol):
    """A place that keeps checkpoints by name; safe to use from several threads and processes."""

    @property
    def location(self) -> str:
        """Its folder or address, without secrets."""
        ...

    def list_checkpoints(self) -> list[StoredCheckpoint]:
        """Return what is kept, by step; damaged ones are among them, with their `problem`.

        Raises:
            StoreError: The place cannot be read.
        """
        ...

    def find(self, name: str) -> StoredCheckpoint:
        """Return one checkpoint.

        Raises:
            CheckpointError: There is none of that name; those that there are, are named.
        """
        ...

    def put(self, folder: Path, name: str | None = None, *, record: bytes | None = None) -> StoredCheckpoint:
        """Keep a copy of a checkpoint; readers see it whole or not at all. The same one again is not copied again.

        Args:
            folder: The checkpoint, which is verified first.
            name: Under which name; None: that of the folder. One that is there is replaced.
            record: The trainer's record, with which a training can go on from it elsewhere.

        Raises:
            CheckpointError: It is damaged, or the name is no plain folder name.
            StoreError: It cannot be kept: no such bucket, no permission, a full disk.
        """
        ...

    def record(self, name: str) -> bytes | None:
        """Return the trainer's record of a checkpoint, None if there is none."""
        ...

    def opened(self, name: str) -> AbstractContextManager[Path]:
        """Return a block in which a verified folder of the checkpoint is on this machine and stays there.

        Raises:
            CheckpointError: There is none of that name, or it is damaged; the file is named.
            StoreError: It cannot be had, or there is no room for it.
        """
        ...

    def fetch(self, name: str, into: Path) -> Path:
        """Copy a checkpoint to the folder `into`, whole and verified or not at all, and return that.

        Raises:
            CheckpointError: As `opened`.
            StoreError: As `opened`.
        """
        ...

    def verify(self, name: str) -> None:
        """Hold every file of a checkpoint against its manifest.

        Raises:
            CheckpointError: A file is missing, truncated or altered; it is named.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a checkpoint, its manifest first; one that is not there is no error."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Return a block in which nobody else changes the place, as far as it can keep others out.

        A folder can, a training that saves into it included; a bucket cannot, but each change of it is safe by itself.

        Raises:
            StoreError: The place cannot be written.
        """
        ...

    def sweep(self, *, older_than_s: float = 86_400.0) -> list[str]:
        """Remove what writers that died have left half-written, and return the names.

        Args:
            older_than_s: Only what was last written so long ago; younger ones may still be in the making.
        """
        ...


def open_checkpoints(
    location: str | Path,
    *,
    cache: CheckpointCache | None = None,
    timeout_s: float = _TIMEOUT_S,
    options: Mapping[str, Any] | None = None,
) -> CheckpointStore:
    """Return the place that keeps checkpoints at a folder or URL. Nothing is read yet.

    Args:
        location: A folder, the workspace of a training, or a URL such as `file:///runs/7`, `s3://bucket/prefix` or any
            other that fsspec knows.
        cache: Where copies of remote checkpoints lie on this machine; None: the user's cache.
        timeout_s: Longest time in seconds in which a remote place may do nothing at all.
        options: For fsspec's file system, such as `endpoint_url` or `key`; else the environment says (`AWS_…`).

    Raises:
        MissingExtra: The package of that kind of URL is not installed.
        StoreError: The URL cannot be understood.
    """
    text = str(location)
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme in ("", "file", "local"):
        from crucible.train.keeping.local_folder import LocalCheckpoints

        folder = Path(url2pathname(text.partition("://")[2]) if scheme else text).expanduser()
        return LocalCheckpoints(_of_workspace(folder))
    from crucible.train.keeping.remote import RemoteCheckpoints

    return RemoteCheckpoints(text, cache=cache or CheckpointCache(), timeout_s=timeout_s, options=options or {})


def _of_workspace(folder: Path) -> Path:
    """Return where the checkpoints of a workspace lie, the folder itself if it is none."""
    inner = [folder / part for part in _PARTS if (folder / part).is_dir()]
    if not inner or (folder / MANIFEST).is_file() or any(folder.glob(f"*/{MANIFEST}")):
        return folder
    return next((each for each in inner if any(each.glob(f"*/{MANIFEST}"))), inner[0])


def best_checkpoint(store: CheckpointStore, metric: str = "validation_loss", mode: Mode = "min") -> StoredCheckpoint:
    """Return the kept checkpoint with the lowest or highest value of a metric.

    Raises:
        CheckpointError: There are no whole checkpoints, or none has the metric; those that there are, are named.
        StoreError: The place cannot be read.
    """
    return best([each for each in store.list_checkpoints() if each.problem is None], metric, mode)


def prune_checkpoints(
    store: CheckpointStore, keep: int, *, metric: str = "validation_loss", mode: Mode = "min"
) -> list[StoredCheckpoint]:
    """Remove all checkpoints but the newest `keep`, with the best always among them, and return what was removed.

    Damaged ones are left for a person to look at; what killed writers left is swept. In a folder it takes turns with a
    training that saves there, so that neither counts what the other removes; whoever has one opened keeps it.

    Args:
        store: Where.
        keep: How many stay at most, at least 2.
        metric: What tells which is best.
        mode: `min` or `max`.

    Raises:
        CheckpointError: `keep` is below 2.
        StoreError: One cannot be removed.
    """
    with store.alone():
        whole = [each for each in store.list_checkpoints() if each.problem is None]
        removed, chosen = surplus(whole, keep, metric=metric, mode=mode)
        for each in removed:
            store.remove(each.name)
            about = {"model": str(each.about.get("model", "")), "path": each.location}
            events.emit("crucible_train.checkpoint.pruned", {"step": each.step or 0}, about)
    if removed:
        names = {each.name for each in removed}
        events.decision(
            f"removed {len(removed)} of {len(whole)} checkpoints from {store.location}",
            "newer ones are kept"
            + (f", and the best ({chosen.name}, {metric} {chosen.metrics[metric]:.4g})" if chosen else ""),
            alternatives=[each.name for each in whole if each.name not in names],
            metadata={"removed": sorted(names)},
        )
    store.sweep()
    return removed
