"""What an answer argues: its claims, which supports which, whose evidence it uses, and which sources it made up.

`read_argument` reads claims and relations from an answer; `topology`, `balance` and `citation_validity` say what they
come to, and `claim_consistency`, `chirality` and `valid_citations` are scorers of it, so that they can be metrics of an
evaluation and rewards of a training alike. No PyTorch; the differentiable terms are in
`crucible.backends.losses.dialectical`.
"""

from crucible.data.argument.balance import Balance, balance
from crucible.data.argument.claims import Argument, Claim, Relation, read_argument
from crucible.data.argument.scorers import chirality, claim_consistency, valid_citations
from crucible.data.argument.topology import Topology, circles, topology
from crucible.data.argument.validity import CitationValidity, citation_validity

__all__ = [
    "Argument",
    "Balance",
    "CitationValidity",
    "Claim",
    "Relation",
    "Topology",
    "balance",
    "chirality",
    "circles",
    "citation_validity",
    "claim_consistency",
    "read_argument",
    "topology",
    "valid_citations",
]
