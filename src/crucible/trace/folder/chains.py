"""A folder of chains, one JSON file each, as the predecessor keeps them: the `ChainFolder`.

Archived chains lie in its subfolder `archive`. There is no index: the files are the truth, and one that cannot be read
is reported and hides no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crucible.errors import CrucibleError, SpecErrors, StoreError
from crucible.ir.files import sync_folder
from crucible.trace.chain import Chain
from crucible.trace.display import clean
from crucible.trace.folder.entry import FolderEntry, FolderListing, FolderMoves, FolderProblem, read_entry
from crucible.trace.folder.moving import move
from crucible.trace.folder.names import SUFFIX, file_name, is_plain

__all__ = ["ChainFolder", "FolderEntry", "FolderListing", "FolderMoves", "FolderProblem"]


class ChainFolder:
    """Chains in a folder, by their ids.

    Args:
        path: The folder; it is made when a chain is saved. The default is the predecessor's.
    """

    def __init__(self, path: str | Path = "causal_traces") -> None:
        self.path = Path(path)

    @property
    def archive_path(self) -> Path:
        """The folder of the archived chains."""
        return self.path / "archive"

    def __repr__(self) -> str:
        return f"ChainFolder({str(self.path)!r})"

    def save(self, chain: Chain) -> Path:
        """Write a chain's file, whole or not at all, and return its path.

        An older file of this chain is replaced, and so is a link; a file of another chain, which somebody has named
        like this one, or one that cannot be read, never is.

        Raises:
            SpecError: The chain holds a value that JSON cannot carry.
            StoreError: The file cannot be written, or its name is taken.
        """
        path = self._own(self.path, chain.id)
        if path is None:
            path = self.path / file_name(chain.id)
            if os.path.lexists(path) and not path.is_symlink():
                self._refuse(path, chain.id)
        return chain.save(path)

    def load(self, chain_id: str) -> Chain:
        """Read a chain.

        Args:
            chain_id: Its id, whatever its file is named; else a file's name without `.json`.

        Raises:
            StoreError: There is none, or it cannot be read, or it is a link that leads out of the folder.
            SpecError: The file is no JSON.
            SpecErrors: It is no chain; every problem, with its path.
        """
        return Chain.load(self._found(self.path, chain_id))

    def delete(self, chain_id: str) -> None:
        """Remove a chain that is not archived.

        Args:
            chain_id: Its id; the name without `.json` of a file that cannot be read.

        Raises:
            StoreError: There is none, or it cannot be removed.
        """
        path = self._found(self.path, chain_id)
        held = self._id_in(path)
        if held is not None and held != chain_id and not path.is_symlink():
            raise StoreError(f"{path} holds the chain {clean(held)!r}; to delete that one, name it by its id")
        try:
            path.unlink()
        except OSError as error:
            raise StoreError(f"{path} cannot be removed ({error.strerror or error})") from error
        sync_folder(path.parent)

    def list(self) -> list[FolderEntry]:
        """Return the chains that are not archived, the newest first; `problems` has what could not be read."""
        return list(self.listing().entries)

    def list_archived(self) -> list[FolderEntry]:
        """Return the archived chains, the newest first."""
        return list(self.listing(archived=True).entries)

    def problems(self) -> list[FolderProblem]:
        """Return what in the folder and in the archive is no chain, or bears the id of another.

        An archive that cannot be read is one of them.

        Raises:
            StoreError: The folder is there and cannot be read.
        """
        found = list(self.listing().problems)
        try:
            found += self.listing(archived=True).problems
        except StoreError as error:
            found.append(FolderProblem(self.archive_path, _worded(error)))
        return found

    def search(
        self,
        *,
        name_contains: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        min_events: int = 0,
        max_events: int | None = None,
    ) -> list[FolderEntry]:
        """Return the chains that are not archived and meet all of these, the newest first.

        Args:
            name_contains: A part of the name, in any case.
            created_after: Created then or later; naive counts as UTC.
            created_before: Created then or earlier; naive counts as UTC.
            min_events: At least so many.
            max_events: At most so many.
        """
        word = name_contains.casefold()
        after = None if created_after is None else _in_utc(created_after)
        before = None if created_before is None else _in_utc(created_before)
        return [
            entry
            for entry in self.list()
            if word in entry.name.casefold()
            and (after is None or entry.created_at >= after)
            and (before is None or entry.created_at <= before)
            and entry.event_count >= min_events
            and (max_events is None or entry.event_count <= max_events)
        ]

    def listing(self, *, archived: bool = False) -> FolderListing:
        """Return the chains and the problems; a folder that is not there holds none.

        Raises:
            StoreError: The folder is there and cannot be read.
        """
        entries: list[FolderEntry] = []
        problems: list[FolderProblem] = []
        for path in self._files(self.archive_path if archived else self.path, problems):
            try:
                entries.append(read_entry(path))
            except (CrucibleError, SpecErrors) as error:
                problems.append(FolderProblem(path, _worded(error)))
        entries.sort(key=lambda entry: (entry.created_at, entry.id, entry.path), reverse=True)
        first: dict[str, FolderEntry] = {}
        for entry in entries:
            other = first.setdefault(entry.id, entry)
            if other is not entry:
                message = f"holds the chain {clean(entry.id)}, as {clean(other.path.name)} does"
                problems.append(FolderProblem(entry.path, message))
        return FolderListing(tuple(entries), tuple(problems))

    def archive(self, older_than: datetime | timedelta) -> FolderMoves:
        """Move chains to the archive, and return which were moved.

        Args:
            older_than: Those created before this time (naive counts as UTC), or longer ago than this.

        Raises:
            StoreError: The folder cannot be read, or the archive cannot be made.
        """
        limit = datetime.now(UTC) - older_than if isinstance(older_than, timedelta) else _in_utc(older_than)
        found = self.listing()
        ids: list[str] = []
        problems = list(found.problems)
        for entry in found.entries:
            if entry.created_at < limit:
                try:
                    move(entry.path, self._archive_made())
                    ids.append(entry.id)
                except StoreError as error:
                    problems.append(FolderProblem(entry.path, _worded(error)))
        if ids:  # once for all: waiting for the disk takes a hundred times as long as a move
            sync_folder(self.archive_path)
            sync_folder(self.path)
        return FolderMoves(tuple(ids), tuple(problems))

    def restore(self, chain_id: str) -> Path:
        """Move a chain back out of the archive, and return its path.

        Raises:
            StoreError: The archive has none, or the folder has one of this name, or it cannot be moved.
        """
        path = move(self._found(self.archive_path, chain_id), self.path)
        sync_folder(self.path)
        sync_folder(self.archive_path)
        return path

    def _archive_made(self) -> Path:
        try:
            self.archive_path.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.archive_path} cannot be made ({error.strerror or error})") from error
        return self._inside(self.archive_path)

    def _inside(self, path: Path) -> Path:
        """Return a path that was found in the folder, after links.

        Raises:
            StoreError: It leads out of the folder.
        """
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:  # links in a circle
            raise StoreError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from error
        if not real.is_relative_to(self.path.resolve()):
            raise StoreError(f"{path} is a link that leads out of the folder; it was not followed")
        return path

    def _found(self, folder: Path, chain_id: str) -> Path:
        path = self._own(folder, chain_id)
        if path is None:
            entries = self.listing(archived=folder != self.path).entries
            path = next((entry.path for entry in entries if entry.id == chain_id), None)
        if path is None:
            path = next((path for path in self._named(folder, chain_id) if os.path.lexists(path)), None)
        if path is None:
            raise StoreError(f"{folder} holds no chain {clean(chain_id)!r}; list() names those that it holds")
        self._inside(path)
        if not path.is_file():
            raise StoreError(f"{path} is no file")
        return path

    def _own(self, folder: Path, chain_id: str) -> Path | None:
        """Return the file in which a chain lies under its own name, if there is one."""
        found = (path for path in self._named(folder, chain_id) if os.path.lexists(path))
        return next((path for path in found if self._id_in(path) == chain_id), None)

    def _named(self, folder: Path, chain_id: str) -> Iterator[Path]:
        """Yield how a chain's file may be named: by this library, and by a writer that does not encode capitals."""
        yield folder / file_name(chain_id)
        if is_plain(chain_id) and f"{chain_id}{SUFFIX}" != file_name(chain_id):
            yield folder / f"{chain_id}{SUFFIX}"

    def _id_in(self, path: Path) -> str | None:
        """Return the id of the chain that a file holds; None where there is none to be read."""
        try:
            return read_entry(path).id if self._inside(path).is_file() else None
        except (CrucibleError, SpecErrors):
            return None

    def _refuse(self, path: Path, chain_id: str) -> None:
        held = self._id_in(path)
        what = "cannot be read" if held is None else f"holds the chain {clean(held)!r}"
        raise StoreError(f"{path} {what}; {clean(chain_id)!r} was not saved in its place: give that file another name")

    def _files(self, folder: Path, problems: list[FolderProblem]) -> Iterator[Path]:
        try:
            self._inside(folder)
            with os.scandir(folder) as found:
                files = [
                    (file.name, file.is_symlink(), file.is_file(follow_symlinks=False))
                    for file in found
                    if _is_chain(file.name)
                ]
        except OSError as error:
            if not os.path.lexists(folder):
                return
            raise StoreError(f"{folder} cannot be read ({error.strerror or error})") from error
        for name, is_link, is_file in files:
            path = folder / name
            try:
                if not is_file and not (is_link and self._inside(path).is_file()):
                    raise StoreError(f"{path} is no file")
            except StoreError as error:
                problems.append(FolderProblem(path, _worded(error)))
            else:
                yield path


def _is_chain(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment


def _worded(error: Exception) -> str:
    return clean(str(error))
