"""The composition root: a document becomes a run, with store, recorder and trace attached.

Rooms below know nothing of each other's company; here they meet. Behind `crucible.load`, `run` and `resume`.
"""

from crucible.assembly.document import Checked, check, load, problems_of
from crucible.assembly.execution import aresume, arun, resume, run
from crucible.assembly.options import ResumeOptions, RunOptions
from crucible.assembly.refusals import refusals_of
from crucible.assembly.run_trace import stored_chain
from crucible.assembly.schema import document_schema

__all__ = [
    "Checked",
    "ResumeOptions",
    "RunOptions",
    "aresume",
    "arun",
    "check",
    "document_schema",
    "load",
    "problems_of",
    "refusals_of",
    "resume",
    "run",
    "stored_chain",
]
