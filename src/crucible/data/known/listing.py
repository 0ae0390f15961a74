"""What is known of a dataset with a name, and the source that reads its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from crucible.data._missing import SplitMissing
from crucible.data.formats import formats_for, suffixes_of
from crucible.data.place import check_part, split_files, usual_files
from crucible.data.reading import ItemMaker, Request
from crucible.data.source import Files, Source, local_place, stem_of
from crucible.errors import DataError

__all__ = ["Known", "known_named", "known_of_repository"]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that has a name.

    Args:
        name: Such as `mmlu`.
        what: What it asks, in words.
        home: Page of those who made it.
        licence: Under which terms its home, or its card on the Hub, offers it.
        splits: The repository's split by the split that is asked for.
        maker: Returns the function that makes items of its rows.
        repository: Its repository on the Hub; None where that holds no files of rows.
        config: The configuration that is read unless another is asked for.
        configs: The other ones; empty where any name goes to the repository.
        files: Files under which its own home publishes a split, by the split that is asked for.
        notes: What a reader of results must know of a split, by the split that is asked for.
        takes: Options that mean something here.
    """

    name: str
    what: str
    home: str
    licence: str
    splits: Mapping[str, str]
    maker: Callable[[Request], ItemMaker]
    repository: str | None = None
    config: str | None = None
    configs: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    notes: Mapping[str, str] = {}
    takes: frozenset[str] = frozenset()

    def split_asked(self, split: str) -> str:
        """Return the repository's name of a split.

        Raises:
            SplitMissing: There is no such split.
        """
        if split not in self.splits:
            raise SplitMissing(f'{self.name} has no split "{split}"; it has: {", ".join(self.splits)}')
        return self.splits[split]

    def config_asked(self, asked: str | None) -> str | None:
        """Return the configuration to read.

        Raises:
            DataError: There is no such configuration.
        """
        if asked is None:
            return self.config
        check_part(asked, what="config", name=self.name)
        if self.configs and asked not in (self.config, *self.configs):
            raise DataError(f'{self.name} has no config "{asked}"; it has: {self.config}, {", ".join(self.configs)}')
        return asked

    def notes_of(self, split: str) -> tuple[str, ...]:
        """Return what a reader of results must know of a split."""
        return (self.notes[split],) if split in self.notes else ()

    def source(self) -> Source:
        """Return the source that reads its files from a folder."""
        options = {"path", "synthetic"} | self.takes | ({"config"} if self.config else set[str]())
        return Source(frozenset(options), self._find)

    def _find(self, request: Request) -> Files:
        place = local_place(request, folder=self.name, home=self.home, hub=self.repository or "")
        split, config = self.split_asked(request.split), self.config_asked(request.options.config)
        paths = split_files(
            place, self._patterns(request, split, config), request.split, name=self.name, wanted=self._wanted(request)
        )
        said = request.ref.format
        return Files(
            paths=tuple(paths),
            make=self.maker(request),
            stem=stem_of(paths[0]) if len(paths) == 1 and paths[0] == place else split,
            source=", ".join(map(str, paths)),
            format=formats_for(said)[0] if said else None,
            notes=self.notes_of(request.split),
        )

    def _patterns(self, request: Request, split: str, config: str | None) -> Iterable[str]:
        if request.split in self.files:
            yield self.files[request.split]
        suffixes = [suffix for each in formats_for(request.ref.format) for suffix in suffixes_of(each)]
        yield from usual_files(split, config, suffixes)
        if config is not None and config == self.config:
            yield from usual_files(split, None, suffixes)

    def _wanted(self, request: Request) -> str:
        usual = self.files.get(request.split) or f"{self.splits[request.split]}.parquet or .jsonl"
        return str(Path(usual))


def known_named(known: Iterable[Known], name: str) -> Known | None:
    """Return the dataset of a name, None if there is none."""
    return next((each for each in known if each.name == name), None)


def known_of_repository(known: Iterable[Known], repository: str) -> Known | None:
    """Return the dataset that lives in a repository of the Hub, None if none does."""
    return next((each for each in known if each.repository == repository), None)
