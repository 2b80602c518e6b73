"""The deployer's view of a resource type, and the helpers that all types share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.local.template import UnsupportedTemplate

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Created:
    """The values of Ref, and of GetAtt by attribute."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a resource is built: its place in the template, the account, and clients."""

    stack: str
    logical_id: str
    account: str
    region: str
    client: Callable[[str], Any]
    asset: Callable[[str, str], Path | None]  # bucket and key to the file or folder in the assembly

    def name(self, *, limit: int = 64) -> str:
        """Return a name for an unnamed resource: the same in every deployment, different for every resource."""
        mark = hashlib.sha256(f"{self.stack}/{self.logical_id}".encode()).hexdigest()[:8]
        words = f"{self.stack}-{re.sub(r'[0-9A-F]{8}$', '', self.logical_id)}"
        return f"{words[: limit - 9]}-{mark}"

    def arn(self, service: str, rest: str, *, regional: bool = True, account: bool = True) -> str:
        """An ARN in this account and region."""
        return f"arn:aws:{service}:{self.region if regional else ''}:{self.account if account else ''}:{rest}"

    def only(self, given: Mapping[str, Any], *known: str, within: str) -> None:
        """Refuse a nested property that is not handled."""
        if unknown := sorted(set(given) - set(known)):
            raise UnsupportedTemplate(
                f"property {within}.{unknown[0]} is not handled", stack=self.stack, resource=self.logical_id
            )


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A resource type: how it is made, which properties are honoured, which change nothing offline."""

    create: Callable[[Site, Properties], Created]
    handled: frozenset[str]
    harmless: frozenset[str] = frozenset()


def kind(create: Callable[[Site, Properties], Created], handled: str, harmless: str = "") -> Kind:
    """A Kind from words, so that the tables read as tables."""
    return Kind(create=create, handled=frozenset(handled.split()), harmless=frozenset(harmless.split()))


def given(properties: Properties, *names: str, **renamed: str) -> dict[str, Any]:
    """SDK arguments from the properties that are there. `renamed`: argument name = property name."""
    pairs = {**{name: name for name in names}, **renamed}
    return {argument: properties[name] for argument, name in pairs.items() if name in properties}


def tag_map(properties: Properties) -> dict[str, str]:
    """Tags as a mapping, from CloudFormation's list or mapping."""
    tags = properties.get("Tags", {})
    return dict(tags) if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags}


def text(document: Any) -> str:
    """A policy or pattern as the JSON text that the SDK wants."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))


def lower_first(value: Any) -> Any:
    """A structure with keys in lowerCamelCase, as Step Functions and Logs name them."""
    if isinstance(value, Mapping):
        return {key[0].lower() + key[1:]: lower_first(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [lower_first(item) for item in value]
    return value
