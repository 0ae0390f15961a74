"""Training and sampling on a Tinker service through the official SDK, or on a server that speaks its protocol.

`settings` and `errors` are the two ends of the border: what goes in, and what comes out when it goes wrong. Importing
this package imports neither the SDK nor an HTTP client; making a `TinkerBackend` does.
"""

from crucible.backends.tinker.adapting import adapter_problems
from crucible.backends.tinker.backend import TinkerBackend
from crucible.backends.tinker.bridge import TelemetryBridge
from crucible.backends.tinker.checkpoints import TinkerCheckpoint, TinkerCheckpoints
from crucible.backends.tinker.sampler import TinkerSampler
from crucible.backends.tinker.session import TinkerSession

__all__ = [
    "TelemetryBridge",
    "TinkerBackend",
    "TinkerCheckpoint",
    "TinkerCheckpoints",
    "TinkerSampler",
    "TinkerSession",
    "adapter_problems",
]
