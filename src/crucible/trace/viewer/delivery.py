"""Putting the page where it is wanted: a file, or a browser."""

from __future__ import annotations

import os
import re
import tempfile
import webbrowser
from pathlib import Path

from crucible.errors import StoreError
from crucible.ir.files import atomic_write
from crucible.trace.chain import Chain
from crucible.trace.viewer.options import ViewerOptions
from crucible.trace.viewer.page import to_html

__all__ = ["open_in_browser", "save_html"]

_STANDARD = ViewerOptions()
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9-]+")


def save_html(chain: Chain, path: str | Path, options: ViewerOptions = _STANDARD) -> Path:
    """Write a chain's page, whole or not at all, and return its path.

    Args:
        chain: What to show.
        path: Where; missing parent folders are made.
        options: Title, theme and parts.

    Raises:
        StoreError: The file cannot be written.
    """
    return atomic_write(Path(path), to_html(chain, options))


def open_in_browser(chain: Chain, options: ViewerOptions = _STANDARD) -> Path:
    """Show a chain in the user's browser, and return the file: a temporary one that only the user can read.

    The file stays, because the browser reads it after this returns.

    Args:
        chain: What to show.
        options: Title, theme and parts.

    Raises:
        StoreError: The file cannot be written, or there is no browser to open it; the message names the file.
    """
    page = to_html(chain, options)
    name = _NOT_IN_NAMES.sub("", chain.id)[:32] or "chain"
    try:
        descriptor, place = tempfile.mkstemp(prefix=f"crucible-trace-{name}-", suffix=".html")  # made with mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(page)
    except OSError as error:
        raise StoreError(
            f"the page cannot be written to {tempfile.gettempdir()} ({error.strerror or error})"
        ) from error
    path = Path(place)
    try:
        is_open = webbrowser.open(path.as_uri())
    except (webbrowser.Error, OSError) as error:
        raise StoreError(f"no browser could be started ({error}); the page is in {path}, open it by hand") from error
    if not is_open:
        raise StoreError(f"no browser was found; the page is in {path}, open it by hand")
    return path
