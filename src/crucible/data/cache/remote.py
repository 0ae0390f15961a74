"""What the Hub says and sends. Foreign errors become one sentence here; nothing of a repository is executed."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import glob
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from crucible.data.cache._unreachable import Unreachable
from crucible.data.cache.record import Wanted
from crucible.errors import DataError, require

__all__ = ["Remote", "RemoteFile", "ask", "cached_file", "download", "is_offline", "snapshot"]

T = TypeVar("T")


class RemoteFile(msgspec.Struct, frozen=True):
    """A file as the Hub describes it; what it does not say is None."""

    path: str
    size: int | None
    sha256: str | None
    git_sha1: str | None


class Remote(msgspec.Struct, frozen=True):
    """A repository at a commit."""

    commit: str
    files: tuple[RemoteFile, ...]


def is_offline() -> bool:
    """Tell whether huggingface_hub was told to ask nobody (`HF_HUB_OFFLINE`)."""
    require("huggingface_hub", extra="data", feature="provider: huggingface")
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def ask(wanted: Wanted, revision: str | None) -> Remote:
    """Return what the Hub says of a repository at a revision.

    Raises:
        Unreachable: It does not answer.
        DataError: It has no such repository or revision, or wants a login.
    """
    from huggingface_hub import HfApi

    info = _guarded(wanted, lambda: HfApi().dataset_info(wanted.repository, revision=revision, files_metadata=True))
    files: list[RemoteFile] = []
    for each in info.siblings or ():
        lfs: Any = each.lfs
        files.append(
            RemoteFile(each.rfilename, each.size, lfs.sha256 if lfs else None, each.blob_id if not lfs else None)
        )
    if not info.sha:
        raise Unreachable(f"{_named(wanted)}: the Hugging Face Hub does not say which commit it is; try again later")
    return Remote(info.sha, tuple(files))


def download(wanted: Wanted, commit: str, paths: list[str]) -> Path:
    """Fetch files of a commit into huggingface_hub's cache, each whole or not at all, and return their folder.

    Raises:
        Unreachable: The Hub does not answer.
        DataError: The commit or the repository is gone.
    """
    from huggingface_hub import snapshot_download

    exact = [glob.escape(path) for path in paths]
    return Path(
        _guarded(
            wanted,
            lambda: snapshot_download(wanted.repository, repo_type="dataset", revision=commit, allow_patterns=exact),
        )
    )


def snapshot(wanted: Wanted) -> Path:
    """Return the folder of what huggingface_hub has of a revision, asking nobody; its name is the commit.

    Raises:
        Unreachable: It has nothing of it.
        DataError: The name cannot be that of a repository.
    """
    from huggingface_hub import snapshot_download

    return Path(
        _guarded(
            wanted,
            lambda: snapshot_download(
                wanted.repository, repo_type="dataset", revision=wanted.version, local_files_only=True
            ),
            offline=True,
        )
    )


def cached_file(wanted: Wanted, commit: str, path: str) -> Path | None:
    """Return where a file of a commit lies in huggingface_hub's cache, None if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(wanted.repository, path, revision=commit, repo_type="dataset")
    return Path(found) if isinstance(found, str) else None


def _named(wanted: Wanted) -> str:
    return f"the dataset {wanted.repository}" + (f" at revision {wanted.version}" if wanted.version else "")


def _guarded(wanted: Wanted, call: Callable[[], T], *, offline: bool = False) -> T:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    named = _named(wanted)
    try:
        return call()
    except GatedRepoError as error:
        raise DataError(f"{named} is gated; accept its terms on the Hub and log in with `hf auth login`") from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise DataError(f"{named} is not on the Hugging Face Hub; check its name (owner/name) and version") from error
    except Exception as error:  # the border: whatever network or cache say becomes one sentence
        unreached = f"the Hugging Face Hub cannot be reached ({type(error).__name__})"
        why = "nobody is asked offline" if is_offline() or offline else unreached
        raise Unreachable(
            f"{named} is not in the local Hub cache, and {why}; go online once, or read a file of your own (name: file)"
        ) from error
