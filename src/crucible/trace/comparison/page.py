"""A diff as one self-contained page: both chains side by side, unchanged runs folded.

The page asks for nothing and runs nothing. Its size is bounded: rows beyond the bounds are counted, not shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from crucible.trace.comparison.findings import Findings, RelationChange
from crucible.trace.comparison.halves import changed_row, placed_row, same_row
from crucible.trace.comparison.markup import marked, text
from crucible.trace.comparison.naming import side_names
from crucible.trace.comparison.rows import Row, Run, rows
from crucible.trace.comparison.wording import percent, value_text

__all__ = ["to_html"]

_MOST_BYTES = 4_000_000  # of all rows; with the rest of the page, and the count of what is left out, below 5 MB
_MOST_DIFFERING_BYTES = 3_400_000  # of rows that differ
_LEAST_SAME_BYTES = _MOST_BYTES - _MOST_DIFFERING_BYTES
_SAME_ROW_BYTES = 300  # about
_CONTEXT = 2  # unchanged events shown beside a difference
_LONGEST_OPEN = 6  # a run of unchanged events that is not folded
_CHAIN_ROWS = 200
_NAME_LETTERS = 200
_VALUE_LETTERS = 400


def to_html(diff: Findings) -> str:
    """Return a diff as a page of HTML; text from the chains stays text, whatever it says."""
    body = _Body(diff)
    shown = "".join(body.pieces())
    style = files("crucible.trace.comparison").joinpath("page.css").read_text("utf-8")
    names = " → ".join(text(name) for name in side_names(diff))
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
            f"<title>What changed: {names}</title>\n<style>\n{style}</style>\n</head>\n<body>\n",
            _heading(diff),
            _notes(diff, body),
            _chain(diff),
            _divergence(diff, body),
            _columns(diff, shown),
            "</body>\n</html>\n",
        ]
    )


def _heading(diff: Findings) -> str:
    a, b = (text(name) for name in side_names(diff))
    counts = (
        ("", percent(diff.similarity), "similar"),
        ("add", f"{len(diff.added):,}", "added"),
        ("rem", f"{len(diff.removed):,}", "removed"),
        ("chg", f"{len(diff.changed):,}", "changed"),
        ("mov", f"{len(diff.moved):,}", "moved"),
        ("", f"{len(diff.unchanged):,}", "unchanged"),
    )
    facts = "".join(f'<li class="{kind}"><b>{number}</b> {noun}</li>' for kind, number, noun in counts)
    return (
        f'<h1>{a} <span class="to">→</span> {b}</h1>\n'
        f'<p class="quiet">{_events(len(diff.a.events))} and {_events(len(diff.b.events))}, matched by '
        f"{diff.matched_by}. Places count from 0.</p>\n"
        f'<ul class="facts">{facts}</ul>\n'
    )


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def _notes(diff: Findings, body: _Body) -> str:
    notes = [text(note) for note in diff.notes]
    if body.left_out:
        notes.append(
            f"This page is limited to about 5 MB: {body.left_out:,} of the rows that differ are not shown. "
            "The text and JSON forms have all."
        )
    if body.same_left_out:
        notes.append(f"Of the unchanged events, {body.same_left_out:,} are counted where they stand, but not shown.")
    return "".join(f'<p class="note">{note}</p>\n' for note in notes)


def _chain(diff: Findings) -> str:
    if not diff.chain_changes:
        return ""
    lines: list[str] = []
    for name, (old, new) in list(diff.chain_changes.items())[:_CHAIN_ROWS]:
        before, after = marked(value_text(old), value_text(new), limit=_VALUE_LETTERS)
        name_text = text(name, limit=_NAME_LETTERS)
        lines.append(f'<tr><th scope="row">{name_text}</th><td>{before}</td><td>{after}</td></tr>\n')
    left = len(diff.chain_changes) - len(lines)
    more = f'<p class="quiet">… and {left:,} more</p>\n' if left else ""
    return f'<h2>The chains themselves</h2>\n<table class="chain"><tbody>\n{"".join(lines)}</tbody></table>\n{more}'


def _divergence(diff: Findings, body: _Body) -> str:
    parting = diff.first_divergence
    if parting is None:
        return "<p>No event differs.</p>\n" if diff.a.events or diff.b.events else "<p>Neither has events.</p>\n"
    anchor = body.first_anchor
    words = f"after {_events(parting.place)} in common" if parting.place else "at the first event"
    linked = f'<a href="#{anchor}">{words}</a>' if anchor else words
    return f"<p>They part {linked}.</p>\n"


def _columns(diff: Findings, shown: str) -> str:
    if not shown:
        return ""
    a, b = (text(name) for name in side_names(diff))
    return f'<main>\n<div class="heads"><div>{a}</div><div>{b}</div></div>\n{shown}</main>\n'


class _Body:
    """The rows of the page, up to its bounds.

    Args:
        diff: What to show.
    """

    def __init__(self, diff: Findings) -> None:
        self._diff = diff
        self.left_out = 0
        self.same_left_out = 0
        self.first_anchor = ""
        self._room = 0  # bytes left for unchanged events
        self._shown_rows = 0
        self._links: defaultdict[int, list[RelationChange]] = defaultdict(list)
        for change in diff.relation_changes:
            self._links[change.a_place].append(change)

    def pieces(self) -> Iterator[str]:
        """Yield the rows in order; `left_out` and `same_left_out` count what is not among them."""
        listed = list(rows(self._diff))
        pieces = self._differing(listed)
        used = sum(size for _, size in pieces)
        runs = sum(isinstance(each, Run) for each in listed)
        self._room = max(_LEAST_SAME_BYTES, _MOST_BYTES - used)
        # a share for each run, so that the last has its context, too
        share = self._room // _SAME_ROW_BYTES // max(1, runs)
        waiting = iter(pieces)
        for index, each in enumerate(listed):
            if isinstance(each, Run):
                is_last = index == len(listed) - 1
                if self.left_out and self._shown_rows == len(pieces):
                    self.same_left_out += each.length
                else:
                    yield from self._run(each, share, is_first=index == 0, is_last=is_last)
            elif (piece := next(waiting, None)) is not None:
                self._shown_rows += 1
                yield piece[0]
        if self.left_out:
            yield f'<p class="more">The page ends here; {self.left_out:,} more rows differ.</p>\n'

    def _differing(self, listed: list[Row | Run]) -> list[tuple[str, int]]:
        """Return the rows that differ and their sizes in bytes, up to the bound; the rest is counted."""
        pieces: list[tuple[str, int]] = []
        room = _MOST_DIFFERING_BYTES
        for each in listed:
            if isinstance(each, Run):
                continue
            if self.left_out:
                self.left_out += 1
                continue
            piece = self._row(each)
            size = len(piece.encode("utf-8"))
            if size > room:
                self.left_out = 1
                continue
            room -= size
            self.first_anchor = self.first_anchor or _anchor(each)
            pieces.append((piece, size))
        return pieces

    def _row(self, row: Row) -> str:
        a, b = self._diff.a.events, self._diff.b.events
        if row.changed is not None:
            return changed_row(_anchor(row), row.changed, self._links.get(row.changed.a_place, ()))
        event: Any = a[row.a_place] if row.a_place is not None else b[row.b_place or 0]
        return placed_row(_anchor(row), row, event)

    def _run(self, run: Run, share: int, *, is_first: bool, is_last: bool) -> Iterator[str]:
        """Yield a run of unchanged events: those beside a difference open, the rest folded."""
        above, below = (0 if is_first else _CONTEXT), (0 if is_last else _CONTEXT)
        if run.length <= max(_LONGEST_OPEN, above + below):
            above, below = run.length, 0
        folded = range(above, run.length - below)
        yield self._same(run, range(above), above)
        if folded:
            inner = self._same(run, folded, max(0, share - above - below))
            yield f"<details><summary>{_events(len(folded))} unchanged</summary>\n{inner}</details>\n"
        yield self._same(run, range(run.length - below, run.length), below)

    def _same(self, run: Run, offsets: range, most: int) -> str:
        """Return rows of unchanged events, at most `most` and what there is room for, and the count of the rest."""
        pieces: list[str] = []
        for offset in offsets[:most]:
            piece = same_row(run.a_place + offset, run.b_place + offset, self._diff.b.events[run.b_place + offset])
            self._room -= len(piece.encode("utf-8"))
            if self._room < 0:
                break
            pieces.append(piece)
        left = len(offsets) - len(pieces)
        if left:
            self.same_left_out += left
            pieces.append(f'<p class="more">{left:,} unchanged events are not shown.</p>\n')
        return "".join(pieces)


def _anchor(row: Row) -> str:
    return f"a{row.a_place}" if row.a_place is not None else f"b{row.b_place}"
