"""Chains as one JSON file each in a folder, laid out as the predecessor keeps them."""

from crucible.trace.folder.chains import ChainFolder
from crucible.trace.folder.entry import FolderEntry, FolderListing, FolderMoves, FolderProblem

__all__ = ["ChainFolder", "FolderEntry", "FolderListing", "FolderMoves", "FolderProblem"]
