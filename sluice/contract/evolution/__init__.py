"""What a new contract does to a dataset, compared plan with plan: typed changes, and what is refused unless it is said.

`compare` is pure: it sees two plans, never a table. Applying changes to Iceberg is the lake's affair.
"""

from sluice.contract.evolution.changes import Change
from sluice.contract.evolution.compare import compare, refuse_unsaid

__all__ = ["Change", "compare", "refuse_unsaid"]
