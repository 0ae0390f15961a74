"""What is in the cache, how large it is, and how it is removed. Names are looked up, never made into paths."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import msgspec

from crucible.data.cache.record import Record, all_records
from crucible.data.cache.remote import cached_file
from crucible.errors import DataError, require
from crucible.ir import did_you_mean

__all__ = ["Cached", "cache_size", "cached", "forget"]


class Cached(msgspec.Struct, frozen=True, kw_only=True):
    """One split that was downloaded.

    Args:
        name: The dataset's name, as it was asked for.
        repository: `owner/name` on the Hub.
        config: The configuration; None where none was named.
        split: The split.
        version: The revision that was asked for; None: the newest at the time.
        commit: The commit that it was.
        files: Paths of its files in the repository.
        size_bytes: Their size when they were recorded.
        is_complete: All of them are still in the Hub cache.
    """

    name: str
    repository: str
    config: str | None
    split: str
    version: str | None
    commit: str
    files: tuple[str, ...]
    size_bytes: int
    is_complete: bool


def cached() -> tuple[Cached, ...]:
    """Return what was downloaded, sorted by name.

    Raises:
        DataError: A record is damaged.
        MissingExtra: huggingface_hub is not installed.
    """
    require("huggingface_hub", extra="data", feature="data.cache")
    return tuple(_entry(record) for _, record in all_records())


def cache_size() -> int:
    """Return the bytes of all that was downloaded and is still there; files that several splits share count once.

    Raises:
        DataError: A record is damaged.
        MissingExtra: huggingface_hub is not installed.
    """
    require("huggingface_hub", extra="data", feature="data.cache")
    sizes = {
        (record.wanted.repository, record.commit, file.path): file.size
        for _, record in all_records()
        for file in record.files
        if cached_file(record.wanted, record.commit, file.path) is not None
    }
    return sum(sizes.values())


def forget(name: str, *, config: str | None = None, split: str | None = None) -> int:
    """Remove a dataset's records, and the commits that no other record needs from the Hub cache.

    Args:
        name: The dataset's name, as it was asked for.
        config: Only this configuration.
        split: Only this split.

    Returns:
        The bytes that huggingface_hub freed.

    Raises:
        DataError: Nothing of that name was downloaded, or a record is damaged.
        MissingExtra: huggingface_hub is not installed.
    """
    require("huggingface_hub", extra="data", feature="data.cache")
    records = all_records()
    gone = [
        (path, record)
        for path, record in records
        if record.wanted.name == name
        and (config is None or record.wanted.config == config)
        and (split is None or record.wanted.split == split)
    ]
    if not gone:
        names = sorted({record.wanted.name for _, record in records})
        near = did_you_mean(name, names)
        raise DataError(f'nothing of "{name}" is in the cache; it has: {", ".join(names) or "nothing"}{near}')
    for path, _ in gone:
        path.unlink(missing_ok=True)  # its lock stays: another process may wait for it
    paths = {path for path, _ in gone}
    needed = {(record.wanted.repository, record.commit) for path, record in records if path not in paths}
    return _remove_commits({(record.wanted.repository, record.commit) for _, record in gone} - needed)


def _remove_commits(commits: set[tuple[str, str]]) -> int:
    """Have huggingface_hub remove commits from its cache; it touches only what it finds there itself."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        found = scan_cache_dir(constants.HF_HUB_CACHE)
    except (CacheNotFound, ValueError):
        return 0
    there = {
        revision.commit_hash
        for repo in found.repos
        if repo.repo_type == "dataset"
        for revision in repo.revisions
        if (repo.repo_id, revision.commit_hash) in commits
    }
    strategy = found.delete_revisions(*there)
    strategy.execute()
    return strategy.expected_freed_size


def _entry(record: Record) -> Cached:
    wanted = record.wanted
    return Cached(
        name=wanted.name,
        repository=wanted.repository,
        config=wanted.config,
        split=wanted.split,
        version=wanted.version,
        commit=record.commit,
        files=tuple(file.path for file in record.files),
        size_bytes=sum(file.size for file in record.files),
        is_complete=all(cached_file(wanted, record.commit, file.path) is not None for file in record.files),
    )
