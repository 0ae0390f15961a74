"""A chain as a picture: Mermaid diagrams of four kinds, for whatever renders Mermaid.

Here only text is made; nothing renders it. No text from an event can break a diagram or add to it.
"""

from crucible.trace.diagrams.mermaid import MERMAID_KINDS, to_mermaid
from crucible.trace.diagrams.options import MermaidOptions

__all__ = ["MERMAID_KINDS", "MermaidOptions", "to_mermaid"]
