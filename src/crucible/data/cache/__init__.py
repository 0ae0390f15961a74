"""What was downloaded from the Hugging Face Hub: recorded at first, checked ever after, listed and removed.

The files lie in huggingface_hub's own cache. Beside them Crucible keeps, in a folder of its own, one small record a
split: repository, commit, and the digest and size of every file.
"""

from crucible.data.cache.entries import Cached, cache_size
from crucible.data.cache.entries import cached as list  # noqa: A004  # the name that users know, behind `data.cache.`
from crucible.data.cache.entries import forget as remove
from crucible.data.cache.record import records_folder

__all__ = ["Cached", "cache_size", "list", "records_folder", "remove"]
