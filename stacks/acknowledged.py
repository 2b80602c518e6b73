"""Findings of checkers that are accepted, with the reason, said beside the construct that they concern.

One way for all checkers: the reason travels as metadata of the construct and holds for everything below it.
`make audit` reads it there, and complains of findings that nobody acknowledged and of words that match no finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.locations import RUNS, TABLES

if TYPE_CHECKING:
    from constructs import IConstruct

METADATA = "sluice:acknowledged"
ANYTHING = "…"  # in a rule's name: any text


def acknowledge(scope: IConstruct, reason: str, *rules: str) -> None:
    """Accept the findings of these rules at the construct and below it, because of the reason."""
    scope.node.add_metadata(METADATA, dict.fromkeys(rules, reason))


def acknowledge_wildcards(stack: IConstruct) -> None:
    """Say why policies name some resources by a pattern. Any other pattern in a policy is a finding."""
    for pattern, reason in _PATTERNS.items():
        acknowledge(stack, reason, f"AwsSolutions-IAM5[Resource::{pattern}]")


_PATTERNS = {
    "*": "X-Ray takes no resource; nothing else is allowed on all resources (tests/infra/test_permissions.py)",
    f"…/{RUNS}*": "The files of all runs: their names hold the dataset and the fence",
    f"…/{TABLES}*": "The files of all tables: their names hold the run and a hash",
    "…/athena/*": "Athena names its results by the query",
    "…ExportsOutputFnGetAttRaw…/*": "Objects have the names that their senders gave them",
    "…:table/sluice_…/*": "The tables of one database: one a dataset, its rejects, and one a mart",
    "…:log-group:/aws-glue/jobs/*": "Glue names its log groups itself, the same for all jobs of an account",
    "…:execution:<…>:*": "Executions of one machine: their names hold the dataset and the fence",
}
