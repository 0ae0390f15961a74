"""Several processes that share the work of one: process 0 reads, decides and writes, all compute.

`spread` starts it; the local backend's sessions and samplers do the rest. The others take orders (`following`): they
get the weights before they compute and give their part of the gradient, so that nothing can differ between processes.
Importing this imports no PyTorch.
"""

from crucible.backends.distributed.place import Place, place
from crucible.backends.distributed.spreading import current_team, require_spread, spread

__all__ = ["Place", "current_team", "place", "require_spread", "spread"]
