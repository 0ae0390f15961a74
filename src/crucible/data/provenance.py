"""Where a dataset came from. A result can be traced to the very bytes, and to every step since."""

from __future__ import annotations

import msgspec

__all__ = ["Provenance"]


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a dataset came from.

    Args:
        source: The file, repository or generator, in words.
        revision: Version of the source that was read; None where the source has none.
        sha256: Hex digest of the file's bytes; of the digests, in order, where there are several; None without a file,
            and for a stream of a local file whose version was not asked for.
        synthetic: The items are made up, not observed.
        notes: What a reader of results must know: sampling, items left out, a split that stands in for another.
    """

    source: str
    revision: str | None = None
    sha256: str | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    def noted(self, *notes: str) -> Provenance:
        """Return this provenance with further notes."""
        return msgspec.structs.replace(self, notes=(*self.notes, *notes)) if notes else self
