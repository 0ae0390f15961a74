"""What may be chosen about a viewer page."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from crucible.errors import SpecError
from crucible.ir import did_you_mean

__all__ = ["Theme", "ViewerOptions"]

Theme = Literal["auto", "light", "dark"]


class ViewerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What may be chosen about a viewer page.

    Args:
        title: Heading and title of the page; None is the chain's name.
        theme: Colours to begin with: `auto` follows the reader's system. The page has a button for the others.
        include_statistics: Whether to show the counts, the mean confidence and the duration.
        include_timeline: Whether to show when the events happened.

    Raises:
        SpecError: The theme is none of the three.
    """

    title: str | None = None
    theme: Theme = "auto"
    include_statistics: bool = True
    include_timeline: bool = True

    def __post_init__(self) -> None:
        known = get_args(Theme)
        if self.theme not in known:
            hint = did_you_mean(str(self.theme), known)
            message = f"theme is {self.theme!r}, expected 'auto', 'light' or 'dark'{hint}"
            raise SpecError(message, path="theme", code="enum")
