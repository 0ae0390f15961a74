"""Events at a steady rate from several threads of several processes into one SQLite store, every one accounted for.

Each event carries (process, thread, sequence). At the end a reader of its own looks at every event in the store: each
sequence must be there once, from zero to the last that its thread emitted. `python -m benchmarks.soak` takes ten
minutes, and some more for reading.
"""

from benchmarks.soak.plan import EVENT, Plan, Soaked, SoakError
from benchmarks.soak.run import soak, told

__all__ = ["EVENT", "Plan", "SoakError", "Soaked", "soak", "told"]
