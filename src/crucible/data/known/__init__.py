"""Datasets that have a name: where they live, under which licence, and how a row becomes an item.

One module a dataset; nothing of them is shipped. Field names and splits are those of the dataset's card or home.
"""

from crucible.data.known.listing import Known, known_named, known_of_repository
from crucible.data.known.table import KNOWN

__all__ = ["KNOWN", "Known", "known_named", "known_of_repository"]
