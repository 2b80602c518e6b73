"""Builds the stacks of a cloud assembly, resource by resource, and refuses properties that it cannot honour.

Own code rather than moto's CloudFormation, which ignores a third of our types and drops versioning, encryption, expiry,
recovery and event configuration without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from sluice.local.resources import compute, governance, messaging, storage
from sluice.local.resources.kind import Created, Kind, Site
from sluice.local.resources.updates import DELETES, UPDATES
from sluice.local.template import Asset, Scope, Stack, UnsupportedTemplate, read_assembly

KINDS: Mapping[str, Kind] = {**storage.KINDS, **messaging.KINDS, **compute.KINDS, **governance.KINDS}
_NOTHING_TO_DO = frozenset({"AWS::CDK::Metadata"})
NOTHING: Mapping[tuple[str, str], Any] = MappingProxyType({})
# Asset manifests leave these for the deployer to fill in.
_PLACEHOLDERS = ("${AWS::Partition}", "${AWS::AccountId}", "${AWS::Region}")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One deployed resource."""

    stack: str
    logical_id: str
    kind: str
    path: str  # construct path, from the CDK's metadata
    created: Created
    template: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass
class Deployment:
    """The result of deploying: resources, outputs by stack, exports."""

    region: str
    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    exports: dict[str, Any] = field(default_factory=dict)
    assets: dict[tuple[str, str], Path] = field(default_factory=dict)


def deploy(
    assembly: Path,
    *,
    account: str,
    region: str,
    client: Callable[[str], Any],
    progress: Callable[[str], None] | None = None,
) -> Deployment:
    """Create everything in the assembly. Raises UnsupportedTemplate before anything of a refused stack is created."""
    stacks = read_assembly(assembly)
    deployment = Deployment(region=region)
    for stack in stacks:
        check(stack)
    for stack in stacks:
        if progress:
            progress(stack.name)
        _deploy_stack(stack, deployment, account=account, region=region, client=client)
    return deployment


@dataclass
class Changes:
    """The result of an update: construct paths of resources."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def update(
    assembly: Path, before: Deployment, *, account: str, client: Callable[[str], Any]
) -> tuple[Deployment, Changes]:
    """Update the deployed resources to another assembly, in place.

    Raises:
        UnsupportedTemplate: it holds what cannot be created, changed or removed here. Then nothing was changed.
    """
    stacks, old = read_assembly(assembly), {(one.stack, one.logical_id): one for one in before.resources}
    changes, after = Changes(), Deployment(region=before.region, assets=dict(before.assets))
    for stack in stacks:
        check(stack)
        _refuse_unchangeable(stack, old)
    wanted = {(stack.name, logical_id) for stack in stacks for logical_id in stack.resources}
    gone = [one for place, one in reversed(old.items()) if place not in wanted]
    for one in gone:
        if one.kind not in DELETES:
            raise _unchangeable("removed", one.kind, stack=one.stack, resource=one.logical_id)
    for stack in stacks:
        _deploy_stack(
            stack, after, account=account, region=before.region, client=client, before=old, changes=changes
        )  # fmt: skip
    for one in gone:
        site = Site(
            stack=one.stack, logical_id=one.logical_id, account=account, region=before.region, client=client,
            asset=lambda bucket, key: after.assets.get((bucket, key)),
        )  # fmt: skip
        DELETES[one.kind](site, one.created)
        changes.deleted.append(one.path)
    return after, changes


def _refuse_unchangeable(stack: Stack, old: Mapping[tuple[str, str], Resource]) -> None:
    for logical_id, resource in stack.resources.items():
        before, kind = old.get((stack.name, logical_id)), resource["Type"]
        if before and _differs(before.template, resource) and (kind not in UPDATES or kind != before.kind):
            raise _unchangeable("changed", kind, stack=stack.name, resource=logical_id)


def _unchangeable(what: str, kind: str, *, stack: str, resource: str) -> UnsupportedTemplate:
    return UnsupportedTemplate(f"{kind} cannot be {what} while the offline AWS runs", stack=stack, resource=resource)


def _differs(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(one.get(part) != other.get(part) for part in ("Type", "Properties", "Condition"))


def region_of(assembly: Path, *, default: str = "us-east-1") -> str:
    """The region that the assembly's stacks are for. They must agree."""
    named = {stack.region for stack in read_assembly(assembly) if stack.region}
    if len(named) > 1:
        raise UnsupportedTemplate(f"stacks in several regions: {', '.join(sorted(named))}")
    return named.pop() if named else default


def check(stack: Stack) -> None:
    """Refuse types and properties that nobody handles."""
    for logical_id, resource in stack.resources.items():
        if resource["Type"] in _NOTHING_TO_DO:
            continue
        known = KINDS.get(resource["Type"])
        if known is None:
            raise UnsupportedTemplate(f"type {resource['Type']} is not handled", stack=stack.name, resource=logical_id)
        unknown = set(resource.get("Properties", {})) - known.handled - known.harmless
        if unknown:
            raise UnsupportedTemplate(
                f"property {min(unknown)} of {resource['Type']} is not handled", stack=stack.name, resource=logical_id
            )


def _deploy_stack(
    stack: Stack,
    deployment: Deployment,
    *,
    account: str,
    region: str,
    client: Callable[[str], Any],
    before: Mapping[tuple[str, str], Resource] = NOTHING,
    changes: Changes | None = None,
) -> None:
    """Create the resources of a stack that are not there `before`, and update those that differ."""
    done = changes or Changes()
    pseudo = {
        "AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack.name,
        "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{stack.name}/local",
    }  # fmt: skip
    scope = Scope.of(stack, pseudo=pseudo, exports=deployment.exports)
    deployment.assets.update({_place(asset, scope): asset.path for asset in stack.assets})
    for logical_id in stack.in_order():
        resource = stack.resources[logical_id]
        if resource["Type"] in _NOTHING_TO_DO or not _wanted(resource, scope):
            continue
        site = Site(
            stack=stack.name, logical_id=logical_id, account=account, region=region, client=client,
            asset=lambda bucket, key: deployment.assets.get((bucket, key)),
        )  # fmt: skip
        path, old = resource.get("Metadata", {}).get("aws:cdk:path", ""), before.get((stack.name, logical_id))
        if old is not None and not _differs(old.template, resource):
            created = old.created
        else:
            properties = scope.resolve(resource.get("Properties", {}))
            created = _make(site, resource, properties, old.created if old else None)
            (done.updated if old else done.created).append(path)
        scope.refs[logical_id], scope.attributes[logical_id] = created.ref, created.attributes
        deployment.resources.append(
            Resource(
                stack=stack.name, logical_id=logical_id, kind=resource["Type"], path=path, created=created,
                template=resource,
            )
        )  # fmt: skip
    _note_outputs(stack, scope, deployment)


def _wanted(resource: Mapping[str, Any], scope: Scope) -> bool:
    return "Condition" not in resource or scope.holds(resource["Condition"])


def _make(site: Site, resource: Mapping[str, Any], properties: Mapping[str, Any], before: Created | None) -> Created:
    """Create a resource, or update the one that is there."""
    known = KINDS[resource["Type"]]
    handled = {name: value for name, value in properties.items() if name in known.handled}
    try:
        return UPDATES[resource["Type"]](site, handled, before) if before else known.create(site, handled)
    except ParamValidationError as error:  # a nested property that the SDK does not know either
        raise UnsupportedTemplate(f"{resource['Type']}: {error}", stack=site.stack, resource=site.logical_id) from error
    except (ClientError, KeyError) as error:
        raise UnsupportedTemplate(
            f"{resource['Type']} could not be {'updated' if before else 'created'}: {error!r}",
            stack=site.stack,
            resource=site.logical_id,
        ) from error


def _place(asset: Asset, scope: Scope) -> tuple[str, str]:
    bucket, key = asset.bucket, asset.key
    for placeholder in _PLACEHOLDERS:
        value = scope.pseudo[placeholder[2:-1]]
        bucket, key = bucket.replace(placeholder, value), key.replace(placeholder, value)
    return bucket, key


def _note_outputs(stack: Stack, scope: Scope, deployment: Deployment) -> None:
    values: dict[str, Any] = {}
    for name, output in stack.template.get("Outputs", {}).items():
        if _wanted(output, scope):
            values[name] = scope.resolve(output["Value"])
            if export := output.get("Export"):
                deployment.exports[scope.resolve(export["Name"])] = values[name]
    deployment.outputs[stack.name] = values


def of_kind(resources: Sequence[Resource], kind: str) -> Sequence[Resource]:
    """The deployed resources of one type."""
    return [resource for resource in resources if resource.kind == kind]
