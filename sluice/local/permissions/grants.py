"""Grants against the calls that used them: which were never needed, and whether any could be taken away unnoticed.

A grant is one action on one resource pattern of one role. Taking it away is judged by asking the recorded questions
again, about a millisecond each.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from moto.iam.models import iam_backends

from sluice.local.permissions.evaluator import Evaluator
from sluice.local.permissions.guard import ALLOWED, AccessDecision, question
from sluice.local.permissions.needs import Need
from sluice.local.permissions.policies import (
    Identity,
    PolicyDocument,
    as_list,
    document_of,
    resource_policy,
    role_identity,
    statements,
)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One action on one resource pattern, allowed to one role by its own policies."""

    role: str  # ARN
    action: str
    resource: str

    def serves(self, decision: AccessDecision) -> bool:
        """Whether it could have allowed this."""
        return (
            decision.principal == self.role
            and _matches(self.action.lower(), decision.action.lower())
            and _matches(self.resource, decision.resource)
        )


def grants(account: str) -> Sequence[Grant]:
    """List the grants of all roles of the account by their own policies."""
    return [
        Grant(role=role.arn, action=action, resource=resource)
        for role in iam_backends[account]["aws"].get_roles()
        for document in role_identity(role.arn, account).documents
        for statement in statements(document.content)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]


def unused(found: Iterable[Grant], decisions: Iterable[AccessDecision]) -> Sequence[Grant]:
    """List the grants that allowed nothing that was asked."""
    asked = [decision for decision in decisions if decision.allowed]
    return [grant for grant in found if not any(grant.serves(decision) for decision in asked)]


def missed(
    grant: Grant, decisions: Iterable[AccessDecision], *, evaluator: Evaluator, account: str, region: str
) -> Sequence[AccessDecision]:
    """List the recorded decisions that would be refused without the grant, up to the first."""
    identity = _without(role_identity(grant.role, account), grant)
    for decision in decisions:
        if decision.allowed and grant.serves(decision):
            own = resource_policy(decision.resource, account, region)
            need = Need(action=decision.action, resource=decision.resource)
            if evaluator.decide(question(identity, own, need, decision.context, account)) != ALLOWED:
                return [decision]
    return []


def _without(identity: Identity, grant: Grant) -> Identity:
    documents = tuple(_removed(document, grant) for document in identity.documents)
    return Identity(arn=identity.arn, documents=documents, boundary=identity.boundary)


def _removed(document: PolicyDocument, grant: Grant) -> PolicyDocument:
    changed = copy.deepcopy(document.content)
    changed["Statement"] = [kept for statement in statements(changed) for kept in _parts(statement, grant)]
    return document_of(changed)


def _parts(statement: Mapping[str, Any], grant: Grant) -> Iterator[Mapping[str, Any]]:
    """Yield the rest of a statement: its other actions, and the action on its other resources."""
    actions, resources = as_list(statement.get("Action", [])), as_list(statement.get("Resource", []))
    if statement["Effect"] != "Allow" or grant.action not in actions or grant.resource not in resources:
        yield statement
        return
    if others := [action for action in actions if action != grant.action]:
        yield {**statement, "Action": others}
    if others := [resource for resource in resources if resource != grant.resource]:
        yield {**statement, "Action": [grant.action], "Resource": others}


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
