"""What comparing two chains found: the `Diff`.

Places are counted from 0, as in `chain[place]`. Everything is in the order of the first chain (`added`: of the second),
and exchanging the chains exchanges the sides of everything and alters nothing else.
"""

from __future__ import annotations

from typing import Any

from crucible.trace.comparison.findings import Findings
from crucible.trace.comparison.naming import side_names
from crucible.trace.comparison.page import to_html
from crucible.trace.comparison.plain_text import to_text
from crucible.trace.comparison.record import to_dict

__all__ = ["Diff"]


class Diff(Findings, frozen=True):
    """How a second chain differs from a first, and the forms in which to show it.

    Its fields are those of `Findings`: `added`, `removed`, `changed`, `moved`, `unchanged`, `relation_changes`,
    `confidence_deltas`, `chain_changes`, `first_divergence`, `similarity`, `matched_by`, `notes`, and the two chains.
    """

    def mirrored(self) -> Diff:
        """Return how the first chain differs from the second."""
        return Diff(
            self.b,
            self.a,
            self.matched_by,
            self.similarity,
            self.removed,
            self.added,
            tuple(sorted((each.mirrored() for each in self.changed), key=_a_place)),
            tuple(sorted((each.mirrored() for each in self.moved), key=_a_place)),
            tuple((y, x) for x, y in self.unchanged),
            tuple(sorted((each.mirrored() for each in self.relation_changes), key=_a_place)),
            tuple(sorted((each.mirrored() for each in self.confidence_deltas), key=_a_place)),
            {name: (new, old) for name, (old, new) in self.chain_changes.items()},
            self.first_divergence and self.first_divergence.mirrored(),
            self.notes,
        )

    def to_text(self, *, limit: int | None = None) -> str:
        """Return the differences for a terminal, ending with a newline; control characters are shown, never sent.

        Args:
            limit: The most entries of a section: of the changes of the chains themselves, and of what was removed,
                added, changed, moved, linked otherwise or has another confidence. A section's last line counts what it
                leaves out. An entry that is shown is shown whole, and so are the heading, the similarity, the counts,
                the notes and where the chains part. None shows all.
        """
        return to_text(self, limit=limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the differences as JSON values; of what is unchanged, the places."""
        return to_dict(self)

    def to_html(self) -> str:
        """Return one self-contained page that shows the chains side by side, light and dark.

        Runs of unchanged events are folded. A page stays below 5 MB: what it leaves out it counts, where it is left out
        and at the top.
        """
        return to_html(self)

    def __repr__(self) -> str:
        a, b = side_names(self)
        return f"Diff({a!r} → {b!r}: {self.summary}, similarity={self.similarity:.4f})"


def _a_place(each: Any) -> int:
    return each.a_place
