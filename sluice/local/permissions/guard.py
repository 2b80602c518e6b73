"""Decides every call of the offline AWS against the policies that the templates made, and remembers the decisions.

Two resources that the same patterns of the same policies match get the same answer, so the evaluator is asked once for
each kind of call and not once for each object.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sluice.local.permissions.evaluator import Evaluator
from sluice.local.permissions.needs import Need, Place, UnmappedError, needs_of
from sluice.local.permissions.policies import Identity, PolicyDocument, administrator, resource_policy, role_identity
from sluice.local.principals import ADMINISTRATOR, CLOUDFORMATION
from sluice.local.request import Request

ALLOWED: Final = "Allowed"
_REASONS = {"ImplicitlyDenied": "no policy allows it", "ExplicitlyDenied": "a policy forbids it"}
_EVALUATOR = Evaluator()
_ANSWERS: dict[Any, str] = {}  # policies are part of the key, so answers outlive the cloud that asked


@dataclass(frozen=True, kw_only=True)
class AccessDecision:
    """One question and its answer. `context` are the condition keys that the policies look at."""

    principal: str
    action: str
    resource: str
    context: tuple[tuple[str, Any], ...]
    result: str

    @property
    def allowed(self) -> bool:
        """Whether the call went through."""
        return self.result == ALLOWED


class Guard:
    """Decides calls for the gateway, and acts of services for a role without a call of their own."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.Lock()
        self.decisions: dict[AccessDecision, int] = {}  # and how often
        self.denied: list[str] = []
        self.paths: dict[str, str] = {}  # role ARN to the construct that made it

    def authorize(self, request: Request, principal: str, source: str = "") -> str | None:
        """Return None, or why the call is refused. `source` is the ARN for which a service calls."""
        if principal == CLOUDFORMATION:
            return None
        if principal == "unknown":
            return self._refused(f"{request.service}:{request.operation} by a caller that nobody knows")
        try:
            needs = needs_of(request, self._place)
        except (UnmappedError, KeyError, AttributeError, TypeError) as error:  # a call in a shape that is not known
            if principal == ADMINISTRATOR:
                return None
            return self._refused(
                f"{self._who(principal)} called {request.service}:{request.operation}, and it is not known what that "
                f"needs ({error!r}): say it in sluice/local/permissions/needs.py"
            )
        return self.ask(principal, needs, source=source)

    def missing(self, request: Request, principal: str) -> str | None:
        """Return why S3 would say "forbidden" instead of "not there": the caller may not list the bucket."""
        if request.service != "s3" or request.operation not in {"GetObject", "HeadObject"}:
            return None
        need = Need(action="s3:ListBucket", resource=f"arn:aws:s3:::{request.fields.get('Bucket', '')}")
        return None if principal == CLOUDFORMATION else self.ask(principal, [need])

    def ask(self, principal: str, needs: Sequence[Need], *, source: str = "") -> str | None:
        """Return None where all needs are allowed, else the refused one, and where to allow it."""
        for need in needs:
            result = self.decide(principal, need, source=source)
            if result != ALLOWED:
                why = _REASONS.get(result, result)
                return self._refused(
                    f"{self._who(principal)} may not {need.action} on {need.resource}: {why}. If it must, grant it "
                    "where the role is made, in the words of stacks/access.py"
                )
        return None

    def decide(self, principal: str, need: Need, *, source: str = "", secure: bool = True) -> str:
        """Ask the policies and remember the answer."""
        account, region = self._place.account, self._place.region
        identity = self._identity(principal)
        own = resource_policy(need.resource, account, region)
        documents = [*identity.documents, *filter(None, (identity.boundary, own))]
        mentioned = frozenset[str]().union(*(document.keys() for document in documents))
        context = {**self._context(principal, source, secure=secure), **need.context}
        looked_at = tuple(sorted((key, value) for key, value in context.items() if key.lower() in mentioned))
        key = (identity, own, need.action, _kind(need.resource, documents), looked_at)
        result = _ANSWERS.get(key)
        if result is None:
            result = _ANSWERS[key] = _EVALUATOR.decide(question(identity, own, need, looked_at, account))
        decision = AccessDecision(
            principal=principal, action=need.action, resource=need.resource, context=looked_at, result=result
        )
        with self._lock:
            self.decisions[decision] = self.decisions.get(decision, 0) + 1
        return result

    def _identity(self, principal: str) -> Identity:
        if principal == ADMINISTRATOR:
            return administrator(self._place.account)
        if principal.startswith("arn:"):
            return role_identity(principal, self._place.account)
        return Identity(arn=principal)

    def _context(self, principal: str, source: str, *, secure: bool) -> Mapping[str, Any]:
        """Return the condition keys that AWS sets for every call. The loopback port stands for an HTTPS endpoint."""
        always = {
            "aws:SecureTransport": "true" if secure else "false", "aws:RequestedRegion": self._place.region,
            "s3:TlsVersion": "1.3", "aws:PrincipalIsAWSService": str(principal.endswith(".amazonaws.com")).lower(),
        }  # fmt: skip
        if source:
            return {**always, "aws:SourceArn": source, "aws:SourceAccount": self._place.account}
        if principal.endswith(".amazonaws.com"):
            return always
        return {**always, "aws:PrincipalAccount": self._place.account, "aws:PrincipalArn": principal}

    def _who(self, principal: str) -> str:
        path = self.paths.get(principal)
        return f"role {path} ({principal.rpartition('/')[2]})" if path else principal

    def _refused(self, message: str) -> str:
        with self._lock:
            self.denied.append(message)
        return message


def question(
    identity: Identity, own: PolicyDocument | None, need: Need, context: Sequence[tuple[str, Any]], account: str
) -> dict[str, Any]:
    """Put a decision into the evaluator's words."""
    asked: dict[str, Any] = {
        "request": {
            "principal": identity.arn,
            "action": need.action,
            "resource": {"resource": need.resource, "accountId": account},
            "contextVariables": dict(context),
        },
        "identityPolicies": [
            {"name": str(number), "policy": document.content} for number, document in enumerate(identity.documents)
        ],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    }
    if own is not None:
        asked["resourcePolicy"] = own.content
    if identity.boundary is not None:
        asked["permissionBoundaryPolicies"] = [{"name": "boundary", "policy": identity.boundary.content}]
    return asked


def _kind(resource: str, documents: Sequence[PolicyDocument]) -> Any:
    """All that policies can see of a resource: which of their patterns match it."""
    if any("${" in document.text for document in documents):
        return resource
    return tuple(
        tuple(pattern.fullmatch(resource) is not None for pattern in document.resources()) for document in documents
    )
