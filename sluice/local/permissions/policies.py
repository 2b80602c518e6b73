"""The policies that stand: those of a role, and the one that a resource has itself. Read from moto, where they live."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import lambda_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@dataclass(frozen=True)
class PolicyDocument:
    """One policy as text, read once."""

    text: str

    @property
    def content(self) -> Any:
        """The content as data."""
        return _parsed(self.text)

    def resources(self) -> Sequence[re.Pattern[str]]:
        """The patterns in which it names resources."""
        return _patterns(self.text)

    def keys(self) -> frozenset[str]:
        """The condition keys that it mentions, in lower case."""
        return _keys(self.text)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A caller and its own policies."""

    arn: str  # as policies see it: of the session
    documents: tuple[PolicyDocument, ...] = ()
    boundary: PolicyDocument | None = None


def administrator(account: str) -> Identity:
    """Build the identity that may everything that no policy of a resource forbids."""
    return Identity(arn=f"arn:aws:iam::{account}:user/administrator", documents=(PolicyDocument(EVERYTHING),))


def role_identity(arn: str, account: str) -> Identity:
    """Read a role with its inline and managed policies. Raises LookupError where there is no such role."""
    backend = iam_backends[account]["aws"]
    role = next((found for found in backend.get_roles() if found.arn == arn), None)
    if role is None:
        raise LookupError(f"there is no role {arn}")
    texts = [unquote(text) for text in role.policies.values()]
    texts += [policy.document for policy in role.managed_policies.values()]
    boundary = backend.managed_policies.get(role.permissions_boundary_arn or "")
    return Identity(
        arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/offline",
        documents=tuple(map(PolicyDocument, texts)),
        boundary=PolicyDocument(boundary.document) if boundary else None,
    )


def resource_policy(arn: str, account: str, region: str) -> PolicyDocument | None:
    """Read the policy of a bucket (or of an object's), queue, topic, key, function or, for trust, role."""
    _, _, service, _, _, rest = arn.split(":", 5) if arn.count(":") >= 5 else ("",) * 6  # noqa: PLR2004  (an ARN)
    text: Any = None
    match service:
        case "s3":
            bucket = s3_backends[account]["aws"].buckets.get(rest.partition("/")[0])
            text = bucket.policy if bucket else None
        case "sqs":
            queue = sqs_backends[account][region].queues.get(rest)
            text = queue.policy if queue else None
        case "sns":
            topic = sns_backends[account][region].topics.get(arn)
            text = topic.policy if topic else None
        case "kms":
            key = kms_backends[account][region].keys.get(rest.removeprefix("key/"))
            text = key.policy if key else None
        case "lambda":
            text = _function_policy(rest.removeprefix("function:"), account, region)
        case "iam":
            roles = iam_backends[account]["aws"].get_roles()
            text = next((role.assume_role_policy_document for role in roles if role.arn == arn), None)
    if not text:
        return None
    return PolicyDocument(text.decode() if isinstance(text, bytes) else unquote(text) if service == "iam" else text)


def document_of(content: Any) -> PolicyDocument:
    """Make a document of its content."""
    return PolicyDocument(json.dumps(content, sort_keys=True))


def _function_policy(name: str, account: str, region: str) -> str | None:
    functions = lambda_backends[account][region].list_functions()
    statements = next((one.policy.statements for one in functions if one.function_name == name), None)
    return json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Any:
    return json.loads(text)


@lru_cache(maxsize=4096)
def _patterns(text: str) -> Sequence[re.Pattern[str]]:
    named = [name for statement in statements(_parsed(text)) for name in _names(statement)]
    return [re.compile(re.escape(name).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL) for name in named]


@lru_cache(maxsize=4096)
def _keys(text: str) -> frozenset[str]:
    tests = [test for statement in statements(_parsed(text)) for test in statement.get("Condition", {}).values()]
    return frozenset(key.lower() for test in tests for key in test)


def statements(policy: Any) -> Iterator[Any]:
    """Iterate over the statements of a policy, of which there may be one without a list."""
    yield from as_list(policy.get("Statement", []))


def as_list(value: Any) -> list[Any]:
    """Return a list, where policies may write one value or a list."""
    return value if isinstance(value, list) else [value]


def _names(statement: Any) -> Iterator[str]:
    for field in ("Resource", "NotResource"):
        yield from as_list(statement.get(field, []))
