"""A file that a run made, by its path, digest and size. Runs nothing and opens nothing."""

from __future__ import annotations

import msgspec

__all__ = ["ArtifactRef"]


class ArtifactRef(msgspec.Struct, frozen=True):
    """A reference to a file of a run.

    Args:
        path: Relative to the run's workspace, with `/` between parts.
        sha256: Hex digest of the content.
        size_bytes: Length of the content.
        media_type: Such as `text/html` or `application/jsonl`.
        made_from: Names of the run's artifacts that it was made from.
    """

    path: str
    sha256: str
    size_bytes: int
    media_type: str = "application/octet-stream"
    made_from: tuple[str, ...] = ()
