"""The composition root: a document becomes a run, with store, recorder and trace attached.

Rooms below know nothing of each other's company; here they meet. Behind `crucible.load`, `run` and `resume`.
"""

from crucible.assembly.document import load, problems_of
from crucible.assembly.execution import aresume, arun, resume, run
from crucible.assembly.recording import stored_chain
from crucible.assembly.schema import document_schema

__all__ = ["aresume", "arun", "document_schema", "load", "problems_of", "resume", "run", "stored_chain"]
