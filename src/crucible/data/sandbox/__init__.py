"""A sandbox for programs that models wrote: bounded, cut off, and gone afterwards with all that they started.

Nothing here knows of datasets or scores; `crucible.data.scoring.code` does. Read `Sandbox` for what it does not protect
from.
"""

from crucible.data.sandbox._refused import SandboxRefused
from crucible.data.sandbox.limits import Ending, Finished, ProgramLimits
from crucible.data.sandbox.sandbox import Sandbox

__all__ = ["Ending", "Finished", "ProgramLimits", "Sandbox", "SandboxRefused"]
